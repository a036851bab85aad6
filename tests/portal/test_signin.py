"""Signing in and out, through the built-in provider, over real HTTP."""

import asyncio
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from msgspec.structs import replace

from services.portal.sessions import Sessions, Signed
from tests.portal import samples
from tests.portal.stand import Stand, bearer, link

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_a_page_sends_to_sign_in_and_comes_back(stand: Stand, name: str) -> None:
    await stand.keep(samples.fresh(name))
    async with stand.client() as browser:
        asked = await browser.get("/my-bonus")
        assert asked.status_code == 401  # the provider's own page: it knows nobody without a link
        assert [answer.status_code for answer in asked.history] == [303, 303]
        opened = await stand.sign_in(browser, name)
        assert (opened.status_code, opened.url.path) == (200, "/my-bonus")
        again = await browser.get("/my-bonus")
        assert (again.status_code, again.history) == (200, [])


async def test_the_cookie_is_no_scripts_and_no_other_sites(stand: Stand, name: str) -> None:
    async with stand.client() as browser:
        opened = await stand.sign_in(browser, name)
    set_cookie = next(one for one in opened.history[-1].headers.get_list("set-cookie") if one.startswith("bonus="))
    assert "HttpOnly" in set_cookie
    assert "SameSite=lax" in set_cookie
    assert "Path=/" in set_cookie


async def test_every_sign_in_makes_a_new_session_and_ends_the_old_one(stand: Stand, name: str) -> None:
    async with stand.client() as browser:
        browser.cookies.set("bonus", "03-planted", domain="127.0.0.1")
        await stand.sign_in(browser, name)
        first = browser.cookies["bonus"]
        assert first != "03-planted"
        await stand.sign_in(browser, name)
        second = browser.cookies["bonus"]
    assert first != second
    sessions = Sessions(stand.mongo)
    assert await sessions.find(first) is None
    assert await sessions.find(second) is not None


async def test_a_link_signs_in_once(stand: Stand, name: str) -> None:
    hint = link(name)
    async with stand.client() as first, stand.client() as second:
        assert (await first.get("/sign-in", params={"login_hint": hint})).status_code == 200
        assert (await second.get("/sign-in", params={"login_hint": hint})).status_code == 403


@pytest.mark.parametrize("wrong", [{"aud": "perkstream"}, {"exp": 1}, {"jti": None}, {"sub": None}])
async def test_a_link_that_is_none_signs_nobody_in(stand: Stand, name: str, wrong: dict[str, object]) -> None:
    async with stand.client() as browser:
        answer = await browser.get("/sign-in", params={"login_hint": link(name, **wrong)})
        assert answer.status_code == 403
        assert "bonus" not in browser.cookies


async def test_an_access_token_is_no_link(stand: Stand, name: str) -> None:
    async with stand.client() as browser:
        hint = bearer(name)["Authorization"].removeprefix("Bearer ")
        assert (await browser.get("/sign-in", params={"login_hint": hint})).status_code == 403


async def test_an_answer_to_a_sign_in_that_another_browser_began_is_refused(stand: Stand, name: str) -> None:
    async with stand.client() as victim, stand.client() as attacker:
        attacker.follow_redirects = False
        begun = await attacker.get("/sign-in", params={"login_hint": link(name)})
        approved = await attacker.get(begun.headers["location"])
        planted = approved.headers["location"]  # with the attacker's code and state
        for cookies in ({}, {"sign-in": "00"}):
            victim.cookies.update(cookies)
            assert (await victim.get(planted)).status_code == 401
        await victim.get("/sign-in")  # an attempt of the victim's own
        assert (await victim.get(planted)).status_code == 401
        assert "bonus" not in victim.cookies


async def test_a_code_is_good_once_and_only_with_its_verifier(stand: Stand, name: str) -> None:
    async with stand.client() as browser:
        browser.follow_redirects = False
        begun = await browser.get("/sign-in", params={"login_hint": link(name)})
        back = (await browser.get(begun.headers["location"])).headers["location"]
        code = parse_qs(urlsplit(back).query)["code"][0]
        form = {"grant_type": "authorization_code", "code": code, "code_verifier": "x" * 43}
        assert (await browser.post("/development/token", data=form)).status_code == 400
        assert (await browser.get(back)).status_code == 401  # the code is spent


async def test_only_pages_of_ours_are_returned_to(stand: Stand, name: str) -> None:
    for wanted, reached in (
        ("/my-bonus/card", "/my-bonus/card"),
        ("https://evil.example", "/my-bonus"),
        ("//evil", "/my-bonus"),
    ):
        async with stand.client() as browser:
            opened = await browser.get("/sign-in", params={"back": wanted, "login_hint": link(name)})
            assert str(opened.url) == f"{stand.url}{reached}"


async def test_signing_out_ends_the_session_and_what_the_browser_keeps(stand: Stand, name: str) -> None:
    async with stand.client() as browser:
        await stand.sign_in(browser, name)
        cookie = browser.cookies["bonus"]
        out = await browser.post("/sign-out", headers=stand.ours)
        assert (out.status_code, out.url.path) == (200, "/signed-out")
        assert "cache" in out.history[0].headers["clear-site-data"]
        assert "bonus" not in browser.cookies
        browser.cookies.set("bonus", cookie)
        assert (await browser.get("/my-bonus")).status_code == 401


async def test_a_session_whose_access_token_ends_gets_another_and_a_new_cookie(stand: Stand, name: str) -> None:
    sessions = Sessions(stand.mongo)
    async with stand.client() as browser:
        await stand.sign_in(browser, name)
        signed = await sessions.find(browser.cookies["bonus"])
        assert signed is not None
        ended = replace(signed, access_until=datetime.now(UTC) - timedelta(seconds=1))
        old = await sessions.open(ended, 1)
        # Profile is away, so nothing is changed; but a token was asked for first.
        answer = await browser.post(
            "/my-bonus/reminders", data={"on": "yes"}, headers=stand.ours | {"Cookie": f"bonus={old}"}
        )
        assert answer.status_code == 503
        fresh = await sessions.find(browser.cookies["bonus"])
        assert fresh is not None
        assert fresh.access_until > datetime.now(UTC)
        assert (fresh.customer_id, fresh.began) == (name, signed.began)
        assert fresh.refresh_token != signed.refresh_token


async def test_a_session_that_cannot_be_renewed_ends_with_a_new_sign_in(stand: Stand, name: str) -> None:
    sessions = Sessions(stand.mongo)
    async with stand.client(follow_redirects=False) as browser:
        now = datetime.now(UTC)
        for refresh in (None, "unknown"):
            cookie = await sessions.open(Signed(name, "gone", now, refresh, now), 1)
            headers = stand.ours | {"Cookie": f"bonus={cookie}"}
            answer = await browser.post("/my-bonus/reminders", data={"on": "yes"}, headers=headers)
            assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in?back=/my-bonus")


async def test_a_browser_that_is_not_signed_in_gets_no_stream_and_no_part_of_a_page(stand: Stand) -> None:
    async with stand.client() as browser:
        answer = await browser.get("/my-bonus/events", headers={"HX-Request": "true"})
        assert (answer.status_code, answer.headers["hx-redirect"]) == (401, "/sign-in?back=/my-bonus/events")


async def test_the_provider_signs_in_to_this_portal_alone(stand: Stand, name: str) -> None:
    async with stand.client() as browser:
        browser.follow_redirects = False
        begun = await browser.get("/sign-in", params={"login_hint": link(name)})
        elsewhere = httpx.URL(begun.headers["location"]).copy_set_param("redirect_uri", "https://evil.example/")
        assert (await browser.get(elsewhere)).status_code == 403


async def test_many_browsers_sign_in_at_once(stand: Stand) -> None:
    async def one(number: int) -> str:
        async with stand.client() as browser:
            opened = await stand.sign_in(browser, f"c-many-{number}")
            assert opened.status_code == 200
            return browser.cookies["bonus"]

    assert len(set(await asyncio.gather(*(one(number) for number in range(10))))) == 10
