"""A portal on a real MongoDB."""

import secrets
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from deploy.local.stack import Stack
from tests.portal.stand import Stand, standing


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def stand(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stand]:
    """A portal for all tests; each takes customers of its own."""
    async with standing(tmp_path_factory.mktemp("stand"), stack) as found:
        yield found


@pytest.fixture
def name() -> str:
    """The id of a customer that no other test has."""
    return f"c-{secrets.token_hex(6)}"
