"""Whatever others have written, a browser shows as text: no element, no attribute and no address is made of it.

Without the policy that would stop a script anyway, so that nothing but the pages themselves is put to the test.
"""

from collections.abc import AsyncIterator, Iterator
from itertools import cycle
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, Route, expect

from deploy.local.stack import Stack
from services.portal import parts
from services.portal.card import qr
from services.portal.model import MyBonus
from services.portal.texts import LANGUAGES
from shared.contracts.coherence import parse_programme
from shared.rulebook.programme import Programme
from tests.portal import samples
from tests.portal.browser.visitor import visitor
from tests.portal.profile import Played
from tests.portal.samples import sale, standing
from tests.portal.stand import Stand
from tests.portal.stand import standing as portal
from tests.portal.world import PROGRAMME, Customer

pytestmark = pytest.mark.asyncio(loop_scope="session")

HOSTILE = (
    "<script>pwned = 1</script>",
    '"><img src=x onerror="pwned = 1">',
    '" onmouseover="pwned = 1" autofocus onfocus="pwned = 1',
    "' onmouseover='pwned = 1' x='",
    "javascript:pwned=1",
    "</title></svg></textarea><script>pwned = 1</script><!--",
    "<hx-partial hx-target='#announce'><img src=x onerror='pwned = 1'></hx-partial>",
    "{{ 7 * 7 }}${7 * 7}",
)
KNOWN = ("profile", "CompletionChanged.v1")
FREE = ("label", "title", "store_id", "reference", "id", "benefit", "field", "card", "customer_id", "next")
MADE = r"""() => {
  const found = [];
  for (const one of document.querySelectorAll("*")) {
    for (const {name, value} of one.attributes) {
      if (name.startsWith("on")) found.push(`${one.tagName} ${name}`);
      const addresses = ["href", "src", "action", "formaction", "hx-get", "hx-post", "hx-sse:connect"];
      if (addresses.includes(name) && !/^[/#]/.test(value)) found.push(`${one.tagName} ${name}=${value}`);
    }
    if (one.tagName === "SCRIPT" && !one.src.startsWith(`${location.origin}/static/`)) found.push("a script");
    if (one.tagName === "IMG" && !one.closest(".brand")) found.push("a picture");
    for (const kind of ["mouseover", "focus"]) one.dispatchEvent(new Event(kind));
  }
  if ("pwned" in window) found.push("ran");
  return found;
}"""


async def harmless(page: Page) -> None:
    """Assert that nothing foreign has become more than text."""
    await page.wait_for_load_state("load")
    assert await page.evaluate(MADE) == []


async def shows(page: Page, *texts: str) -> None:
    """Assert that all of these are on the page, to the letter, as text or as what is in an input."""
    shown = await page.evaluate(
        "() => document.body.textContent + [...document.querySelectorAll('input')].map((one) => one.value).join('\\n')"
    )
    assert [text for text in texts if text not in shown] == []


def hostile_programme() -> Programme:
    """The default programme, with a hostile name for everything that has one."""
    names = cycle(HOSTILE)
    document = _without_nulls(PROGRAMME.versions[0].terms.model_dump(mode="json"))
    for part in (*document["tiers"], *document["benefits"], *document["profile"]["fields"]):
        part["label"] = dict.fromkeys(LANGUAGES, next(names))
    return Programme([parse_programme(document)])


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_nulls(one) for name, one in value.items() if one is not None}
    return [_without_nulls(one) for one in value] if isinstance(value, list) else value


def poisoned(value: Any, names: Iterator[str], name: str = "") -> Any:
    """A page's data with a hostile text in the place of every one that is not ours."""
    if isinstance(value, dict):
        return {key: poisoned(one, names, key) for key, one in value.items()}
    if isinstance(value, list):
        return [poisoned(one, names, name) for one in value]
    return next(names) if isinstance(value, str) and name in (*FREE, "explanations") else value


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def shady(stack: Stack, profile: Played, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stand]:
    """A portal under the hostile programme."""
    folder = tmp_path_factory.mktemp("shady")
    async with portal(folder, stack, profile_url=profile.url, programme=hostile_programme()) as found:
        yield found


async def test_names_of_a_programme_are_text_also_in_what_comes_later(
    shady: Stand, browser: Browser, name: str
) -> None:
    customer = samples.busy(name)
    window = await visitor(shady, browser, customer, bypass_csp=True)
    await harmless(window.page)
    await shows(window.page, *HOSTILE)
    # A live update brings parts of the page by another way.
    await shady.keep(
        customer.hears("turnover", "TurnoverRecorded.v1", "2026-05-10", **sale("9", 5_00, standing(777_00, "silver")))
    )
    await expect(window.page.locator("#headline")).to_contain_text("€777.00")
    await harmless(window.page)
    for path in ("/my-bonus/history", "/my-bonus/card", "/my-bonus/data"):
        await window.open(path)
        await harmless(window.page)
    assert [fault for fault in window.faults if not fault.startswith("asked")] == []
    await window.context.close()


@pytest.mark.parametrize("texts", [HOSTILE[0:3], HOSTILE[3:6], HOSTILE[5:8]], ids=["1-3", "4-6", "6-8"])
async def test_values_of_a_profile_are_text(
    shady: Stand, browser: Browser, profile: Played, name: str, texts: tuple[str, str, str]
) -> None:
    typed = dict(zip(("email", "phone", "address"), texts, strict=True))
    profile.values[name] = typed | {"birthday": texts[0]}
    window = await visitor(shady, browser, Customer(name).hears(*KNOWN, **samples.completion()), bypass_csp=True)
    page = window.page
    await window.open("/my-bonus/data")
    await harmless(page)
    assert {field: await page.input_value(f"#field-{field}") for field in typed} == typed
    profile.refuses = frozenset(samples.FIELDS)
    try:
        # Refused values come back, by htmx and on a page of their own.
        for path, button in (("/my-bonus", "#profile button"), ("/my-bonus/data", "main form button")):
            await window.open(path)
            for field, text in typed.items():
                await page.fill(f"#field-{field}", text)
            await page.click(button)
            await expect(page.locator("#wrong-address")).to_be_visible()
            await harmless(page)
            assert {field: await page.input_value(f"#field-{field}") for field in typed} == typed
    finally:
        profile.refuses = frozenset()
    await window.context.close()


async def test_every_text_that_a_page_is_given_is_text(stand: Stand, browser: Browser, name: str) -> None:
    """Also receipts, stores and ids, whose letters the contracts limit: the pages do not lean on that."""
    window = await visitor(stand, browser, samples.complete(name), bypass_csp=True)
    customer, page, bodies = samples.complete(), window.page, dict[str, str]()

    async def answer(route: Route) -> None:
        await route.fulfill(body=bodies[route.request.url], content_type="text/html; charset=utf-8")

    await page.route("**/my-bonus/poisoned-*", answer)
    for language in LANGUAGES:
        m, say = _poisoned(customer, language), customer.say(language)
        given = parts.values(m, say, given={"phone": HOSTILE[1]}, refused=frozenset({"phone"}))
        card = {"say": say, "card": m.card, "qr": qr("1"), "known": True} | parts.shell("card", name)
        for template, values in (("status.html", given), ("history.html", given), ("card.html", card)):
            url = f"{stand.url}/my-bonus/poisoned-{template}-{language}"
            bodies[url] = stand.desk.renderer.html(template, language, values)
            await page.goto(url)
            await harmless(page)
            await shows(page, *(HOSTILE if template == "status.html" else ()))
    await window.context.close()


def _poisoned(customer: Customer, language: str) -> MyBonus:
    return MyBonus.model_validate(poisoned(customer.shows(language).model_dump(), cycle(HOSTILE)))
