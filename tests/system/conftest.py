"""The whole system, as `make up` starts it: real servers, real services, empty."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from deploy.local.system import System


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def system(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[System]:
    """A system for the tests of one file; each takes customers of its own."""
    async with System.start(tmp_path_factory.mktemp("system") / "up") as system:
        yield system
