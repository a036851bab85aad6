"""The benchmark itself works: what is measured is the machine's affair."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.bench.figures import ONE, PLAIN, RAW, TWO


@pytest.mark.chaos
@pytest.mark.timeout(300)
def test_a_quick_run_measures_every_loop_and_writes_down_what_it_found(tmp_path: Path) -> None:
    file = tmp_path / "bench.json"
    options = ["--quick", "--records", "2000", "--folder", str(tmp_path / "stack"), "--output", str(file)]
    command = [sys.executable, "-m", "tests.bench", "throughput", *options]

    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    found = json.loads(file.read_text())
    names = [part["name"] for part in found["parts"]]
    assert names == [PLAIN, ONE, TWO, RAW]
    for part in found["parts"]:
        assert part["rate"]["low"] > 0
        assert part["rounds"] == 1
        assert part["cpu_together"] >= part["cpu"]["service"]["median"] > 0
    assert {"commit", "machine", "versions", "size", "goals", "runs"} <= set(found)
    assert "Goals" in done.stdout
    assert not (tmp_path / "stack").exists()
