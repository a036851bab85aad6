"""The supervisor keeps services running; `make up`, `make down` and `make run` come and go cleanly."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from rich.text import Text

from deploy.local import lock, ports
from deploy.local.errors import StackError
from deploy.local.service import Service

pytestmark = pytest.mark.timeout(300)

STAND_IN = "tests.local.stand_in"


@asynccontextmanager
async def supervised(folder: Path, module: str = STAND_IN) -> AsyncGenerator[Service, None]:
    (port,) = ports.choose(1)
    service = Service("stand-in", module, {"PERKSTREAM_JWKS": "x"}, port, folder / "stand-in.log")
    task = asyncio.create_task(service.supervise())
    try:
        yield service
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_a_service_is_waited_for_until_it_is_ready(tmp_path: Path) -> None:
    async with supervised(tmp_path) as service:
        await service.ready()

        async with httpx.AsyncClient() as http:
            answer = (await http.get(f"{service.url}/settings")).json()
        assert answer["PERKSTREAM_JWKS"] == "x"

    assert not service.child.running


async def test_a_service_that_dies_is_started_again(tmp_path: Path) -> None:
    async with supervised(tmp_path) as service:
        await service.ready()
        await service.child.kill()
        await service.ready()

        assert service.starts == 2


async def test_a_service_that_cannot_start_is_named_with_what_it_said(tmp_path: Path) -> None:
    async with supervised(tmp_path, "tests.local.nowhere") as service:
        with pytest.raises(StackError, match=r"(?s)stand-in does not start.*No module named"):
            await service.ready()


def make(folder: Path, command: str) -> subprocess.CompletedProcess[str]:
    """Run a command to the end of its output, as a pipe would: a process that kept it open would hang this."""
    command_line = [sys.executable, "-m", "deploy.local", command]
    return subprocess.run(command_line, cwd=folder, capture_output=True, text=True, timeout=180, check=False)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    make(tmp_path, "down")


def env(place: Path) -> dict[str, str]:
    lines = (place / ".run" / "env").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines)


def test_up_and_down_come_and_go(place: Path) -> None:
    up = make(place, "up")
    assert up.returncode == 0, up.stderr
    variables = env(place)
    assert {"KAFKA_BOOTSTRAP", "MONGO_URL", "OPS_TOKEN", "POS_TOKEN", "STAFF_TOKEN"} <= set(variables)
    assert variables["KAFKA_SECURITY_PROTOCOL"] == "SASL_PLAINTEXT"
    assert variables["KAFKA_USERNAME"] == "ops"
    assert (place / ".run" / "env").stat().st_mode & 0o077 == 0
    owner = lock.owner(place / ".run" / "system.lock")
    assert owner is not None
    assert owner[1] == "make up"

    assert make(place, "down").returncode == 0
    assert not (place / ".run" / "env").exists()
    assert lock.owner(place / ".run" / "system.lock") is None
    down = make(place, "down")
    assert (down.returncode, down.stderr.strip()) == (0, "Nothing is running.")


def test_run_stops_on_ctrl_c(place: Path) -> None:
    command_line = [sys.executable, "-m", "deploy.local", "run"]
    run = subprocess.Popen(command_line, cwd=place, stderr=subprocess.PIPE, text=True)
    assert run.stderr is not None
    for line in run.stderr:
        if "Addresses and tokens" in Text.from_ansi(line).plain:
            break
    assert {"KAFKA_BOOTSTRAP", "STACK"} <= set(env(place))
    refused = make(place, "up")
    assert refused.returncode == 1
    assert "make run is running" in refused.stderr

    os.kill(run.pid, signal.SIGINT)

    _, rest = run.communicate(timeout=60)
    assert run.returncode == 0, rest
    assert not (place / ".run" / "env").exists()


@pytest.mark.chaos
def test_a_second_up_takes_the_place_of_the_first(place: Path) -> None:
    assert make(place, "up").returncode == 0
    before = env(place)

    again = make(place, "up")

    assert again.returncode == 0, again.stderr
    assert env(place)["KAFKA_PASSWORD"] != before["KAFKA_PASSWORD"]


@pytest.mark.chaos
def test_a_killed_run_leaves_nothing_in_the_way_of_the_next(place: Path) -> None:
    up = make(place, "up")
    assert up.returncode == 0, up.stderr
    owner = lock.owner(place / ".run" / "system.lock")
    assert owner is not None
    before = env(place)
    os.kill(owner[0], signal.SIGKILL)

    again = make(place, "up")

    assert again.returncode == 0, again.stderr
    assert env(place)["OPS_TOKEN"] != before["OPS_TOKEN"]
