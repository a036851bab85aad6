"""The command as it is typed: what it prints, and its exit codes."""

import asyncio
import json
import logging
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey

from deploy.cli import kafka, place
from deploy.cli import main as command
from deploy.local import keys
from deploy.local.stack import Stack
from deploy.local.system import PROGRAMME

MODULE = [sys.executable, "-m", "deploy.cli.main"]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A working directory without a system."""
    monkeypatch.chdir(tmp_path)
    for name in ("KAFKA_BOOTSTRAP", "TURNOVER_URL", "OPS_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "200")
    yield tmp_path
    logging.disable(logging.NOTSET)


@pytest.fixture
def running(here: Path, stack: Stack) -> Path:
    """A working directory in which a system runs."""
    environment = {name.removeprefix("PERKSTREAM_"): value for name, value in stack.environment("ops").items()}
    (here / ".run").mkdir()
    (here / ".run" / "env").write_text("".join(f"{name}={value}\n" for name, value in environment.items()))
    return here


@pytest.fixture
def perkstream(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """Runs the command in this process; gives exit code, output and errors."""

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["perkstream", *arguments])
        with pytest.raises(SystemExit) as ended:
            command.main()
        captured = capsys.readouterr()
        return int(ended.value.code or 0), captured.out, captured.err

    return run


def sale(customer: str, number: int) -> str:
    return json.dumps({"type": "PurchaseCompleted.v1", "customer_id": customer, "purchase_id": f"p-{number}"})


@pytest.mark.parametrize(
    "words",
    [
        [], ["replay"], ["simulate"], ["tick"], ["token"], ["rebuild"], ["dead-letters"],
        ["programme"], ["programme", "check"], ["programme", "publish"],
    ],
)  # fmt: skip
def test_everything_has_a_help_page(here: Path, perkstream: Any, words: list[str]) -> None:
    code, out, _ = perkstream(*words, "--help")

    assert code == 0
    assert "Usage: perkstream" in out


@pytest.mark.parametrize(
    "words",
    [
        ["tick"], ["replay", "x.jsonl"], ["simulate", "--count", "1"], ["rebuild", "turnover"],
        ["token", "--scope", "ops"], ["dead-letters", "turnover", "list"], ["dead-letters", "turnover", "retry"],
    ],
)  # fmt: skip
def test_without_a_system_one_line_says_how_to_get_one(here: Path, perkstream: Any, words: list[str]) -> None:
    code, out, err = perkstream(*words)

    assert (code, out) == (1, "")
    assert err.startswith("perkstream: no system is running here: start one with `make run` or `make up`")
    assert err.count("\n") == 1


def test_a_kafka_that_does_not_answer_is_told_on_one_line(
    here: Path, perkstream: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KAFKA_BOOTSTRAP", "127.0.0.1:9")

    code, _, err = perkstream("tick")

    assert code == 1
    assert err.startswith("perkstream: Kafka: ")
    assert "127.0.0.1" in err
    assert err.count("\n") == 1


def test_a_replay_sends_what_it_can_and_names_what_it_cannot(running: Path, perkstream: Any) -> None:
    file = running / "records.jsonl"
    file.write_text("\n".join([sale("c-1", 1), "garbage", sale("c-2", 2), ""]))

    code, out, err = perkstream("replay", str(file))

    assert code == 1
    assert "2 records published" in out
    assert "not sent: line 2: JSON is malformed" in err

    code, out, err = perkstream("replay", "--raw", str(file))

    assert (code, err) == (0, "")
    assert "3 records published" in out


def test_simulated_traffic_goes_to_kafka_or_to_a_file_that_can_be_replayed(running: Path, perkstream: Any) -> None:
    words = ["simulate", "--count", "50", "--duplicates", "0.1", "--garbage", "0", "--start", "2020-01-01T00:00:00Z"]

    written = perkstream(*words, "--out", "traffic.jsonl")
    again = perkstream(*words, "--out", "-")
    published = perkstream(*words)
    replayed = perkstream("replay", "traffic.jsonl")

    assert [result[0] for result in (written, again, published, replayed)] == [0, 0, 0, 0]
    lines = (running / "traffic.jsonl").read_text()
    assert lines == again[1]
    count = lines.count("\n")
    assert count >= 50
    assert f"{count} records published" in published[1]
    assert f"{count} records published" in replayed[1]


def test_a_file_without_an_end_is_refused(here: Path, perkstream: Any) -> None:
    assert "--out needs --count" in perkstream("simulate", "--out", "traffic.jsonl")[2]


@pytest.mark.parametrize("words", [["simulate", "--late", "2"], ["replay"], ["tick", "--when", "now"], ["dance"]])
def test_a_wrong_word_is_a_usage_error(here: Path, perkstream: Any, words: list[str]) -> None:
    assert perkstream(*words)[0] == 2


def test_ctrl_c_keeps_what_was_taken_says_how_much_and_exits_with_130(running: Path) -> None:
    replay = subprocess.Popen(
        [*MODULE, "replay", "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        cwd=running, env={"PYTHONPATH": str(Path(__file__).parents[2]), "PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    with replay:
        assert replay.stdin is not None
        customer = f"c-{uuid4()}"
        replay.stdin.write("".join(sale(customer, number) + "\n" for number in range(3)))
        replay.stdin.flush()
        _wait_for(running, customer, 3)
        replay.send_signal(signal.SIGINT)
        _, err = replay.communicate()

    assert replay.returncode == 130
    assert err == "stopped: 3 records were published\n"


def _wait_for(running: Path, customer: str, count: int) -> None:
    """Return when so many records of a customer are on the topic."""

    async def found() -> int:
        options = place.find(running, {}).kafka()
        return sum(
            [record.key == customer.encode() async for record in kafka.read(options, "pos.purchases", newest=1000)]
        )

    while asyncio.run(found()) < count:
        pass


def test_a_token_is_signed_with_the_key_of_the_stack(here: Path, perkstream: Any) -> None:
    (here / ".run").mkdir()
    (here / ".run" / "env").write_text("STACK=up\n")
    made = keys.load(here / ".run" / "up", ["ops"])

    code, out, _ = perkstream("token", "--scope", "customer", "--customer", "c-1", "--ttl", "60")

    claims = jwt.decode(out.strip(), ECKey.import_key(made.signing_key)).claims
    assert code == 0
    assert (claims["scope"], claims["sub"], claims["exp"] - claims["iat"]) == ("customer", "c-1", 60)


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--scope", "king"], "no scope king; there is: customer, pos, staff"),
        (["--scope", " "], "no scope given"),
        (["--scope", "customer"], "scope customer and --customer ID go together"),
        (["--scope", "ops", "--customer", "c-1"], "scope customer and --customer ID go together"),
    ],
)
def test_a_token_that_would_open_nothing_is_refused(here: Path, perkstream: Any, words: list[str], reason: str) -> None:
    code, _, err = perkstream("token", *words)

    assert code == 1
    assert reason in err


def test_the_default_programme_holds_together(here: Path, perkstream: Any) -> None:
    assert perkstream("programme", "check", str(PROGRAMME)) == (
        0, "version 1 holds together, in force from 2010-01-01\n", ""
    )  # fmt: skip


def test_a_reader_that_goes_away_is_no_reason_for_a_traceback(here: Path) -> None:
    pipe = f"{' '.join(MODULE)} simulate --count 5000 --out - | head -n 1"

    ended = subprocess.run(
        ["bash", "-c", pipe], capture_output=True, text=True, check=False, cwd=here,
        env={"PYTHONPATH": str(Path(__file__).parents[2]), "PATH": "/usr/bin:/bin"},
    )  # fmt: skip

    assert json.loads(ended.stdout)["type"] == "CustomerUpserted.v1"  # who buys is known before
    assert ended.stderr == ""
