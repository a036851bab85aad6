"""One system for the tests of the ledger and then of profile: the ledger's live in 2011, and no clock goes back."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from deploy.local.system import System
from tests.system.people import People


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def people(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[People]:
    """Without the notifier, whose part a test plays."""
    folder = tmp_path_factory.mktemp("people") / "up"
    async with System.start(folder, names=("profile", "turnover", "ledger")) as system, People.of(system) as people:
        yield people
