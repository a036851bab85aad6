"""Pages over real HTTP: who sees what, what leaves with them, and what is refused."""

import asyncio
from contextlib import AsyncExitStack
from typing import Any

import httpx
import pytest

from services.portal.live import MOST
from services.portal.render import POLICY
from tests.portal import samples
from tests.portal.samples import sale, standing
from tests.portal.stand import Stand, bearer
from tests.portal.world import Customer

pytestmark = pytest.mark.asyncio(loop_scope="session")

PAGES = ("/my-bonus", "/my-bonus/history", "/my-bonus/card")
FORMS = ("/my-bonus/profile", "/my-bonus/reminders", "/my-bonus/consents", "/my-bonus/data", "/my-bonus/card")


@pytest.mark.parametrize("path", PAGES)
async def test_pages_leave_with_a_strict_policy_and_are_kept_by_nobody(stand: Stand, name: str, path: str) -> None:
    await stand.keep(samples.complete(name))
    async with stand.client(headers=bearer(name)) as app:
        answer = await app.get(path)
    assert answer.status_code == 200
    assert answer.headers["content-security-policy"] == POLICY
    assert "unsafe" not in POLICY
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"


async def test_a_customer_never_sees_another(stand: Stand, name: str) -> None:
    other = f"{name}-b"
    await stand.keep(samples.complete(name))
    await stand.keep(samples.fresh(other))
    async with stand.client() as browser:
        await stand.sign_in(browser, other)
        for path in (*PAGES, f"/my-bonus?customer_id={name}", f"/my-bonus/history?customer_id={name}"):
            html = (await browser.get(path)).text
            assert "Gold" not in html or "Needs Gold" in html
            assert "03-6f1c9e0d5ab84b3e9d0c" not in html
            assert "536365" not in html
        data = (await browser.get("/api/my-bonus", headers=bearer(other), params={"customer_id": name})).json()
        assert data["customer_id"] == other


async def test_a_cursor_of_one_customer_opens_nothing_to_another(stand: Stand, name: str) -> None:
    other = f"{name}-b"
    await stand.keep(samples.complete(name))
    await stand.keep(samples.fresh(other))
    async with stand.client() as app:
        first = (await app.get("/api/my-bonus", params={"limit": 1}, headers=bearer(name))).json()["history"]
        assert first["next"]
        theirs = await app.get("/api/my-bonus", params={"cursor": first["next"]}, headers=bearer(other))
        references = [item["reference"] for item in theirs.json()["history"]["items"]]
        assert references == [None] * len(references)


async def test_one_customers_id_that_begins_anothers_opens_nothing(stand: Stand, name: str) -> None:
    longer = f"{name}0"
    await stand.keep(samples.complete(longer))
    async with stand.client(headers=bearer(name)) as app:
        assert (await app.get("/api/my-bonus")).json()["history"] == {"items": [], "next": None}


async def test_the_history_is_paged_without_gaps_or_repeats(stand: Stand, name: str) -> None:
    customer = samples.complete(name)
    await stand.keep(customer)
    whole = [item.model_dump(mode="json") for item in customer.shows().history.items]
    found: list[dict[str, Any]] = []
    async with stand.client(headers=bearer(name)) as app:
        cursor = None
        while True:
            params = {"limit": 3} | ({"cursor": cursor} if cursor else {})
            page = (await app.get("/api/my-bonus", params=params)).json()["history"]
            found += page["items"]
            assert len(page["items"]) <= 3
            cursor = page["next"]
            if cursor is None:
                break
    assert found == whole


@pytest.mark.parametrize("cursor", ["%00", "Zm9v", "_____", "ünïcode", "a" * 299])
async def test_a_cursor_that_is_none_breaks_nothing(stand: Stand, name: str, cursor: str) -> None:
    await stand.keep(samples.fresh(name))
    async with stand.client(headers=bearer(name)) as app:
        assert (await app.get("/my-bonus/history", params={"cursor": cursor})).status_code in {200, 422}


async def test_the_same_data_are_there_as_json(stand: Stand, name: str) -> None:
    customer = samples.busy(name)
    await stand.keep(customer)
    async with stand.client(headers=bearer(name)) as app:
        answer = await app.get("/api/my-bonus")
        assert answer.json() == customer.shows().model_dump(mode="json")
        again = await app.get("/api/my-bonus", headers={"If-None-Match": answer.headers["etag"]})
        assert again.status_code == 304
        german = await app.get("/api/my-bonus", headers={"Accept-Language": "de"})
        assert german.json()["turnover"]["tier"]["label"] == "Silber"
        assert german.headers["etag"] != answer.headers["etag"]


@pytest.mark.parametrize(("scope", "status"), [("ops", 403), ("staff", 403), ("pos", 403), ("customer", 200)])
async def test_json_is_for_customers_tokens_alone(stand: Stand, name: str, scope: str, status: int) -> None:
    async with stand.client(headers=bearer(name, scope)) as app:
        assert (await app.get("/api/my-bonus")).status_code == status
        assert (await app.get("/my-bonus")).status_code == status


async def test_the_login_of_a_proxy_before_us_is_no_concern_of_ours(stand: Stand, name: str) -> None:
    async with stand.client({"Authorization": "Basic Zm9vOmJhcg=="}) as browser:
        assert (await stand.sign_in(browser, name)).status_code == 200


async def test_json_needs_a_token_and_a_cookie_is_none(stand: Stand, name: str) -> None:
    async with stand.client() as browser:
        await stand.sign_in(browser, name)
        assert (await browser.get("/api/my-bonus")).status_code == 401


@pytest.mark.parametrize("path", [*FORMS, "/sign-out", "/language"])
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
        {"Origin": "http://127.0.0.1", "Sec-Fetch-Site": "same-site"},
    ],
)
async def test_a_change_that_another_site_asks_for_is_refused(
    stand: Stand, name: str, path: str, headers: dict[str, str]
) -> None:
    async with stand.client() as browser:
        await stand.sign_in(browser, name)
        cookie = browser.cookies["bonus"]
        answer = await browser.post(path, data={"language": "de", "on": "yes"}, headers=headers)
        assert answer.status_code == 403
        assert browser.cookies["bonus"] == cookie
        assert "language" not in browser.cookies


async def test_who_asked_to_be_forgotten_finds_nothing(stand: Stand, name: str) -> None:
    await stand.keep(samples.complete(name).hears("profile", "ErasureAccepted.v1", receipt_id="r-1"))
    async with stand.client(headers=bearer(name)) as app:
        for path in (*PAGES, "/api/my-bonus", "/my-bonus/events"):
            answer = await app.get(path)
            assert answer.status_code == 410
            assert "536365" not in answer.text


async def test_a_page_works_while_profile_is_away_and_a_change_says_that_it_does_not(stand: Stand, name: str) -> None:
    await stand.keep(samples.fresh(name))
    async with stand.client() as browser:
        await stand.sign_in(browser, name)
        assert (await browser.get("/my-bonus")).status_code == 200
        form = {"field.phone": "+49 30 123456"}
        answer = await browser.post("/my-bonus/profile", data=form, headers=stand.ours)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
        part = await browser.post("/my-bonus/profile", data=form, headers=stand.ours | {"HX-Request": "true"})
        assert part.status_code == 503
        assert 'hx-target="#outcome"' in part.text


async def test_an_empty_form_changes_nothing(stand: Stand, name: str) -> None:
    await stand.keep(samples.fresh(name))
    async with stand.client() as browser:
        await stand.sign_in(browser, name)
        answer = await browser.post("/my-bonus/profile", data={"field.phone": "  "}, headers=stand.ours)
        assert (answer.status_code, str(answer.url.query, "ascii")) == (200, "done=nothing")


async def test_the_language_is_the_customers_until_it_is_switched(stand: Stand, name: str) -> None:
    await stand.keep(samples.fresh(name, "ru"))
    async with stand.client(headers={"Accept-Language": "en"}) as browser:
        opened = await stand.sign_in(browser, name)
        assert '<html lang="ru"' in opened.text
        switched = await browser.post(
            "/language", data={"language": "de", "back": "/my-bonus/card"}, headers=stand.ours
        )
        assert switched.url.path == "/my-bonus/card"
        assert '<html lang="de"' in switched.text
        other = await browser.post("/language", data={"language": "xx", "back": "//evil"}, headers=stand.ours)
        assert (other.url.path, '<html lang="de"' in other.text) == ("/my-bonus", True)


async def test_files_are_kept_for_ever_under_the_address_of_their_content(stand: Stand) -> None:
    async with stand.client() as browser:
        address = stand.desk.assets.address("portal.css")
        answer = await browser.get(address)
        assert (answer.status_code, answer.headers["content-type"]) == (200, "text/css; charset=utf-8")
        assert "immutable" in answer.headers["cache-control"]
        for wrong in ("/static/0000000000000000/portal.css", "/static/x/../../settings.py", f"{address}x"):
            assert (await browser.get(wrong)).status_code == 404


async def test_an_address_of_nothing_is_a_page_too(stand: Stand) -> None:
    async with stand.client() as browser:
        answer = await browser.get("/my-bonus/nothing/here")
    assert (answer.status_code, answer.headers["content-type"]) == (404, "text/html; charset=utf-8")


async def test_errors_are_pages_for_people_in_their_language(stand: Stand, name: str) -> None:
    async with stand.client(headers=bearer(name, "ops")) as browser:
        answer = await browser.get("/my-bonus", headers={"Accept-Language": "de"})
    assert answer.status_code == 403
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "nicht zugänglich" in answer.text


class Heard:
    """The messages of a stream, one after the other."""

    def __init__(self, answer: httpx.Response) -> None:
        self._lines = answer.aiter_lines()

    async def next(self) -> tuple[str, str] | None:
        """Id and data of the next message; `None`: the stream has ended."""
        identity, data = "", ""
        async for line in self._lines:
            name, _, value = line.partition(": ")
            if name == "id":
                identity = value
            elif name == "data":
                data += value + "\n"
            elif not line and identity:
                return identity, data
        return None

    async def soon(self) -> tuple[str, str]:
        """The next message, which must come."""
        found = await asyncio.wait_for(self.next(), 30)
        assert found is not None
        return found


def later(customer: Customer) -> Customer:
    """The same, with one purchase more."""
    return customer.hears("turnover", "TurnoverRecorded.v1", "2026-06-20", **sale("999", 5_00, standing(5_00)))


async def test_an_open_page_hears_of_its_own_customer_and_of_what_changed_alone(stand: Stand, name: str) -> None:
    customer, other = samples.fresh(name), samples.fresh(f"{name}-b")
    await stand.keep(customer)
    await stand.keep(other)
    async with stand.client(headers=bearer(name)) as app, stand.client(headers=bearer(other.customer_id)) as theirs:
        address = f"/my-bonus/events?since={customer.state.version}"
        async with app.stream("GET", address) as answer, theirs.stream("GET", address) as beside:
            assert answer.headers["content-type"].startswith("text/event-stream")
            heard = asyncio.create_task(Heard(answer).soon())
            await stand.keep(later(other))
            await Heard(beside).soon()
            assert not heard.done()
            await stand.keep(later(customer))
            identity, html = await heard
    assert identity == str(customer.state.version)
    assert "€5.00 in 2026" in html
    assert 'hx-target="#headline"' in html
    assert 'hx-target="#completion"' not in html  # where somebody may be typing


async def test_a_page_that_comes_back_gets_what_it_missed(stand: Stand, name: str) -> None:
    customer = samples.fresh(name)
    seen = customer.state.version
    await stand.keep(later(customer))
    headers = bearer(name) | {"Last-Event-ID": str(seen)}
    async with stand.client() as app, app.stream("GET", "/my-bonus/events?since=0", headers=headers) as answer:
        identity, html = await Heard(answer).soon()
    assert identity == str(seen + 1)
    assert 'hx-target="#completion"' in html


async def test_a_customer_has_a_bounded_number_of_streams(stand: Stand, name: str) -> None:
    await stand.keep(samples.fresh(name))
    async with stand.client(headers=bearer(name)) as app:
        async with AsyncExitStack() as opened:
            streams = [
                Heard(await opened.enter_async_context(app.stream("GET", "/my-bonus/events"))) for _ in range(MOST)
            ]
            for stream in streams:
                await stream.soon()
            assert await _status(app) == 429
            async with stand.client(headers=bearer(f"{name}-b")) as other:
                assert await _status(other) == 200
        while await _status(app) == 429:  # until the server has noticed that they are closed
            await asyncio.sleep(0.1)
        assert await _status(app) == 200


async def _status(app: httpx.AsyncClient) -> int:
    async with app.stream("GET", "/my-bonus/events") as answer:
        return answer.status_code


async def test_a_customer_who_signs_out_hears_no_more(stand: Stand, name: str) -> None:
    await stand.keep(samples.fresh(name))
    async with stand.client() as browser:
        await stand.sign_in(browser, name)
        async with browser.stream("GET", "/my-bonus/events") as answer:
            heard = Heard(answer)
            await heard.soon()
            rest = asyncio.create_task(heard.next())
            await browser.post("/sign-out", headers=stand.ours)
            assert await rest is None
