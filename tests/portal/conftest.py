"""A portal on a real MongoDB."""

import secrets
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from deploy.local.stack import Stack
from tests.portal.stand import Stand, standing


@pytest.fixture
async def stand(stack: Stack, tmp_path: Path) -> AsyncIterator[Stand]:
    """A portal for one test; its database is shared, so each takes customers of its own."""
    async with standing(tmp_path, stack) as found:
        yield found


@pytest.fixture
def name() -> str:
    """The id of a customer that no other test has."""
    return f"c-{secrets.token_hex(6)}"
