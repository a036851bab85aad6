"""Turnover's calls: what they show of a customer that the rules made, and to whom.

The customer is kept in memory here, as in the tests of the rules; the real reader runs in the tests of the system.
"""

from collections.abc import AsyncIterator, Sequence

import httpx
import pytest
import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck, settings
from schemathesis import Case
from schemathesis.specs.openapi.checks import positive_data_acceptance

from services.turnover import api, rules
from services.turnover.rules import State
from shared.http.app import make_app
from shared.http.limits import Limits
from shared.http.probes import Probes
from shared.http.reads import Head, Logged
from shared.http.tokens import Guard
from shared.runtime.log import encode, rfc3339
from tests.http.stand import LOCAL, bearer, problem, state_since
from tests.turnover.world import CUSTOMER, Customer, at, programme_of, purchase, returned, terms, tick

OPS = bearer("ops")


class Kept:
    """One customer, each change of whom was a batch of its own."""

    def __init__(self) -> None:
        self.customer = Customer(programme_of(terms()))

    async def head(self, customer_id: str) -> Head[State]:
        if customer_id != CUSTOMER or not self.customer.log:
            return Head(None, 0, self.customer.tick)
        return Head(self.customer.state, len(self.customer.log), self.customer.tick)

    async def since(self, customer_id: str, version: int) -> State | None:
        return state_since(rules, self.customer.log, customer_id, version) if customer_id == CUSTOMER else None

    async def states(self, customer_ids: Sequence[str]) -> dict[str, State]:
        raise NotImplementedError  # nothing of this service asks for several

    async def log(self, customer_id: str, before_rev: int | None, limit: int) -> list[Logged]:
        entries = self.customer.log if customer_id == CUSTOMER else []
        written = [
            Logged(n, [encode(each, CUSTOMER, n, rfc3339(each.occurred_at))]) for n, each in enumerate(entries, 1)
        ]
        return [each for each in reversed(written) if before_rev is None or each.revision < before_rev][:limit]

    async def view(self, collection: str, identity: str) -> None:
        return None

    async def totals(self) -> dict[str, int]:
        return {}


def app(kept: Kept) -> FastAPI:
    guard = Guard(LOCAL, "perkstream", "perkstream", Limits(burst=10**9))
    fine = Probes(live=lambda: (True, {}), ready=lambda: (True, {}))
    return make_app("turnover", guard, fine, [api.routes(kept, lambda: kept.customer.programme)])


@pytest.fixture
def kept() -> Kept:
    return Kept()


@pytest.fixture
async def client(kept: Kept) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app(kept)), base_url="http://turnover") as opened:
        yield opened


async def test_the_worked_example_is_shown_to_its_customer(kept: Kept, client: httpx.AsyncClient):
    for raw in (purchase("p1", 480_00, "2010-03-01"), purchase("p2", 30_00, "2010-04-01")):
        kept.customer.take(raw)
    mine = bearer("customer", sub=CUSTOMER)
    shown = (await client.get(f"/customers/{CUSTOMER}/turnover", headers=mine)).json()
    assert (shown["turnover_minor"], shown["tier"], shown["version"]) == (510_00, "silver", 3)
    kept.customer.take(returned("r1", 480_00, "p1", "2010-05-01"))
    answer = await client.get(f"/customers/{CUSTOMER}/turnover", headers=mine)
    assert answer.json() == {
        "customer_id": CUSTOMER,
        "currency": "EUR",
        "year": 2010,
        "turnover_minor": 30_00,
        "tier": "bronze",
        "valid_until": None,
        "next_tier": "silver",
        "to_next_minor": 470_00,
        "to_keep_minor": 0,
        "years": {
            "2010": {
                "purchases_minor": 510_00,
                "returns_minor": 480_00,
                "turnover_minor": 30_00,
                "tier_reached": "bronze",
            }
        },
        "version": 5,
    }
    assert answer.headers["etag"] == '"5"'


async def test_purchases_and_returns_are_listed_newest_first_without_what_else_happened(
    kept: Kept, client: httpx.AsyncClient
):
    for raw in (purchase("p1", 480_00), purchase("p2", 30_00), returned("r1", 480_00, "p1"), tick("2012-06-01")):
        kept.customer.take(raw)
    answer = await client.get(f"/customers/{CUSTOMER}/purchases", headers=OPS)
    listed = [(item["type"][:-3], item["purchase_id"], item["return_id"]) for item in answer.json()["items"]]
    assert listed == [
        ("TurnoverReduced", "p1", "r1"),
        ("TurnoverRecorded", "p2", None),
        ("TurnoverRecorded", "p1", None),
    ]
    known = {**OPS, "If-None-Match": answer.headers["etag"]}
    assert (await client.get(f"/customers/{CUSTOMER}/purchases", headers=known)).status_code == 304
    kept.customer.take(purchase("p3", 1_00))
    assert (await client.get(f"/customers/{CUSTOMER}/purchases", headers=known)).status_code == 200


async def known(client: httpx.AsyncClient, tag: str) -> int:
    """The status of a read by somebody who was shown that version."""
    answer = await client.get(f"/customers/{CUSTOMER}/turnover", headers={**OPS, "If-None-Match": tag})
    assert answer.headers["etag"] == tag
    return answer.status_code


async def test_what_the_programme_changes_is_sent_although_the_version_stays(kept: Kept, client: httpx.AsyncClient):
    kept.customer.take(purchase("p1", 30_00, "2010-03-01"))
    answer = await client.get(f"/customers/{CUSTOMER}/turnover", headers=OPS)
    tag, first = answer.headers["etag"], answer.json()
    two = terms(2, "2010-05-01", tiers={"bronze": 0, "silver": 600_00})
    kept.customer.programme = programme_of(terms(), two)
    kept.customer.take(tick("2010-04-30"))
    assert await known(client, tag) == 304  # it is not in force yet
    kept.customer.take(tick("2010-05-01"))
    assert await known(client, tag) == 200
    shown = (await client.get(f"/customers/{CUSTOMER}/turnover", headers=OPS)).json()
    assert (first["to_next_minor"], shown["to_next_minor"]) == (470_00, 570_00)
    assert first["version"] == shown["version"]

    # Back to what it was at first: nobody knows whether the caller has that, or what was shown in between.
    kept.customer.programme = programme_of(terms(), two, terms(3, "2010-06-01"))
    kept.customer.take(tick("2010-06-01"))
    assert (await client.get(f"/customers/{CUSTOMER}/turnover", headers=OPS)).json() == first
    assert await known(client, tag) == 200

    kept.customer.take(purchase("p2", 1_00, "2010-06-02"))  # another version, which came under this programme
    tag = (await client.get(f"/customers/{CUSTOMER}/turnover", headers=OPS)).headers["etag"]
    assert await known(client, tag) == 304


async def test_what_the_clock_changes_is_sent_before_it_is_settled_too(kept: Kept, client: httpx.AsyncClient):
    kept.customer.take(purchase("p1", 30_00, "2010-03-01"))
    tag = (await client.get(f"/customers/{CUSTOMER}/turnover", headers=OPS)).headers["etag"]
    kept.customer.take(tick("2010-12-31"))
    assert await known(client, tag) == 304
    kept.customer.tick = at("2011-01-01")  # the owner knows it, and this customer's turn has not come
    assert await known(client, tag) == 200


async def test_a_customer_nobody_knows_has_spent_nothing_this_year(kept: Kept, client: httpx.AsyncClient):
    answer = await client.get("/customers/c-9/turnover", headers=OPS)
    shown = answer.json()
    assert (shown["version"], shown["turnover_minor"], shown["years"], shown["tier"]) == (0, 0, {}, "bronze")
    assert shown["year"] >= 2026
    assert answer.headers["etag"] == '"0"'
    kept.customer.take(tick("2011-06-01"))
    known = await client.get("/customers/c-9/turnover", headers={**OPS, "If-None-Match": '"0"'})
    assert known.json()["year"] == 2011
    assert (await client.get("/customers/c-9/purchases", headers=OPS)).json() == {"items": [], "next": None}


@pytest.mark.parametrize("scope", ["pos", "programme", "contacts", ""])
async def test_others_see_nothing(client: httpx.AsyncClient, scope: str):
    for part in ("turnover", "purchases"):
        problem(await client.get(f"/customers/{CUSTOMER}/{part}", headers=bearer(scope)), 403, "forbidden")
        problem(await client.get(f"/customers/{CUSTOMER}/{part}"), 401, "unauthenticated")


SHOWN = Kept()
for each in (purchase("p1", 480_00), purchase("p2", 30_00), returned("r1", 480_00, "p1"), returned("r2", 5_00)):
    SHOWN.customer.take(each)
schema = schemathesis.openapi.from_asgi("/openapi.json", app(SHOWN)).include(path_regex="^/customers")


@schema.parametrize()
@settings(max_examples=15, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow])
def test_turnover_keeps_to_its_description(case: Case):
    # A cursor is opaque: no pattern says which ones were given out.
    unsayable = [positive_data_acceptance] if case.operation.path.endswith("/purchases") else []
    case.call_and_validate(headers=OPS, excluded_checks=unsayable)


async def test_what_is_shown_of_a_customer_is_as_described():
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app(SHOWN)), base_url="http://turnover") as client:
        for part, model in (("turnover", api.Turnover), ("purchases", api.Purchases)):
            shown = (await client.get(f"/customers/{CUSTOMER}/{part}", headers=OPS)).json()
            assert model.model_validate(shown).model_dump(mode="json") == shown
