"""A child process lives as long as it is wanted, and never longer than its parent."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import psutil

from deploy.local.child import Child

STUBBORN = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("deaf", flush=True)
time.sleep(60)
"""
PARENT = """
import sys, time
from pathlib import Path
from deploy.local.child import Child
child = Child("sleeper", ["sleep", "60"], Path(sys.argv[1]))
child.start()
print(child.pid, flush=True)
time.sleep(60)
"""


async def said(child: Child, word: str) -> None:
    while not child.log.exists() or word not in child.log.read_text():
        await asyncio.sleep(0.02)


async def test_it_is_stopped_by_asking(tmp_path: Path) -> None:
    child = Child("sleeper", ["sleep", "60"], tmp_path / "log")
    child.start()
    assert child.running

    await child.stop()

    assert (child.running, child.pid, child.returncode) == (False, None, -signal.SIGTERM)


async def test_one_that_does_not_listen_is_killed(tmp_path: Path) -> None:
    child = Child("stubborn", [sys.executable, "-c", STUBBORN], tmp_path / "log")
    child.start()
    await said(child, "deaf")

    await child.stop(patience=0.1)

    assert child.returncode == -signal.SIGKILL


async def test_a_frozen_one_is_stopped_too(tmp_path: Path) -> None:
    child = Child("sleeper", ["sleep", "60"], tmp_path / "log")
    child.start()
    child.freeze()

    await child.stop()

    assert not child.running


async def test_it_can_be_started_again(tmp_path: Path) -> None:
    child = Child("sleeper", ["sleep", "60"], tmp_path / "log")
    child.start()
    first = child.pid
    await child.kill()
    child.start()
    assert child.running
    assert child.pid != first
    await child.kill()


async def test_ctrl_c_at_the_terminal_does_not_reach_it(tmp_path: Path) -> None:
    child = Child("sleeper", ["sleep", "60"], tmp_path / "log")
    child.start()
    assert child.pid is not None

    assert os.getpgid(child.pid) != os.getpgid(0)

    await child.kill()


async def test_it_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    said_by_parent = tmp_path / "parent.log"
    parent = Child("parent", [sys.executable, "-c", PARENT, str(tmp_path / "log")], said_by_parent)
    parent.start()
    await said(parent, "\n")
    pid = int(said_by_parent.read_text())
    assert psutil.pid_exists(pid)

    await parent.kill()

    while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        await asyncio.sleep(0.02)
