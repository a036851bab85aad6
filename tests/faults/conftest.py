"""The worlds of the fault tests."""

import logging
from collections.abc import AsyncIterator, Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from deploy.local.stack import Stack
from tests.faults.ledger import LEDGER
from tests.faults.process import Nursery, nursery
from tests.faults.profile import PROFILE
from tests.faults.subject import Subject
from tests.faults.turnover import TURNOVER
from tests.faults.world import World, opened

logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # what it says of servers that a test has killed
# The runtime is one: the other services are tried with what they use of it beside.
SUBJECTS = [TURNOVER, *(pytest.param(each, marks=pytest.mark.chaos) for each in (PROFILE, LEDGER))]


@pytest.fixture(scope="session", params=SUBJECTS, ids=["turnover", "profile", "ledger"])
def subject(request: pytest.FixtureRequest) -> Subject:
    """The service under test."""
    return request.param


@pytest.fixture(scope="session")
def its_nursery(subject: Subject) -> Iterator[Nursery]:
    """Where its processes come from."""
    with nursery(subject.module) as found:
        yield found


@pytest_asyncio.fixture(loop_scope="session")
async def world(own_stack: Stack, subject: Subject, its_nursery: Nursery, tmp_path: Path) -> AsyncIterator[World]:
    """The service in an empty system, without a process yet."""
    async with opened(subject, own_stack, its_nursery, tmp_path) as found:
        yield found


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, Any, Any]:
    """A failure shows what the processes said last."""
    report = yield
    world: World | None = getattr(item, "funcargs", {}).get("world")
    if report.failed and world is not None:
        report.sections += [(each.name, each.last_words(40)) for each in world.processes]
    return report
