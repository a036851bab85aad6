"""One browser for all tests of this folder."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, async_playwright

from deploy.local.stack import Stack
from deploy.local.system import System
from tests.portal.browser import chromium
from tests.portal.browser.shop import Shop
from tests.portal.profile import Played, played
from tests.portal.stand import Stand, standing


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def shop(whole_system: System) -> AsyncIterator[Shop]:
    """The whole system, and what the outside world sends to it."""
    async with Shop.open(whole_system) as found:
        yield found


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def profile() -> AsyncIterator[Played]:
    """A profile for `stand`."""
    async with played() as found:
        yield found


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def stand(stack: Stack, profile: Played, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stand]:
    """A portal that stands alone; each test takes customers of its own."""
    async with standing(tmp_path_factory.mktemp("stand"), stack, profile_url=profile.url) as found:
        yield found


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """A Chromium."""
    async with async_playwright() as playwright:
        try:
            path = chromium.find(playwright.chromium.executable_path)
        except chromium.MissingError as missing:
            if chromium.is_ci():
                pytest.fail(str(missing))
            pytest.skip(str(missing))
        async with await playwright.chromium.launch(executable_path=path, args=chromium.OPTIONS) as opened:
            yield opened
