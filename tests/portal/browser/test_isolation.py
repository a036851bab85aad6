"""Other sites, and whoever comes after: what a real browser lets them see and do."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from fastapi import FastAPI
from fastapi.responses import HTMLResponse
from playwright.async_api import Browser, expect

from shared.http.server import listen, serve
from tests.faults.waiting import until
from tests.portal import samples
from tests.portal.browser.visitor import visitor
from tests.portal.profile import Played
from tests.portal.stand import Stand

pytestmark = pytest.mark.asyncio(loop_scope="session")

FORMS = (
    "/my-bonus/profile",
    "/my-bonus/reminders",
    "/my-bonus/consents",
    "/my-bonus/data",
    "/my-bonus/card",
    "/language",
    "/sign-out",
)
POST_BY_FORM = """(to) => {
  const form = document.createElement("form");
  form.method = "post";
  form.action = to;
  for (const [name, value] of [["field.phone", "+49 30 1"], ["on", "yes"], ["marketing", "yes"], ["language", "de"]]) {
    const input = document.createElement("input");
    [input.name, input.value] = [name, value];
    form.append(input);
  }
  document.body.append(form);
  form.submit();
}"""
POST_BY_SCRIPT = """(to) => fetch(to, {
  method: "POST", credentials: "include", mode: "no-cors",
  headers: {"Content-Type": "application/x-www-form-urlencoded"}, body: "field.phone=%2B49301&on=yes&language=de",
}).then(() => null, () => null)"""
READ = """(from) => fetch(from, {credentials: "include"}).then(() => "read", () => "refused")"""
FRAME = """(from) => new Promise((done) => {
  const frame = document.createElement("iframe");
  frame.onload = () => { try { done(frame.contentDocument ? "empty" : "refused"); } catch { done("refused"); } };
  frame.src = from;
  document.body.append(frame);
})"""
LISTEN = """(to) => new Promise((done) => {
  const stream = new EventSource(to, {withCredentials: true});
  stream.onopen = () => done("open");
  stream.onerror = () => { stream.close(); done("refused"); };
})"""

EMPTY = """async () => (await caches.keys()).length + (await navigator.serviceWorker.getRegistrations()).length
  + localStorage.length === 0"""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def elsewhere() -> AsyncIterator[int]:
    """The port of another site: a page without a policy."""
    at, app, stop = listen("127.0.0.1", 0), FastAPI(), asyncio.Event()

    @app.get("/")
    async def page() -> HTMLResponse:  # pyright: ignore[reportUnusedFunction]
        return HTMLResponse("<!doctype html><title>Win a prize</title><body>")

    serving = asyncio.create_task(serve(app, at, stop))
    yield at.getsockname()[1]
    stop.set()
    await serving


# Another site, whose requests come without the cookie; and another origin of our own site, whose requests come with it.
@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
async def test_another_origin_can_neither_change_nor_read_anything(
    stand: Stand, browser: Browser, profile: Played, elsewhere: int, name: str, host: str
) -> None:
    window = await visitor(stand, browser, samples.fresh(name))
    page, theirs, asked = window.page, f"http://{host}:{elsewhere}/", len(profile.asked)
    for path in FORMS:
        await page.goto(theirs)
        await page.evaluate(POST_BY_SCRIPT, f"{stand.url}{path}")  # the answer is kept from it, whatever it is
        async with page.expect_navigation() as navigated:
            await page.evaluate(POST_BY_FORM, f"{stand.url}{path}")
        answer = await navigated.value
        assert (answer.url, answer.status) == (f"{stand.url}{path}", 403)
    await page.goto(theirs)
    for path in ("/my-bonus", "/my-bonus/card", "/api/my-bonus"):
        assert await page.evaluate(READ, f"{stand.url}{path}") == "refused"
    assert await page.evaluate(FRAME, f"{stand.url}/my-bonus") == "refused"
    framed = [frame for frame in page.frames if frame is not page.main_frame]
    assert [await frame.locator("#headline").count() for frame in framed] == [0]
    assert await page.evaluate(LISTEN, f"{stand.url}/my-bonus/events") == "refused"

    assert profile.asked[asked:] == []
    await window.open("/my-bonus")
    await expect(page.locator("html")).to_have_attribute("lang", "en")
    await expect(page.locator("#headline")).to_be_visible()
    await window.context.close()


async def test_after_the_sign_out_no_tab_and_no_way_back_shows_anything(
    stand: Stand, browser: Browser, name: str
) -> None:
    window = await visitor(stand, browser, samples.complete(name))
    beside = await window.context.new_page()
    await beside.goto(f"{stand.url}/my-bonus")
    await expect(beside.locator("#headline")).to_be_visible()
    await window.page.get_by_role("button", name="Sign out").click()
    await expect(window.page).to_have_url(f"{stand.url}/signed-out")
    await expect(beside.locator("#headline")).to_have_count(0)
    await window.page.go_back()
    await expect(window.page.locator("body")).not_to_be_empty()
    await expect(window.page.locator("#headline")).to_have_count(0)
    await window.context.close()


async def test_the_card_is_gone_after_a_sign_out_whose_page_ran_no_script(
    stand: Stand, browser: Browser, name: str
) -> None:
    window = await visitor(stand, browser, samples.complete(name))
    page = window.page
    await window.open("/my-bonus/card")
    await until(window.keeps_card, "the card to be kept")
    await page.evaluate("() => localStorage.setItem('of', 'whatever')")
    await window.context.route("**/portal.js", lambda route: route.abort())
    await window.open("/my-bonus")
    await page.get_by_role("button", name="Sign out").click()
    await expect(page).to_have_url(f"{stand.url}/signed-out")
    await until(lambda: page.evaluate(EMPTY), "the browser to be empty")
    await window.context.set_offline(True)
    with pytest.raises(Exception, match="ERR_INTERNET_DISCONNECTED"):
        await window.open("/my-bonus/card")
    await window.context.close()


async def test_an_erased_customers_card_is_gone_with_the_next_page(stand: Stand, browser: Browser, name: str) -> None:
    customer = samples.complete(name)
    window = await visitor(stand, browser, customer)
    await window.open("/my-bonus/card")
    await until(window.keeps_card, "the card to be kept")
    await stand.keep(customer.hears("profile", "ErasureAccepted.v1", receipt_id="r-1"))
    await window.open("/my-bonus")
    await until(window.keeps_no_card, "the card to be forgotten")
    await window.context.close()
