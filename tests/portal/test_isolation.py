"""Customer A never sees B: by id, by session, by stream, by card, by cache. The browser's side: `browser`."""

import asyncio
from pathlib import Path

import pytest

from deploy.local.stack import Stack
from tests.portal import samples
from tests.portal.profile import played
from tests.portal.samples import sale, standing
from tests.portal.stand import Stand, bearer
from tests.portal.stand import standing as portal
from tests.portal.test_pages import Heard, later
from tests.portal.world import Customer

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_what_one_customer_has_cached_is_never_another_ones(stand: Stand, name: str) -> None:
    other = f"{name}-b"
    await stand.keep(samples.fresh(name))
    await stand.keep(samples.fresh(other))  # the same in everything but the name
    async with stand.client() as app:
        mine = await app.get("/api/my-bonus", headers=bearer(name))
        known = {"If-None-Match": mine.headers["etag"]}
        again = await app.get("/api/my-bonus", headers=bearer(name) | known)
        theirs = await app.get("/api/my-bonus", headers=bearer(other) | known)
    assert (again.status_code, again.content) == (304, b"")
    assert (theirs.status_code, theirs.json()["customer_id"]) == (200, other)
    assert theirs.headers["etag"] != mine.headers["etag"]
    for answer in (mine, again, theirs):
        assert {one.strip() for one in answer.headers["vary"].split(",")} >= {"Authorization", "Accept-Language"}
        assert answer.headers["cache-control"] == "private, no-cache"


async def test_nothing_that_a_stream_is_told_makes_it_another_customers(stand: Stand, name: str) -> None:
    anna, bert = samples.complete(name), samples.fresh(f"{name}-b")
    await stand.keep(anna)
    await stand.keep(bert)
    async with stand.client() as browser:
        await stand.sign_in(browser, bert.customer_id)
        # As if the page were Anna's: her version, her name wherever one could stand.
        address = f"/my-bonus/events?since={anna.state.version}&customer_id={name}"
        headers = {"Last-Event-ID": str(anna.state.version), "X-Customer-Id": name}
        async with browser.stream("GET", address, headers=headers) as answer:
            heard = Heard(answer)
            assert "Gold" not in (await heard.soon())[1].replace("Needs Gold", "")  # Bert's page, all of it
            await stand.keep(later(anna))
            await stand.keep(_spends(bert, 1_11))
            identity, html = await heard.soon()
    assert identity == str(bert.state.version)
    assert "€1.11 in 2026" in html
    assert "539001" not in html


async def test_a_card_is_issued_to_the_one_who_asks_whatever_they_name(stack: Stack, tmp_path: Path, name: str) -> None:
    other = f"{name}-b"
    async with played() as profile, portal(tmp_path, stack, profile_url=profile.url) as stand:
        await stand.keep(samples.complete(name))
        await stand.keep(samples.fresh(other))
        async with stand.client() as browser:
            await stand.sign_in(browser, other)
            card = samples.complete(name).state.cards[-1]
            form = {"card_id": card, "card": card, "customer_id": name}
            page = await browser.post(f"/my-bonus/card?card_id={card}", data=form, headers=stand.ours)
    assert profile.asked == [f"POST /customers/{other}/cards"]
    assert card not in page.text


async def test_a_sign_out_ends_the_pages_of_its_session_in_every_process(
    stand: Stand, stack: Stack, tmp_path: Path, name: str
) -> None:
    customer = samples.fresh(name)
    await stand.keep(customer)
    (tmp_path / "beside").mkdir()
    async with (
        portal(tmp_path / "beside", stack) as beside,
        stand.client() as browser,
        stand.client() as phone,
        beside.client() as app,
    ):
        await stand.sign_in(browser, name)
        await stand.sign_in(phone, name)
        cookies = [{"Cookie": f"bonus={one.cookies['bonus']}"} for one in (browser, phone)]
        async with (
            app.stream("GET", "/my-bonus/events", headers=cookies[0]) as ending,
            app.stream("GET", "/my-bonus/events", headers=cookies[1]) as staying,
        ):
            left, stays = Heard(ending), Heard(staying)
            await left.soon()
            await stays.soon()
            await browser.post("/sign-out", headers=stand.ours)
            assert await asyncio.wait_for(left.next(), 60) is None
            await stand.keep(_spends(customer, 2_22))
            assert "€2.22 in 2026" in (await stays.soon())[1]


def _spends(customer: Customer, minor: int) -> Customer:
    return customer.hears("turnover", "TurnoverRecorded.v1", "2026-06-21", **sale("998", minor, standing(minor)))
