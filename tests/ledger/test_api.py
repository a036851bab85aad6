"""The ledger's calls: what they show and ask of a customer that the rules made, and to whom.

The customer is kept in memory here, as in the tests of the rules, and commands are decided at once by the rules; the
real reader and writer run in the tests of the system.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import httpx
import pytest
import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck, settings
from schemathesis import Case
from schemathesis.specs.openapi.checks import positive_data_acceptance

from services.ledger import api, rules, shapes
from services.ledger.app import SERVICE
from services.ledger.coupons import Coupons
from services.ledger.rules import State
from shared.contracts.partition import partition_of
from shared.http.app import make_app
from shared.http.commands import Answer, Stored
from shared.http.limits import Limits
from shared.http.probes import Probes
from shared.http.reads import Head, Logged
from shared.http.tokens import Guard
from shared.runtime.log import encode, json_bytes, rfc3339
from shared.runtime.rules import Command
from tests.http.stand import LOCAL, bearer, problem, state_since
from tests.ledger.benefits.stories import CATALOGUE, DELIVERY, SHOPPER, VOUCHER, WELCOME, accepted, enrolled, filled
from tests.ledger.world import CUSTOMER, Customer, Given, programme_of, purchase, returned, terms, tick

OPS, POS, STAFF = bearer("ops"), bearer("pos", sub="till-1"), bearer("staff", sub="staff-7")
MINE = bearer("customer", sub=CUSTOMER)
COUPONS = Coupons("a secret of thirty-two characters")
PATH = f"/customers/{CUSTOMER}"
BENEFITS = [WELCOME, CATALOGUE, DELIVERY, VOUCHER]
PARTS = ("balance", "entries", "benefits")


class Kept:
    """One customer, each change of whom was a batch of its own; reader and writer of the calls."""

    partitions = 12

    def __init__(self) -> None:
        self.given = Given(Customer(programme_of(terms(benefits=BENEFITS))))
        self.customer = self.given.customer
        self.stored: dict[str, Stored] = {}

    def partition(self, customer_id: str) -> int:
        return partition_of(customer_id, self.partitions)

    async def head(self, customer_id: str) -> Head[State]:
        public = sum(one.public for one in self.customer.log)
        known = customer_id == CUSTOMER and self.customer.log
        return Head(self.customer.state if known else None, public if known else 0, self.customer.tick)

    async def since(self, customer_id: str, version: int) -> State | None:
        return state_since(rules, self.customer.log, customer_id, version) if customer_id == CUSTOMER else None

    async def states(self, customer_ids: Sequence[str]) -> dict[str, State]:
        raise NotImplementedError  # nothing of this service asks for several

    async def log(self, customer_id: str, before_rev: int | None, limit: int) -> list[Logged]:
        entries = [one for one in self.customer.log if one.public] if customer_id == CUSTOMER else []
        written = [
            Logged(n, [encode(each, CUSTOMER, n, rfc3339(each.occurred_at))]) for n, each in enumerate(entries, 1)
        ]
        return [each for each in reversed(written) if before_rev is None or each.revision < before_rev][:limit]

    async def view(self, collection: str, identity: str) -> dict[str, Any] | None:
        return self.customer.views.get(f"{collection}/{identity}")

    async def totals(self) -> dict[str, int]:
        return dict(self.customer.totals)

    async def send(self, command: Mapping[str, Any], wait: float) -> Stored:
        identity = command["command_id"]
        if identity not in self.stored:
            body = SERVICE.commands[command["type"]].validate_json(json_bytes(command))
            asked = Command(identity, command["type"], command["customer_id"], command["sender"], body)
            self.customer.take_message(asked)
            reply = self.customer.reply
            assert reply is not None
            answer = Answer(reply.status, reply.body)
            self.stored[identity] = Stored(command["sender"], command["fingerprint"], answer)
        return self.stored[identity]

    async def find(self, command_id: str) -> Stored | None:
        return self.stored.get(command_id)


def app(kept: Kept) -> FastAPI:
    guard = Guard(LOCAL, "perkstream", "perkstream", Limits(burst=10**9))
    fine = Probes(live=lambda: (True, {}), ready=lambda: (True, {}))
    return make_app("ledger", guard, fine, [api.routes(kept, lambda: kept.customer.programme, COUPONS)], kept)


@pytest.fixture
def kept() -> Kept:
    return Kept()


@pytest.fixture
async def client(kept: Kept) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app(kept)), base_url="http://ledger") as opened:
        yield opened


@pytest.fixture
def rich(kept: Kept) -> Kept:
    """A customer with 100 points that may be spent."""
    kept.given(enrolled(), purchase("p1", 100_00, "2010-03-01"), tick("2010-03-20"))
    return kept


async def test_a_customer_sees_balance_entries_and_benefits(rich: Kept, client: httpx.AsyncClient):
    balance = await client.get(f"{PATH}/balance", headers=MINE)
    assert balance.json() == {
        "pending": 0,
        "available": 100,
        "held": 0,
        "owed": 0,
        "expiring": [{"points": 100, "expires_at": "2011-03-15T23:00:00Z"}],
        "version": 6,
    }
    assert balance.headers["etag"] == '"6"'
    listed = (await client.get(f"{PATH}/entries", headers=MINE)).json()
    assert [(one["type"], one["points"]) for one in listed["items"]] == [
        ("PointsActivated.v1", 100),
        ("PointsEarned.v1", 100),
    ]
    assert listed["items"][1]["why"]["purchase_id"] == "p1"
    benefits = (await client.get(f"{PATH}/benefits", headers=MINE)).json()["items"]
    assert [(one["benefit"], one["status"]) for one in benefits] == [
        ("welcome", "locked"),
        ("catalogue", "locked"),
        ("delivery", "locked"),
        ("voucher", "locked"),
    ]


async def test_entries_come_in_pages_newest_first(rich: Kept, client: httpx.AsyncClient):
    first = (await client.get(f"{PATH}/entries?limit=1", headers=MINE)).json()
    assert [one["entry_id"] for one in first["items"]] == ["2"]
    rest = (await client.get(f"{PATH}/entries", params={"cursor": first["next"]}, headers=MINE)).json()
    assert ([one["entry_id"] for one in rest["items"]], rest["next"]) == (["1"], None)


async def test_what_is_known_is_not_sent_again(rich: Kept, client: httpx.AsyncClient):
    for part in PARTS:
        answer = await client.get(f"{PATH}/{part}", headers=MINE)
        known = {**MINE, "If-None-Match": answer.headers["etag"]}
        assert (await client.get(f"{PATH}/{part}", headers=known)).status_code == 304


async def test_another_name_is_sent_although_the_version_stays(rich: Kept, client: httpx.AsyncClient):
    rich.given(filled("email", when="2010-04-01"))
    tags = {part: (await client.get(f"{PATH}/{part}", headers=MINE)).headers["etag"] for part in PARTS}
    first = terms(benefits=BENEFITS)
    named = {"en": "Hello", "de": "Hallo", "ru": "Привет"}
    second = terms(2, "2011-01-01", benefits=[WELCOME | {"label": named}, CATALOGUE, DELIVERY, VOUCHER])
    rich.customer.programme = programme_of(first, second)
    answers = {
        part: await client.get(f"{PATH}/{part}", headers={**MINE, "If-None-Match": tag}) for part, tag in tags.items()
    }
    assert {part: answer.status_code for part, answer in answers.items()} == {
        "balance": 304,
        "entries": 200,
        "benefits": 200,
    }
    assert "Hello" in answers["entries"].json()["items"][0]["text"]["en"]
    assert answers["benefits"].json()["items"][0]["label"] == named
    assert {part: answer.headers["etag"] for part, answer in answers.items()} == tags

    third = terms(2, "2011-01-01", benefits=[*BENEFITS, SHOPPER])
    rich.customer.programme = programme_of(first, third)
    # It shows once it is in force. Texts of entries might have named it: nobody looks which names they hold.
    for part, tag in tags.items():
        answer = await client.get(f"{PATH}/{part}", headers={**MINE, "If-None-Match": tag})
        assert answer.status_code == (200 if part == "entries" else 304)


async def test_a_customer_nobody_knows_has_zeros_with_version_0(client: httpx.AsyncClient):
    answer = await client.get("/customers/c-9/balance", headers=OPS)
    assert (answer.json()["available"], answer.json()["version"]) == (0, 0)
    assert (await client.get("/customers/c-9/entries", headers=OPS)).json() == {"items": [], "next": None}
    assert len((await client.get("/customers/c-9/benefits", headers=OPS)).json()["items"]) == 4


async def test_a_till_holds_and_captures(rich: Kept, client: httpx.AsyncClient):
    held = await client.post(f"{PATH}/redemptions", json={"points": 60, "store_id": "s-1"}, headers=POS)
    assert held.status_code == 201
    body = held.json()
    assert (body["points"], body["available"], body["expires_at"]) == (60, 40, "2010-03-20T12:15:00Z")
    captured = await client.post(f"/redemptions/{body['redemption_id']}/capture", json={"points": 50}, headers=POS)
    assert captured.json() == {"redemption_id": body["redemption_id"], "points": 50, "available": 50}
    again = await client.post(f"/redemptions/{body['redemption_id']}/capture", headers=POS)
    problem(again, 409, "already-captured")
    rich.given.balance(available=50)


async def test_a_till_lets_go(rich: Kept, client: httpx.AsyncClient):
    held = (await client.post(f"{PATH}/redemptions", json={"points": 60}, headers=POS)).json()
    assert (await client.delete(f"/redemptions/{held['redemption_id']}", headers=POS)).status_code == 204
    rich.given.balance(available=100)
    problem(await client.post(f"/redemptions/{held['redemption_id']}/capture", headers=POS), 409, "hold-lapsed")


async def test_a_hold_that_ran_out_cannot_be_captured(rich: Kept, client: httpx.AsyncClient):
    held = (await client.post(f"{PATH}/redemptions", json={"points": 60}, headers=POS)).json()
    rich.given(tick("2010-03-21"))
    problem(await client.post(f"/redemptions/{held['redemption_id']}/capture", headers=POS), 409, "hold-lapsed")


async def test_more_than_there_is_is_refused_with_what_there_is(rich: Kept, client: httpx.AsyncClient):
    answer = await client.post(f"{PATH}/redemptions", json={"points": 101}, headers=POS)
    assert problem(answer, 409, "insufficient-points")["available"] == 100
    rich.given.balance(available=100)


async def test_the_same_key_gets_the_same_answer_and_holds_once(rich: Kept, client: httpx.AsyncClient):
    key = {**POS, "Idempotency-Key": "k-1"}
    one = await client.post(f"{PATH}/redemptions", json={"points": 60}, headers=key)
    two = await client.post(f"{PATH}/redemptions", json={"points": 60}, headers=key)
    assert (one.status_code, one.json()) == (two.status_code, two.json())
    rich.given.balance(available=40, held=60)
    problem(await client.post(f"{PATH}/redemptions", json={"points": 61}, headers=key), 409, "conflict")


async def test_a_redemption_nobody_made_is_not_found(rich: Kept, client: httpx.AsyncClient):
    name = f"03-{'0' * 32}"
    problem(await client.post(f"/redemptions/{name}/capture", headers=POS), 404, "not-found")
    problem(await client.delete(f"/redemptions/{name}", headers=POS), 404, "not-found")


async def test_a_till_uses_a_perk(rich: Kept, client: httpx.AsyncClient):
    rich.given(filled("address", when="2010-03-20"))
    answer = await client.post(f"{PATH}/benefits/catalogue/use", json={"store_id": "s-1"}, headers=POS)
    assert answer.json() == {
        "benefit": "catalogue",
        "kind": "perk",
        "status": "available",
        "period": None,
        "value_minor": None,
        "valid_until": None,
    }
    locked = problem(await client.post(f"{PATH}/benefits/delivery/use", headers=POS), 409, "conflict")
    assert locked["reason"] == "locked"
    problem(await client.post(f"{PATH}/benefits/nothing/use", headers=POS), 404, "not-found")


async def test_a_coupon_shows_a_code_that_the_till_reads(rich: Kept, client: httpx.AsyncClient):
    rich.given(filled("phone", when="2010-03-20"))
    listed = (await client.get(f"{PATH}/benefits", headers=MINE)).json()["items"]
    (code,) = [one["code"] for one in listed if one["benefit"] == "voucher"]
    assert len(code) == 19
    typed = code.replace("-", " ").lower()
    answer = await client.post(f"{PATH}/benefits/voucher/use", json={"code": typed}, headers=POS)
    assert (answer.status_code, answer.json()["status"], answer.json()["value_minor"]) == (200, "used", 500)
    again = await client.post(f"{PATH}/benefits/voucher/use", json={"code": code}, headers=POS)
    assert problem(again, 409, "conflict")["reason"] == "used"
    listed = (await client.get(f"{PATH}/benefits", headers=MINE)).json()["items"]
    assert [(one["status"], one["code"]) for one in listed if one["benefit"] == "voucher"] == [("used", None)]


async def test_a_code_opens_the_coupon_of_its_customer_alone(rich: Kept, client: httpx.AsyncClient):
    rich.given(filled("phone", when="2010-03-20"))
    others = COUPONS.code("c-2", "voucher", None)
    forged = Coupons("another secret of thirty-two chars").code(CUSTOMER, "voucher", None)
    for code in (others, forged, "", "ÄÖ", "A" * 64):
        answer = await client.post(f"{PATH}/benefits/voucher/use", json={"code": code}, headers=POS)
        assert problem(answer, 422, "validation")["errors"][0]["field"] == "code"


async def test_a_quote_is_kept_and_writes_nothing(rich: Kept, client: httpx.AsyncClient):
    sale = purchase("p2", 49_95, "2010-03-21")
    before = len(rich.customer.log)
    bare = {name: value for name, value in sale.items() if name not in {"type", "customer_id"}}
    for body in (sale, bare):
        quoted = (await client.post(f"{PATH}/quotes", json=body, headers=POS)).json()
        assert (quoted["points"], quoted["why"]["tier"]) == (49, "bronze")
    assert len(rich.customer.log) == before
    earned = rich.given.when(sale).only("PointsEarned").events[0]
    assert (quoted["points"], quoted["why"]) == (earned["points"], earned["why"])


async def test_a_quote_of_a_bad_purchase_names_its_fields(rich: Kept, client: httpx.AsyncClient):
    for change, field in (
        ({"total_minor": -1}, "total_minor"),
        ({"occurred_at": "yesterday"}, "occurred_at"),
        ({"occurred_at": "1990-01-01T00:00:00Z"}, "occurred_at"),
        ({"currency": "USD"}, "fx_rate"),
        ({"customer_id": "c-2"}, "customer_id"),
        ({"type": "PurchaseReturned.v1"}, "type"),
        ({"lines": [{"sku": "a", "quantity": 1, "amount_minor": 1}]}, "lines"),
    ):
        answer = await client.post(f"{PATH}/quotes", json=purchase("p2", 10_00) | change, headers=POS)
        assert problem(answer, 422, "validation")["errors"][0]["field"] == field


async def test_staff_adjust_with_a_reason_and_their_name(rich: Kept, client: httpx.AsyncClient):
    answer = await client.post(f"{PATH}/adjustments", json={"points": -30, "reason": "mistake"}, headers=STAFF)
    assert (answer.status_code, answer.json()["available"]) == (200, 70)
    newest = (await client.get(f"{PATH}/entries?limit=1", headers=STAFF)).json()["items"][0]
    assert (newest["reason"], newest["by"], newest["points"]) == ("mistake", "staff-7", -30)
    more = await client.post(f"{PATH}/adjustments", json={"points": -71, "reason": "mistake"}, headers=STAFF)
    assert problem(more, 409, "insufficient-points")["available"] == 70
    for body in ({"points": 0, "reason": "x"}, {"points": 1}, {"points": 1, "reason": "two words"}):
        problem(await client.post(f"{PATH}/adjustments", json=body, headers=STAFF), 422, "validation")


async def test_the_trial_balance_is_zero(rich: Kept, client: httpx.AsyncClient):
    rich.given(returned("r1", 30_00, of="p1", when="2010-03-21"))
    shown = (await client.get("/trial-balance", headers=OPS)).json()
    assert (shown["sum"], shown["customers"], shown["accounts"]["available"]) == (0, 1, 70)
    assert shown["liability"] == [{"month": "2011-03", "points": 70, "value_minor": 70}]


async def test_an_erased_customer_is_gone_for_tills(rich: Kept, client: httpx.AsyncClient):
    rich.given(accepted("2010-03-21"))
    problem(await client.post(f"{PATH}/redemptions", json={"points": 1}, headers=POS), 410, "erased")
    problem(await client.post(f"{PATH}/benefits/catalogue/use", headers=POS), 410, "erased")
    problem(await client.post(f"{PATH}/quotes", json=purchase("p2", 10_00), headers=POS), 410, "erased")
    problem(await client.post(f"{PATH}/adjustments", json={"points": 1, "reason": "x"}, headers=STAFF), 410, "erased")


CALLS = [
    ("GET", f"{PATH}/balance", {"customer", "staff", "ops"}),
    ("GET", f"{PATH}/entries", {"customer", "staff", "ops"}),
    ("GET", f"{PATH}/benefits", {"customer", "staff", "ops"}),
    ("POST", f"{PATH}/quotes", {"pos", "staff"}),
    ("POST", f"{PATH}/redemptions", {"pos"}),
    ("POST", f"/redemptions/03-{'0' * 32}/capture", {"pos"}),
    ("DELETE", f"/redemptions/03-{'0' * 32}", {"pos"}),
    ("POST", f"{PATH}/benefits/catalogue/use", {"pos"}),
    ("POST", f"{PATH}/adjustments", {"staff"}),
    ("GET", "/trial-balance", {"ops"}),
]


@pytest.mark.parametrize(("method", "path", "scopes"), CALLS, ids=lambda one: one if isinstance(one, str) else "")
async def test_each_call_is_open_to_its_scopes_alone(
    client: httpx.AsyncClient, method: str, path: str, scopes: set[str]
):
    problem(await client.request(method, path), 401, "unauthenticated")
    for scope in ("customer", "pos", "staff", "programme", "ops", "contacts"):
        who = bearer(scope, sub=CUSTOMER if scope == "customer" else "somebody")
        answer = await client.request(method, path, headers=who, json={} if method == "POST" else None)
        assert (answer.status_code != 403) == (scope in scopes), (scope, answer.text)
    if "customer" in scopes:
        problem(await client.request(method, path, headers=bearer("customer", sub="c-2")), 403, "forbidden")


SHOWN = Kept()
SHOWN.given(enrolled(), filled("phone"), purchase("p1", 480_00), tick("2010-04-01"), returned("r1", 1_00, of="p1"))
schema = schemathesis.openapi.from_asgi("/openapi.json", app(SHOWN)).include(
    path_regex="^/customers|^/redemptions|^/trial-balance"
)
ALL = bearer("ops pos staff")


@schema.parametrize()
@settings(max_examples=15, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow])
def test_the_ledger_keeps_to_its_description(case: Case):
    # What no description can say: which cursors and codes were given out, that lines sum to their purchase's total, and
    # that 5.0, which is an integer to JSON Schema, is none to whoever counts points.
    unsayable = case.method != "GET" or case.operation.path.endswith("/entries")
    case.call_and_validate(headers=ALL, excluded_checks=[positive_data_acceptance] if unsayable else [])


async def test_what_is_shown_of_a_customer_is_as_described():
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app(SHOWN)), base_url="http://ledger") as client:
        for path, model in (
            (f"{PATH}/balance", shapes.Balance),
            (f"{PATH}/entries", shapes.Entries),
            (f"{PATH}/benefits", shapes.Benefits),
            ("/trial-balance", shapes.TrialBalance),
        ):
            shown = (await client.get(path, headers=OPS)).json()
            assert model.model_validate_json(json_bytes(shown)).model_dump(mode="json") == shown
