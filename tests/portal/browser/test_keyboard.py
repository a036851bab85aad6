"""What stands around the status page, by keyboard alone. The page itself and the card: `test_customers`."""

import pytest
from playwright.async_api import Browser, expect

from tests.portal import samples
from tests.portal.browser.visitor import visitor
from tests.portal.stand import Stand

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_the_language_is_switched_and_the_account_left_by_keyboard(
    stand: Stand, browser: Browser, name: str
) -> None:
    window = await visitor(stand, browser, samples.fresh(name))
    keys = window.page.keyboard
    await window.tab_to('nav a[href="/my-bonus/card"]')
    await keys.press("Enter")
    await expect(window.page).to_have_url(f"{stand.url}/my-bonus/card")
    await window.tab_to('.languages button[value="de"]')
    await keys.press("Enter")
    await expect(window.page.locator("html")).to_have_attribute("lang", "de")
    await expect(window.page).to_have_url(f"{stand.url}/my-bonus/card")
    await window.tab_to('form[action="/sign-out"] button')
    await keys.press("Enter")
    await expect(window.page).to_have_url(f"{stand.url}/signed-out")
    await window.tab_to('main a[href^="/sign-in"]')
    assert window.faults == []
    await window.context.close()


async def test_older_entries_come_by_keyboard_and_take_the_focus(stand: Stand, browser: Browser, name: str) -> None:
    window = await visitor(stand, browser, samples.regular(name))
    await window.open("/my-bonus")
    await window.tab_to('#history a[href="/my-bonus/history"]')
    await window.page.keyboard.press("Enter")
    await expect(window.page).to_have_url(f"{stand.url}/my-bonus/history")
    await window.tab_to("#more a")
    await window.page.keyboard.press("Enter")
    await expect(window.page.locator(".items").nth(1).locator("> li").first).to_be_focused()
    await expect(window.page.locator(".items > li")).not_to_have_count(20)
    # The way on is there anew, and only once.
    await window.tab_to("#more a")
    await expect(window.page.locator("#more")).to_have_count(1)
    assert window.faults == []
    await window.context.close()


async def test_the_table_behind_the_chart_is_opened_and_scrolled_by_keyboard(
    stand: Stand, browser: Browser, name: str
) -> None:
    window = await visitor(stand, browser, samples.busy(name))
    await window.tab_to("#table > summary")
    await window.page.keyboard.press("Enter")
    await expect(window.page.locator("#table table")).to_be_visible()
    await window.tab_to("#table .scroll")
    assert window.faults == []
    await window.context.close()
