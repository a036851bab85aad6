"""The ledger in a running system, seen from outside: a purchase at the till to points, redemptions and benefits."""

import asyncio
from collections import Counter
from contextlib import AsyncExitStack
from pathlib import Path

import httpx
import pytest

from deploy.cli.clock import moment
from deploy.local import ports
from deploy.local.service import Service
from deploy.local.system import settings
from tests.system.people import People
from tests.system.tills import Tills, adjustment, sale

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(240)]

FIELDS = {"email": "a@example.org", "phone": "+49301234567", "birthday": "1980-03-19", "address": "Street 1"}
MARCH = "2011-03-01T10:00:00Z"
AFTER_MARCH = "2011-03-16T10:00:00Z"  # when what was bought in MARCH is available


@pytest.fixture
def tills(people: People) -> Tills:
    return Tills(people)


async def test_points_of_a_purchase_are_pending_and_the_clock_makes_them_available(tills: Tills) -> None:
    await tills.buys("a-1", "p-1", MARCH, 49_95)
    await tills.has("a-1", pending=49, available=0)

    await tills.people.tick(moment("2011-03-15T09:59:59Z"))
    assert (await tills.balance("a-1"))["pending"] == 49
    await tills.people.tick(moment("2011-03-15T10:00:00Z"))
    shown = await tills.has("a-1", pending=0, available=49)
    assert shown["expiring"] == [{"points": 49, "expires_at": "2012-03-15T23:00:00Z"}]


async def test_a_return_reverses_what_the_returned_part_had_earned(tills: Tills) -> None:
    await tills.buys("a-2", "p-1", MARCH, 49_95)
    await tills.returns("a-2", "p-1", AFTER_MARCH, 10_00)
    await tills.has("a-2", pending=0, available=39)


async def test_points_are_held_once_for_each_idempotency_key_and_captured(tills: Tills) -> None:
    await tills.gives("b-1", 100)
    first = await tills.holds("b-1", 60, "till-1-receipt-7", store_id="s-1", purchase_id="p-9")
    assert first.status_code == 201
    assert first.json()["available"] == 40
    again = await tills.holds("b-1", 60, "till-1-receipt-7", store_id="s-1", purchase_id="p-9")
    assert (again.status_code, again.json()) == (201, first.json())
    other = await tills.holds("b-1", 61, "till-1-receipt-7", store_id="s-1", purchase_id="p-9")
    assert (other.status_code, problem(other)) == (409, "conflict")
    assert (await tills.balance("b-1"))["held"] == 60

    redemption = first.json()["redemption_id"]
    assert (await tills.captures(redemption, 61)).status_code == 422
    captured = await tills.captures(redemption, 45)
    assert captured.json() == {"redemption_id": redemption, "points": 45, "available": 55}
    twice = await tills.captures(redemption)
    assert (twice.status_code, problem(twice)) == (409, "already-captured")
    released = await tills.releases(redemption)
    assert (released.status_code, problem(released)) == (409, "already-captured")
    await tills.has("b-1", pending=0, available=55, held=0, owed=0)


async def test_a_hold_above_the_balance_is_refused_with_the_balance_and_reserves_nothing(tills: Tills) -> None:
    await tills.gives("b-2", 100)
    await tills.held("b-2", 30)
    refused = await tills.holds("b-2", 71)
    assert (refused.status_code, problem(refused), refused.json()["available"]) == (409, "insufficient-points", 70)
    assert refused.headers["content-type"] == "application/problem+json"
    await tills.has("b-2", available=70, held=30)


async def test_a_hold_that_is_let_go_or_runs_out_gives_its_points_back(tills: Tills) -> None:
    await tills.gives("b-3", 100)
    released, lapsing = await tills.held("b-3", 40), await tills.held("b-3", 50)
    assert (await tills.releases(released)).status_code == 204
    assert (await tills.releases(released)).status_code == 204
    await tills.has("b-3", available=50, held=50)

    await tills.people.tick(moment(AFTER_MARCH))
    await tills.has("b-3", available=100, held=0)
    late = await tills.captures(lapsing)
    assert (late.status_code, problem(late)) == (409, "hold-lapsed")
    assert (await tills.captures(f"00-{'0' * 32}")).status_code == 404


async def test_a_purchase_captures_the_redemption_that_it_names_and_its_return_gives_the_points_back(
    tills: Tills,
) -> None:
    await tills.gives("b-4", 500)
    redemption = await tills.held("b-4", 300)
    await tills.buys("b-4", "p-1", AFTER_MARCH, 30_00, redemption_id=redemption)
    await tills.has("b-4", available=200, held=0, pending=30)
    await tills.returns("b-4", "p-1", AFTER_MARCH, 10_00)
    await tills.has("b-4", available=300, held=0, pending=20)


async def test_a_quote_is_what_the_purchase_earns_when_it_is_then_made_and_writes_nothing(tills: Tills) -> None:
    await tills.buys("c-1", "p-1", AFTER_MARCH, 600_00)
    before = await tills.has("c-1", pending=600)
    later = sale("c-1", "p-2", "2011-03-31T22:30:00Z", 49_99)
    quoted = await tills.call("POST", "/customers/c-1/quotes", later)
    assert quoted.status_code == 200, quoted.text
    quote = quoted.json()
    assert quote["points"] == 62  # silver since the first purchase: floor(49.99 * 1.25)
    assert await tills.balance("c-1") == before

    await tills.buys("c-1", "p-2", later["occurred_at"], 49_99)
    await tills.has("c-1", pending=62, available=600)
    newest = next(each for each in (await tills.entries("c-1"))[0] if each["type"] == "PointsEarned.v1")
    assert {name: newest[name] for name in ("points", "why")} == {name: quote[name] for name in ("points", "why")}
    assert newest["text"] == quote["text"]
    assert all(newest["lot"][name] == quote[name] for name in ("available_at", "expires_at"))


async def test_staff_adjust_points_but_never_below_what_is_available(tills: Tills) -> None:
    path = "/customers/c-2/adjustments"
    given = await tills.call("POST", path, adjustment(100), scope="staff")
    assert (given.status_code, given.json()["available"]) == (200, 100)
    taken = await tills.call("POST", path, adjustment(-40), scope="staff")
    assert (taken.status_code, taken.json()["available"]) == (200, 60)
    refused = await tills.call("POST", path, adjustment(-61), scope="staff")
    assert (refused.status_code, problem(refused), refused.json()["available"]) == (409, "insufficient-points", 60)
    assert (await tills.call("POST", path, adjustment(0), scope="staff")).status_code == 422
    assert [(each["points"], each["reason"]) for each in (await tills.entries("c-2"))[0]] == [
        (-40, "goodwill"),
        (100, "goodwill"),
    ]


@pytest.mark.parametrize("first", ["profile", "tier"])
async def test_benefits_unlock_whichever_of_tier_and_profile_comes_last_and_a_coupon_is_used_once(
    tills: Tills, first: str
) -> None:
    customer = f"d-{first}"
    if first == "profile":
        await tills.people.crm(customer, occurred_at=MARCH, fields=FIELDS)
        await tills.benefit(customer, "welcome_points", "used")
        assert (await tills.benefit(customer, "free_delivery", "locked"))["reasons"] == [
            {"kind": "tier", "id": "silver"}
        ]
        await tills.buys(customer, "p-1", AFTER_MARCH, 600_00)
    else:
        await tills.buys(customer, "p-1", AFTER_MARCH, 600_00)
        await tills.has(customer, pending=600)
        reasons = (await tills.benefit(customer, "free_delivery", "locked"))["reasons"]
        assert [reason["kind"] for reason in reasons] == ["profile"]
        await tills.people.crm(customer, occurred_at=MARCH, fields=FIELDS)
    await tills.benefit(customer, "free_delivery", "available")
    assert [(await tills.uses(customer, "free_delivery")).status_code for _ in range(2)] == [200, 200]
    locked = await tills.uses(customer, "personal_shopper")
    assert (locked.status_code, problem(locked)) == (409, "conflict")

    # The coupon of a year is worth two percent of the one that has closed.
    assert (await tills.uses(customer, "year_coupon")).status_code == 409
    await tills.buys(customer, "p-2", "2012-01-10T10:00:00Z", 1_00)
    coupon = await tills.benefit(customer, "year_coupon", "available", value_minor=12_00)
    wrong = await tills.uses(customer, "year_coupon", code="AAAAAAAA")
    assert (wrong.status_code, problem(wrong)) == (422, "validation")
    uses = await asyncio.gather(*(tills.uses(customer, "year_coupon", code=coupon["code"]) for _ in range(2)))
    assert sorted(each.status_code for each in uses) == [200, 409]
    await tills.benefit(customer, "year_coupon", "used")


async def test_entries_come_newest_first_page_by_page_and_say_why_in_three_languages(tills: Tills) -> None:
    for number in range(1, 8):
        await tills.buys("e-1", f"p-{number}", f"2011-04-0{number}T10:00:00Z", number * 100)
    await tills.has("e-1", pending=28)
    whole = (await tills.entries("e-1"))[0]
    pages = await tills.entries("e-1", limit=3)
    assert [len(page) for page in pages] == [3, 3, 1]
    assert [entry for page in pages for entry in page] == whole
    assert [entry["points"] for entry in whole] == [7, 6, 5, 4, 3, 2, 1]
    assert all(entry["text"].keys() == {"en", "de", "ru"} for entry in whole)
    assert all(sum(posting["points"] for posting in entry["postings"]) == 0 for entry in whole)


async def test_each_token_opens_what_its_scope_says_and_a_customer_is_shown_themselves_alone(tills: Tills) -> None:
    own = {"scope": "customer", "customer": "f-1"}
    assert (await tills.call("GET", "/customers/f-1/balance", **own)).json()["version"] == 0
    for status, method, path, body, who in (
        (403, "GET", "/customers/f-2/balance", None, own),
        (403, "GET", "/customers/f-2/entries", None, own),
        (403, "POST", "/customers/f-1/redemptions", {"points": 1}, own),
        (403, "POST", "/customers/f-1/adjustments", adjustment(1), own),
        (403, "POST", "/customers/f-1/adjustments", adjustment(1), {"scope": "pos"}),
        (403, "POST", "/customers/f-1/redemptions", {"points": 1}, {"scope": "staff"}),
        (403, "GET", "/trial-balance", None, {"scope": "staff"}),
        (401, "GET", "/customers/f-1/balance", None, {"token": ""}),
        (401, "GET", "/customers/f-1/balance", None, {"token": "no.token.atall"}),
    ):
        answer = await tills.call(method, path, body, **who)
        assert (answer.status_code, path) == (status, path)
    assert (await tills.balance("f-1"))["version"] == 0


async def test_two_tills_that_ask_for_the_last_points_at_the_same_moment_never_both_get_them(
    tills: Tills, tmp_path: Path
) -> None:
    """A thousand times, each till at another process of the ledger; one of the two alone writes a customer."""
    stack, first = tills.people.stack, tills.people.system.services["ledger"]
    port = ports.choose(1)[0]
    second = Service("ledger-2", "services.ledger.app", settings(stack, "ledger", {}, 0), port, tmp_path / "log")
    supervisor = asyncio.create_task(second.supervise())
    outcomes: Counter[tuple[int, ...]] = Counter()
    try:
        await second.ready()
        await first.ready()
        rivals = (_rivals(tills, f"g-{number}", 10, (first.url, second.url), outcomes) for number in range(100))
        await asyncio.gather(*rivals)
    finally:
        supervisor.cancel()
        await asyncio.gather(supervisor, return_exceptions=True)
    assert outcomes == {(201, 409): 1000}
    await first.ready()


async def _rivals(
    tills: Tills, customer: str, rounds: int, urls: tuple[str, str], outcomes: Counter[tuple[int, ...]]
) -> None:
    await tills.gives(customer, 70)
    headers = {"Authorization": f"Bearer {tills.people.stack.token('pos')}"}
    async with AsyncExitStack() as opened:
        # Clients of their own: the pool of one takes longer the more requests are under way.
        clients = [httpx.AsyncClient(base_url=url, headers=headers, timeout=20, verify=False) for url in urls]
        at = [await opened.enter_async_context(client) for client in clients]
        for number in range(rounds):
            asked = [each.post(f"/customers/{customer}/redemptions", json={"points": 70}) for each in at]
            sent = await asyncio.gather(*asked)
            answers = [await answered(each, answer) for each, answer in zip(at, sent, strict=True)]
            outcomes[tuple(sorted(answer.status_code for answer in answers))] += 1
            won, lost = sorted(answers, key=lambda answer: answer.status_code)
            assert (won.json()["available"], lost.json()["available"]) == (0, 0)
            till = at[number % 2]
            released = await answered(till, await till.delete(f"/redemptions/{won.json()['redemption_id']}"))
            assert released.status_code == 204, released.text


async def test_the_trial_balance_over_all_customers_is_zero_and_what_they_have_together(tills: Tills) -> None:
    ledger = tills.people.mongo["ledger"]["log"]
    customers = {identity.split("/")[1] for identity in await ledger.distinct("_id")}
    together: Counter[str] = Counter()
    for customer in customers:
        shown = await tills.balance(customer)
        together.update({name: shown[name] for name in ("pending", "available", "held", "owed")})
    found = (await tills.call("GET", "/trial-balance", scope="ops")).json()
    accounts = found["accounts"]
    assert found["sum"] == sum(accounts.values()) == 0
    assert found["customers"] == len(customers)
    assert {name: accounts[name] for name in ("pending", "available", "held")} | {"owed": -accounts["owed"]} == together
    outstanding = together["pending"] + together["available"] + together["held"]
    assert sum(each["points"] for each in found["liability"]) == outstanding
    assert all(each["value_minor"] == each["points"] for each in found["liability"])


async def answered(till: httpx.AsyncClient, answer: httpx.Response) -> httpx.Response:
    """The answer to a request, also where it took the ledger longer than a till is made to wait."""
    while answer.status_code == 202:
        await asyncio.sleep(0.1)
        answer = await till.get(answer.headers.get("Location") or answer.request.url)
    return answer


def problem(answer: httpx.Response) -> str:
    """The kind of problem that an answer tells."""
    return answer.json()["type"].rpartition("/")[2]
