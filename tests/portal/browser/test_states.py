"""axe-core finds nothing on any state of any page, in light and dark, at 320 pixels."""

from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from typing import Any

import pytest
from playwright.async_api import Browser, expect

from services.portal.live import MOST
from tests.portal import samples
from tests.portal.browser.visitor import Visitor, visitor
from tests.portal.profile import Played
from tests.portal.samples import completion
from tests.portal.stand import Stand, bearer
from tests.portal.world import Customer

pytestmark = [
    pytest.mark.asyncio(loop_scope="session"),
    # Two languages with long words.
    pytest.mark.parametrize("language", ["ru", pytest.param("de", marks=pytest.mark.chaos)]),
]
SMALL = (320, 640)
MINE = {"email": "anna@example.org", "phone": "+49 30 123456", "birthday": "1980-02-29", "address": "Example Road 1"}


def half(customer_id: str, locale: str) -> Customer:
    filled = completion("email", "phone")
    return samples.fresh(customer_id, locale).hears("profile", "CompletionChanged.v1", **filled)


def nearly(customer_id: str, locale: str) -> Customer:
    filled = completion("email", "phone", "birthday")
    return samples.busy(customer_id, locale).hears("profile", "CompletionChanged.v1", "2026-05-10", **filled)


def owing(customer_id: str, locale: str) -> Customer:
    """More was brought back than there were points left, and a till holds some."""
    why = {"entry_id": "8", "points": -1, "reason": "goodwill", "by": "staff"}
    totals = samples.totals(0, 51, 21, 1)
    return samples.busy(customer_id, locale).hears(
        "ledger", "PointsAdjusted.v1", "2026-05-10", **why, totals=totals, postings=[], lots=[]
    )


def erased(customer_id: str, locale: str) -> Customer:
    return samples.complete(customer_id, locale).hears("profile", "ErasureAccepted.v1", receipt_id="r-1")


ACCOUNTS: Mapping[str, Callable[[str, str], Customer]] = {
    "25 %": samples.fresh,
    "50 %": half,
    "75 %": nearly,
    "100 %": samples.complete,
    "owing": owing,
    "unknown": samples.unknown,
}


async def test_every_state_of_an_account(
    stand: Stand, browser: Browser, profile: Played, name: str, language: str
) -> None:
    window = await _window(stand, browser, samples.fresh(name, language))
    for number, (state, made) in enumerate(ACCOUNTS.items()):
        window.customer_id = f"{name}-{number}"
        customer = made(window.customer_id, language)
        await stand.keep(customer)
        await window.sign_in()
        if state.endswith("%"):
            assert await window.page.locator("#completion progress").get_attribute("value") == state.removesuffix(" %")
        await window.accessible()
    # The last one, of whom nobody has told, has no data and no card either.
    for path in ("/my-bonus/card", "/my-bonus/data", "/my-bonus/history"):
        await window.open(path)
        await window.accessible()

    window.customer_id = f"{name}-mine"
    await stand.keep(samples.complete(window.customer_id, language))
    profile.values[window.customer_id] = MINE
    await window.sign_in()
    await window.open("/my-bonus?done=complete")
    await expect(window.page.locator(".celebration")).to_have_count(1)
    await window.accessible()
    await window.open("/my-bonus/card")
    await window.page.click("details > summary")
    await expect(window.page.locator(".plastic svg")).to_be_visible()
    await window.accessible()
    for path in ("/my-bonus/data", "/my-bonus/data?done=saved"):
        await window.open(path)
        await expect(window.page.locator("#field-address")).to_have_value(MINE["address"])
        await window.accessible()
    assert window.faults == []
    await window.context.close()


async def test_a_history_of_several_pages(stand: Stand, browser: Browser, name: str, language: str) -> None:
    window = await _window(stand, browser, samples.regular(name, language))
    await window.open("/my-bonus/history")
    await expect(window.page.locator(".items > li")).to_have_count(20)
    await window.accessible()
    older = await window.page.locator("#more a").get_attribute("href")
    await window.page.click("#more a")
    await expect(window.page.locator(".items > li")).not_to_have_count(20)
    await window.accessible()
    await window.open(f"{older}")  # as without a script: a page of its own
    await expect(window.page.locator('main a[href="/my-bonus/history"]')).to_be_visible()
    await window.accessible()
    assert window.faults == []
    await window.context.close()


async def test_every_outcome_of_a_form(
    stand: Stand, browser: Browser, profile: Played, name: str, language: str
) -> None:
    window = await _window(stand, browser, samples.fresh(name, language))
    page, save = window.page, window.page.locator("#profile button")
    await save.click()
    await expect(page.locator("#outcome .detail")).to_be_visible()  # nothing was filled in
    await window.accessible()
    await page.fill("#field-phone", "+49 30 123456")
    await save.click()
    await expect(page.locator("#outcome .done")).to_be_visible()  # soon: the answer is not there yet
    await window.accessible()
    profile.away = True
    try:
        await page.fill("#field-phone", "+49 30 123456")
        await save.click()
        await expect(page.locator("#outcome .wrong")).to_be_visible()  # profile does not answer
        await expect(page.locator("#field-phone")).to_have_value("+49 30 123456")
        await window.accessible()
    finally:
        profile.away = False
    assert window.faults == []
    await window.context.close()


async def test_every_page_that_says_sorry(
    stand: Stand, browser: Browser, profile: Played, name: str, language: str
) -> None:
    window = await _window(stand, browser, samples.fresh(name, language), locale=language)

    async def says(path: str, status: int) -> None:
        answer = await window.page.goto(f"{stand.url}{path}")
        assert answer is not None
        assert answer.status == status
        await expect(window.page.locator("html")).to_have_attribute("lang", language)
        await window.accessible()

    await says("/signed-in?error=access_denied", 401)
    await says("/my-bonus/nothing/here", 404)
    await says("/my-bonus/history?cursor=_____", 422)
    await says("/signed-out", 200)

    await window.page.goto("about:blank")  # whose open page held a stream as well
    async with AsyncExitStack() as opened:
        app = await opened.enter_async_context(stand.client(bearer(name)))
        streams = [await opened.enter_async_context(app.stream("GET", "/my-bonus/events")) for _ in range(MOST)]
        begun = [stream.aiter_raw() for stream in streams]
        for stream in begun:
            await anext(stream)
        await says("/my-bonus/events", 429)

    await window.page.set_extra_http_headers(bearer(name, "ops"))
    await says("/my-bonus", 403)
    await window.page.set_extra_http_headers({})

    profile.away = True
    try:
        await window.open("/my-bonus")
        await window.page.fill("#field-phone", "+49 30 123456")
        async with window.page.expect_response("**/my-bonus/profile") as answered, window.page.expect_navigation():
            # As without a script: htmx does not see it.
            await window.page.evaluate("() => document.getElementById('profile').submit()")
        assert (await answered.value).status == 503
        await window.accessible()
    finally:
        profile.away = False

    await stand.keep(erased(name, language))
    await says("/my-bonus", 410)
    await window.page.locator("main button").click()  # all that is left to do
    await expect(window.page).to_have_url(f"{stand.url}/signed-out")
    assert window.faults == []
    await window.context.close()


async def _window(stand: Stand, browser: Browser, customer: Customer, **window: Any) -> Visitor:
    return await visitor(stand, browser, customer, SMALL, **window)
