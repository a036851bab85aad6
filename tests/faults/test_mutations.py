"""Takes a safeguard out of a copy of the code, one at a time: the test that is there for it must fail, and say why."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(300)]
ROOT = Path(__file__).parents[2]
PARTS = ("shared", "services", "deploy", "tests")

# What is taken out: file, text, text instead; the test that must fail; what it must say.
SWAP = (
    "shared/runtime/owned.py",
    'return {"_id": self.number, "epoch": self.epoch, "batch": batch}',
    'return {"_id": self.number}',
    "test_owners.py::test_an_owner_that_was_frozen_before_its_swap_cannot_write",
    "AssertionError: owners: one that had lost its partition wrote its document",
)
PAUSE = (
    "shared/runtime/claims.py",
    "self.consumer().pause(*assigned)",
    "pass",
    "test_owners.py::test_what_kafka_knows_of_offsets_counts_for_nothing",
    "AssertionError: events: ",
)
BUSINESS_KEY = (
    "services/turnover/rules.py",
    "if known is not None and not isinstance(known, Awaited):",
    "if known is not None and not isinstance(known, Awaited) and (known := None):",
    "test_crashes.py::test_a_process_that_nobody_disturbs_counts_everything_once",
    "AssertionError: sums: ",
)
REPUBLISHING = (
    "shared/runtime/claims.py",
    "await self._publisher.publish(shares)",
    "pass",
    "test_crashes.py::test_events_of_a_batch_whose_owner_died_before_publishing_come_before_later_ones",
    "AssertionError: the next owner took records before it published",
)
UNFINISHED_TICK = (
    "shared/runtime/chores.py",
    "tick.now < owned.tick",
    "tick.now <= owned.tick",
    "test_ends.py::test_a_tick_that_was_interrupted_settles_everybody",
    "AssertionError: events: ",
)
MUTATIONS = [SWAP, PAUSE, BUSINESS_KEY, REPUBLISHING, UNFINISHED_TICK]
NAMES = ["swap", "pause", "business key", "publishing again", "unfinished tick"]


@pytest.mark.parametrize(("file", "text", "instead", "test", "reason"), MUTATIONS, ids=NAMES)
def test_without_a_safeguard_its_test_fails(
    tmp_path: Path, file: str, text: str, instead: str, test: str, reason: str
) -> None:
    copy = _copy(tmp_path)
    code = (copy / file).read_text()
    assert code.count(text) == 1, f"{file} does not hold once any more what this test takes out: {text}"
    (copy / file).write_text(code.replace(text, instead))
    result = _run(copy, test)
    assert result.returncode == 1, f"{test} does not notice:\n{result.stdout[-3000:]}"
    assert reason in result.stdout, f"{test} fails for another reason:\n{result.stdout[-3000:]}"


def test_the_copy_passes_as_long_as_nothing_is_taken_out(tmp_path: Path) -> None:
    result = _run(_copy(tmp_path), *(test for *_, test, _ in MUTATIONS))
    assert result.returncode == 0, result.stdout[-3000:]


def _copy(folder: Path) -> Path:
    for part in PARTS:
        shutil.copytree(ROOT / part, folder / "copy" / part, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", folder / "copy")
    return folder / "copy"


def _run(copy: Path, *tests: str) -> subprocess.CompletedProcess[str]:
    """Run those tests that are not marked `chaos` there: the folder one is in comes before what is installed."""
    names = [f"tests/faults/{test}" for test in tests]
    command = [sys.executable, "-B", "-m", "pytest", "-q", "-m", "not chaos", "-p", "no:cacheprovider", *names]
    options = [f"--basetemp={copy.parent / 'temp'}"]
    return subprocess.run([*command, *options], cwd=copy, capture_output=True, text=True, check=False, timeout=280)
