"""Simulated traffic: repeatable, within the contract, with the shares that were asked for."""

import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise
from typing import Any

import pytest

from deploy.cli.traffic import LATEST, Sent, Shares, traffic
from services.profile.values import BadValueError, checked
from shared.contracts.crm import CRM, CustomerUpserted
from shared.contracts.pos import POS, PurchaseCompleted, PurchaseReturned
from shared.contracts.records import UnreadableError, read
from shared.contracts.topics import CUSTOMERS, PURCHASES

START = datetime(2026, 1, 1, tzinfo=UTC)
EVERY = timedelta(minutes=10)
COUNT = 2000
KINDS = {"email": "email", "phone": "phone", "birthday": "date", "address": "text"}


def some(seed: int = 1, **shares: float) -> list[Sent]:
    return list(traffic(seed, start=START, every=EVERY, customers=100, shares=Shares(**shares), count=COUNT))


def parsed(records: list[Sent]) -> list[PurchaseCompleted | PurchaseReturned]:
    return [read(POS, record.value) for record in records]


def purchases(records: list[Sent]) -> list[dict[str, Any]]:
    return [one for record in records if (one := json.loads(record.value))["type"] == "PurchaseCompleted.v1"]


def test_the_same_seed_gives_the_same_traffic_and_another_seed_another() -> None:
    shares = {"late": 0.1, "duplicates": 0.1, "out_of_order": 0.1, "returns": 0.1}

    assert some(7, **shares) == some(7, **shares)
    assert not set(some(7, **shares)) & set(some(8, **shares))


def test_plain_traffic_is_one_purchase_after_the_other() -> None:
    records = parsed(some())

    assert len(records) == COUNT
    assert all(isinstance(record, PurchaseCompleted) for record in records)
    times = [record.occurred_at for record in records]
    assert times == sorted(times)
    assert START <= times[0] < times[-1] < START + COUNT * EVERY


def test_every_record_is_keyed_by_its_customer() -> None:
    for record in some(returns=0.2, duplicates=0.1):
        assert record.topic == "pos.purchases"
        assert record.key == json.loads(record.value)["customer_id"]


def test_a_duplicate_is_the_same_record_again() -> None:
    repeated = Counter(some(duplicates=0.1))

    assert sum(count - 1 for count in repeated.values()) == pytest.approx(COUNT * 0.1, rel=0.3)
    assert max(repeated.values()) == 2


def test_a_late_purchase_was_made_up_to_a_month_before_its_neighbours() -> None:
    found = purchases(some(late=0.1))

    behind = [START + EVERY * n - datetime.fromisoformat(one["occurred_at"]) for n, one in enumerate(found)]
    late = [each for each in behind if each > timedelta(hours=1)]

    assert len(late) == pytest.approx(COUNT * 0.1, rel=0.3)
    assert max(late) <= LATEST


def test_what_is_out_of_order_is_overtaken_by_later_purchases() -> None:
    times = [one["occurred_at"] for one in purchases(some(out_of_order=0.1))]

    overtaken = sum(later < earlier for earlier, later in pairwise(times))

    assert len(times) == COUNT
    assert overtaken > COUNT * 0.05


def test_returns_are_of_every_kind_and_of_purchases_that_were_made() -> None:
    records = parsed(some(returns=0.5))
    bought = {record.purchase_id: record for record in records if isinstance(record, PurchaseCompleted)}
    returned = [record for record in records if isinstance(record, PurchaseReturned)]
    seen: set[str] = set()
    kinds: Counter[str] = Counter()
    for record in records:
        if isinstance(record, PurchaseCompleted):
            seen.add(record.purchase_id)
        elif record.purchase_id is None:
            kinds["unnamed"] += 1
        else:
            of = bought[record.purchase_id]
            assert record.customer_id == of.customer_id
            assert record.occurred_at >= of.occurred_at
            kinds["whole" if record.amount_minor == of.total_minor else "part"] += 1
            kinds["before its purchase"] += record.purchase_id not in seen
    beyond = Counter[str]()
    for record in returned:
        if record.purchase_id is not None:
            beyond[record.purchase_id] += record.amount_minor
    kinds["beyond"] = sum(total > bought[name].total_minor for name, total in beyond.items())

    assert len(returned) == pytest.approx(COUNT * 0.5, rel=0.3)
    assert {name for name, count in kinds.items() if count} == {
        "unnamed",
        "whole",
        "part",
        "before its purchase",
        "beyond",
    }


def test_nothing_lies_after_the_end_of_a_bounded_simulation() -> None:
    records = parsed(some(returns=0.5, late=0.2, out_of_order=0.2))

    assert max(record.occurred_at for record in records) <= START + COUNT * EVERY


def test_garbage_breaks_the_contract_and_nothing_else_does() -> None:
    assert len(parsed(some(returns=0.1, late=0.1))) > COUNT

    bad = 0
    for record in some(garbage=0.1):
        assert b"\n" not in record.value  # or a file of lines could not hold it
        try:
            read(POS, record.value)
        except UnreadableError:
            bad += 1
    assert bad == pytest.approx(COUNT * 0.1, rel=0.3)


def told(records: list[Sent]) -> list[dict[str, Any]]:
    return [json.loads(record.value) for record in records if record.topic == CUSTOMERS]


def test_whom_the_crm_knows_it_names_before_they_first_buy() -> None:
    named, buyers = set[str](), set[str]()
    for record in some(known=0.8):
        assert record.key == json.loads(record.value)["customer_id"]
        if record.topic == CUSTOMERS:
            assert record.key in named or record.key not in buyers
            named.add(record.key)
        else:
            buyers.add(record.key)

    assert named < buyers
    assert len(named) == pytest.approx(len(buyers) * 0.8, rel=0.2)


def test_purchases_are_the_same_whatever_the_crm_says() -> None:
    with_crm = [record for record in some(known=0.9, returns=0.1) if record.topic == PURCHASES]

    assert with_crm == some(returns=0.1)


def test_what_the_crm_says_is_good_but_for_its_share_of_bad_fields() -> None:
    def bad(records: list[Sent]) -> int:
        count = 0
        for one in told(records):
            record = read(CRM, json.dumps(one).encode())
            assert isinstance(record, CustomerUpserted)
            assert isinstance(record.fields, dict)
            for name, value in record.fields.items():
                try:
                    assert value is None or checked(KINDS[name], str(value), START.date())
                except BadValueError:
                    count += 1
        return count

    good, mixed = some(known=0.9), some(known=0.9, garbage=0.3)
    assert len(told(good)) > 100
    assert bad(good) == 0
    assert bad(mixed) == pytest.approx(len(told(mixed)) * 0.3, rel=0.3)


def test_later_records_change_or_clear_one_field() -> None:
    changes = [one["fields"] for one in told(some(known=0.9)) if "name" not in one]

    assert {len(fields) for fields in changes} == {1}
    assert any(None in fields.values() for fields in changes)
    assert {name for fields in changes for name in fields} == set(KINDS)


def test_two_runs_never_speak_of_the_same_purchase() -> None:
    later = traffic(1, start=START + timedelta(seconds=1), every=EVERY, customers=100, shares=Shares(), count=COUNT)

    names = {one["purchase_id"] for one in purchases(some())}

    assert not names & {one["purchase_id"] for one in purchases(list(later))}


def test_traffic_without_a_count_never_ends() -> None:
    endless = traffic(1, start=START, every=EVERY, customers=10, shares=Shares(returns=0.1))

    assert len(list(islice(endless, 3 * COUNT))) == 3 * COUNT
