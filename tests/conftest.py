"""The servers that tests run against: one stack for the whole run, and fresh ones for tests that break theirs."""

import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from hypothesis import settings
from xdist.scheduler import LoadFileScheduling

from deploy.local.stack import Stack
from deploy.local.system import System
from tests.faults.stack import own, passing

# Where the run keeps its stack; inherited by xdist's workers.
FOLDER = "TEST_STACK_FOLDER"
RUN = Path(__file__).parents[1] / ".run" / "tests"


# What takes longest begins first, so that no worker is left with all of it; the rest is many files of some seconds.
LONG = tuple(f"tests/{folder}/" for folder in ("system", "portal/browser", "local", "faults", "notifier/delivery"))
# What begins like this shares servers, which take long to start; anything else is by its file.
SHARING = {
    "tests/system/test_personal_data.py": "the whole system",
    "tests/portal/browser/": "the whole system",
    "tests/system/": "profile, turnover and ledger",
    "tests/faults/": "servers to kill on",
    "tests/notifier/delivery/test_crashes.py": "servers to kill on",
}


class Scheduling(LoadFileScheduling):
    """Gives the tests of a file to one worker, and those that share servers."""

    def _split_scope(self, nodeid: str) -> str:
        return next((name for start, name in SHARING.items() if nodeid.startswith(start)), nodeid.partition("::")[0])


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Scheduling:
    return Scheduling(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: next((at for at, long in enumerate(LONG) if item.nodeid.startswith(long)), len(LONG)))


# A busy machine takes its time; how long something takes is for the benchmark.
settings.register_profile("perkstream", settings(deadline=None))
settings.load_profile("perkstream")


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        os.environ[FOLDER] = str(RUN / f"{os.getpid()}")


def pytest_unconfigure(config: pytest.Config) -> None:
    folder = Path(os.environ[FOLDER])
    if not hasattr(config, "workerinput") and (folder / "holder").exists():
        os.kill(int((folder / "holder").read_text()), signal.SIGTERM)
        while folder.exists():
            time.sleep(0.05)


@pytest.fixture(scope="session")
def stack() -> Stack:
    """A Kafka and a MongoDB, shared by all tests of the run: use customers of your own, and the ends of topics.

    `stack.environment("turnover")` gives the settings of a service, `stack.kafka_options()` and `stack.mongo_url()`
    those of an operator. Its servers belong to another process: to kill them, take a `fresh_stack`.
    """
    folder = Path(os.environ[FOLDER])
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "start").open("w") as start, (folder / "log").open("ab") as log:
        fcntl.flock(start, fcntl.LOCK_EX)  # the first worker starts it, the others wait
        if not (folder / "holder").exists():
            owner = os.getppid() if "PYTEST_XDIST_WORKER" in os.environ else os.getpid()
            command = [sys.executable, "-m", "tests.holder", str(folder), str(owner)]
            if subprocess.run(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, check=False).returncode:
                pytest.fail("the local stack did not start; its output is above", pytrace=False)
    return Stack.attach(folder / "stack")


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def whole_system(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[System]:
    """All services; use customers of your own. Its clock is that of the wall."""
    async with System.start(tmp_path_factory.mktemp("whole") / "up") as system:
        yield system


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def own_stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    """Servers that are children of this process, for whoever kills services, or servers; empty them before."""
    async with own(tmp_path_factory.mktemp("own") / "stack") as stack:
        yield stack


FreshStack = Callable[..., Coroutine[Any, Any, Stack]]


@pytest.fixture
async def fresh_stack(tmp_path: Path) -> AsyncIterator[FreshStack]:
    """Starts a stack that belongs to this test alone: `stack = await fresh_stack(brokers=2, mongo_nodes=3)`."""
    async with AsyncExitStack() as opened:

        async def start(**options: Any) -> Stack:
            return await opened.enter_async_context(passing(tmp_path / "stack", **options))

        yield start
