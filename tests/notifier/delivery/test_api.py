"""What HTTP shows of messages, and links to unsubscribe."""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest

from services.notifier.api import routes_with
from services.notifier.delivery.contacts import Profile as ProfileApi
from services.notifier.delivery.links import Links, Wish, wish_of
from services.notifier.delivery.settings import DeliverySettings
from shared.http.app import make_app
from shared.http.probes import Probes
from shared.http.reads import Head, Logged
from shared.http.tokens import Guard
from shared.rulebook.entry import Note
from tests.http.stand import LOCAL, bearer, problem
from tests.notifier.delivery.stand import KEY, Profile
from tests.notifier.rules.world import CUSTOMER, Customer, Given, preferences, stored, tick, tier, unlocked

LINKS = Links(KEY)


class Reader:
    """A customer's head and log, as the runtime would read them."""

    def __init__(self, customer: Customer) -> None:
        self.customer = customer

    @property
    def events(self) -> list[bytes]:
        public = [entry for entry in self.customer.log if not isinstance(entry.fact, Note)]
        return [stored(entry, version) for version, entry in enumerate(public, 1)]

    async def head(self, customer_id: str) -> Head[Any]:
        known = customer_id == CUSTOMER
        return Head(self.customer.state if known else None, len(self.events) if known else 0, None)

    async def states(self, customer_ids: Sequence[str]) -> dict[str, Any]:
        raise NotImplementedError  # nothing of this service asks for several

    async def log(self, customer_id: str, before_rev: int | None, limit: int) -> list[Logged]:
        known = customer_id == CUSTOMER and (before_rev is None or before_rev > 1)
        return [Logged(1, self.events)] if known else []


@pytest.fixture
async def api(given: Given, profile: Profile, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    (tmp_path / "token").write_text("our-token")
    settings = DeliverySettings(
        profile_url=profile.url,
        profile_token_file=tmp_path / "token",
        public_url="https://bonus.example",
        portal_url="https://shop.example",
        unsubscribe_key=KEY,  # type: ignore[arg-type]
    )
    async with httpx.AsyncClient() as client:
        routes = routes_with(LINKS, ProfileApi(settings, client).switch_off)
        watch = Probes(live=lambda: (True, {}), ready=lambda: (True, {}))
        reader: Any = Reader(given.customer)
        nothing: Any = None
        app = make_app("notifier", Guard(LOCAL, "perkstream", "perkstream"), watch, [routes(reader, nothing)])
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://notifier") as opened:
            yield opened


async def notifications(api: httpx.AsyncClient, **query: Any) -> dict[str, Any]:
    answer = await api.get(f"/customers/{CUSTOMER}/notifications", params=query, headers=bearer("staff"))
    assert answer.status_code == 200, answer.text
    return answer.json()


def brief(items: list[dict[str, Any]]) -> list[str]:
    return [f"{one['status']} {one['template']}/{one['channel']} {one['reason']}" for one in items]


async def test_what_waits_and_what_ended_is_listed_newest_first(api: httpx.AsyncClient, given: Given) -> None:
    given(preferences(), tier("bronze", "silver", "2010-03-01T12:00:00Z"), "tier_changed/email")
    given("tier_changed/push unrenderable", tier("silver", "gold", "2010-03-01T13:00:00Z"), unlocked("alpha"))
    assert brief((await notifications(api))["items"]) == [
        "queued tier_changed/email cap",
        "queued tier_changed/push None",
        "queued benefit_unlocked/email None",
        "queued benefit_unlocked/push None",
        "failed tier_changed/push unrenderable",
        "sent tier_changed/email None",
    ]


async def test_pages_of_the_list_follow_each_other(api: httpx.AsyncClient, given: Given) -> None:
    given(preferences(consent=False), *(unlocked("alpha", f"2010-03-0{day}") for day in range(1, 6)))
    first = await notifications(api, limit=4)
    second = await notifications(api, limit=200, cursor=first["next"])
    assert [one["version"] for one in first["items"] + second["items"]] == list(range(10, 0, -1))
    assert second["next"] is None


async def test_what_waits_is_shown_although_the_version_stays(api: httpx.AsyncClient, given: Given) -> None:
    given(preferences(known="email", consent=False), tier("bronze", "silver"))
    path = f"/customers/{CUSTOMER}/notifications"
    first = await api.get(path, headers=bearer("staff"))
    again = await api.get(path, headers=bearer("staff") | {"If-None-Match": first.headers["ETag"]})
    assert again.status_code == 304
    given(preferences(known="email"), tier("silver", "gold"))
    later = await api.get(path, headers=bearer("staff") | {"If-None-Match": first.headers["ETag"]})
    assert brief(later.json()["items"])[0] == "queued tier_changed/email None"


async def test_a_customer_sees_their_own_and_nobody_elses(api: httpx.AsyncClient) -> None:
    own = await api.get(f"/customers/{CUSTOMER}/notifications", headers=bearer("customer", sub=CUSTOMER))
    assert own.json() == {"items": [], "next": None}
    problem(await api.get("/customers/c-2/notifications", headers=bearer("customer", sub=CUSTOMER)), 403, "forbidden")
    problem(await api.get(f"/customers/{CUSTOMER}/notifications"), 401, "unauthenticated")


async def test_following_a_link_changes_nothing(api: httpx.AsyncClient, profile: Profile) -> None:
    answer = await api.get(f"/unsubscribe/{LINKS.token(Wish(CUSTOMER, 'reminders'))}")
    assert answer.status_code == 200
    assert "<form" in answer.text
    assert "form-action 'self'" in answer.headers["Content-Security-Policy"]
    assert profile.switched_off == []


@pytest.mark.parametrize(
    ("template", "call"),
    [
        ("profile_reminder", f"/customers/{CUSTOMER}/reminders {{'on': False}}"),
        ("tier_changed", f"/customers/{CUSTOMER}/channels/email {{'on': False}}"),
    ],
)
async def test_one_click_unsubscribes_without_a_login(
    api: httpx.AsyncClient, profile: Profile, template: str, call: str
) -> None:
    wish = wish_of(template, "email", CUSTOMER)
    assert wish is not None
    body = {"List-Unsubscribe": "One-Click"}
    answer = await api.post(f"/unsubscribe/{LINKS.token(wish)}", data=body)
    assert answer.status_code == 200
    assert profile.switched_off == [call]


async def test_the_page_speaks_the_customers_language(api: httpx.AsyncClient, given: Given) -> None:
    given(preferences())
    answer = await api.get(f"/unsubscribe/{LINKS.token(Wish(CUSTOMER, 'email'))}")
    assert '<html lang="de">' in answer.text


async def test_a_link_that_was_changed_opens_nothing(api: httpx.AsyncClient, profile: Profile) -> None:
    token = LINKS.token(Wish(CUSTOMER, "reminders"))
    for other in (token[:-1], f"{token}A", f"A{token[1:]}", Links("x" * 32).token(Wish(CUSTOMER, "reminders"))):
        if other != token:
            assert (await api.post(f"/unsubscribe/{other}")).status_code == 404
    assert profile.switched_off == []


async def test_while_profile_is_away_it_says_so(api: httpx.AsyncClient, profile: Profile) -> None:
    profile.away = True
    answer = await api.post(f"/unsubscribe/{LINKS.token(Wish(CUSTOMER, 'email'))}")
    assert problem(answer, 503, "unavailable")
    assert answer.headers["Retry-After"] == "60"


def test_a_token_says_one_thing_for_ever() -> None:
    wish = Wish("c-1", "email")
    assert LINKS.read(LINKS.token(wish)) == wish
    assert LINKS.token(wish) == Links(KEY).token(wish)
    assert wish_of("erasure_receipt", "email", "c-1") is None


async def test_a_tick_is_seen_at_once(api: httpx.AsyncClient, given: Given) -> None:
    given(preferences(known="email"), tier("bronze", "silver"), "tier_changed/email", tier("silver", "gold"))
    given(tick("2010-03-02"))
    assert brief((await notifications(api))["items"])[0] == "queued tier_changed/email None"
