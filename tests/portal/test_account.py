"""What the portal makes of what the other services say."""

from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from services.portal import rules, views
from services.portal.account import Account
from shared.contracts.clock import Tick
from shared.contracts.records import Cause
from shared.rulebook.entry import Entry
from shared.runtime.log import encode, rfc3339
from tests.portal import samples
from tests.portal.samples import completion, earned, lot, preferences, sale, standing, totals
from tests.portal.world import PROGRAMME, Customer, at


def test_a_customer_of_whom_nothing_was_heard_is_not_known() -> None:
    assert rules.initial("c-1") == Account()


def test_a_purchase_sets_the_standing_and_adds_to_its_month() -> None:
    customer = Customer().hears("turnover", "TurnoverRecorded.v1", "2026-03-10", **sale("1", 480_00, standing(480_00)))
    customer.hears("turnover", "TurnoverRecorded.v1", "2026-03-11", **sale("2", 10_00, standing(490_00)))
    assert customer.state.standing is not None
    assert (customer.state.standing.turnover_minor, customer.state.standing.to_next_minor) == (490_00, 10_00)
    assert customer.state.months["2026-03"].turnover_minor == 490_00


def test_a_month_is_cut_in_the_programmes_zone() -> None:
    late = "2026-03-31T22:30:00Z"  # 1 April in Berlin
    customer = Customer().hears("turnover", "TurnoverRecorded.v1", late, **sale("1", 5_00, standing(5_00)))
    assert list(customer.state.months) == ["2026-04"]


def test_a_return_takes_from_the_month_in_which_it_comes() -> None:
    customer = samples.busy()
    assert customer.state.months["2026-04"].turnover_minor == 49_95 - 10_00
    assert customer.state.months["2026-04"].points == 49 - 10


def test_thirteen_months_are_kept() -> None:
    customer = Customer()
    for number in range(30):
        when = f"{2024 + number // 12}-{number % 12 + 1:02d}-10"
        customer.hears("turnover", "TurnoverRecorded.v1", when, **sale(str(number), 1_00, standing(1_00)))
    assert next(iter(customer.state.months)) == "2025-06"
    assert len(customer.state.months) == 13


def test_points_are_pending_until_they_are_activated() -> None:
    customer = Customer()
    this = lot("p:s-01/1", 49, 49, "2026-03-24", "2027-03-24")
    why = samples.by_purchase("1", 49_95)
    customer.hears("ledger", "PointsEarned.v1", **earned("1", 49, totals(0, 49), this, why))
    assert [(one.remaining, one.pending) for one in customer.state.lots.values()] == [(49, True)]
    customer.hears("ledger", "PointsActivated.v1", entry_id="2", points=49, totals=totals(49), postings=[], lots=[this])
    assert [(one.remaining, one.pending) for one in customer.state.lots.values()] == [(49, False)]
    assert customer.state.totals.available == 49


def test_a_lot_with_nothing_left_is_forgotten() -> None:
    customer = samples.busy()
    assert "b:welcome_points" not in customer.state.lots


def test_a_perk_may_be_used_again_and_what_comes_once_may_not() -> None:
    customer = samples.fresh()
    customer.hears("ledger", "BenefitUsed.v1", benefit="till_reminder", kind="perk")
    customer.hears("ledger", "BenefitUsed.v1", benefit="year_coupon", kind="coupon", period="2026")
    assert customer.state.benefits["till_reminder"].status == "available"
    assert customer.state.benefits["year_coupon"].status == "used"
    assert customer.state.benefits["welcome_points"].status == "used"


def test_a_revoked_card_is_none_any_more() -> None:
    customer = (
        Customer().hears("profile", "CardIssued.v1", card_id="03-a").hears("profile", "CardIssued.v1", card_id="03-b")
    )
    customer.hears("profile", "CardRevoked.v1", card_id="03-a")
    assert customer.state.cards == ("03-b",)


def test_who_asked_to_be_forgotten_is_shown_no_more_whatever_comes() -> None:
    customer = samples.complete().hears("profile", "ErasureAccepted.v1", receipt_id="r-1")
    customer.hears("turnover", "TurnoverRecorded.v1", **sale("9", 1_00, standing(1_00)))
    customer.hears("profile", "CustomerErased.v1", receipt_id="r-1")
    state = customer.state
    assert state.erased
    assert state == Account(version=state.version, seen=state.seen, clock=state.clock, known=True, erased=True)


def test_the_portal_publishes_nothing() -> None:
    assert not any(entry.public for entry in samples.complete().log)


def test_a_tick_changes_nothing() -> None:
    assert rules.decide(samples.busy().state, Tick(now=at("2030-01-01")), PROGRAMME, at("2030-01-01")) == []


def test_the_articles_of_a_purchase_are_not_kept() -> None:
    customer = Customer().hears("turnover", "TurnoverRecorded.v1", **sale("1", 1_00, standing(1_00), skus=["85123A"]))
    assert "85123A" not in stored(customer.log[0]).decode()


def test_the_log_as_stored_folds_to_the_same_account() -> None:
    customer = samples.complete()
    state = rules.initial("c-1")
    for entry in customer.log:
        text = stored(entry)
        note = rules.FACTS.validate_json(text)
        state = rules.evolve(state, Entry(note, entry.occurred_at, entry.cause, entry.programme))
    assert state == customer.state


def test_the_account_in_the_database_is_the_account() -> None:
    customer = samples.complete()
    document = customer.views[views.ACCOUNTS, "c-1"].document
    assert document is not None
    assert views.account_of(dict(document)) == customer.state
    assert document["version"] == customer.state.version == len(customer.log)


def test_a_state_is_read_back_from_the_log() -> None:
    state = samples.complete().state
    bare = msgspec.json.decode(msgspec.json.encode(replace(state)), type=Account)
    assert bare == state


def test_every_note_names_what_it_was_heard_in() -> None:
    entry = samples.fresh().log[0]
    assert entry.cause == Cause(type="CustomerEnrolled.v1", id="profile/c-1/1")


SAID: list[tuple[str, str, str, dict[str, Any]]] = [
    ("profile", "CustomerEnrolled.v1", "2026-01-01", {"via": "crm"}),
    ("profile", "PreferencesChanged.v1", "2026-01-01", preferences("de")),
    ("profile", "CompletionChanged.v1", "2026-01-02", completion("email", "phone")),
    ("profile", "CompletionChanged.v1", "2026-02-02", completion("email")),
    ("turnover", "TurnoverRecorded.v1", "2026-01-05", sale("1", 1_00, standing(1_00))),
    ("turnover", "TurnoverRecorded.v1", "2026-02-05", sale("2", 2_00, standing(3_00))),
    ("turnover", "TurnoverRecorded.v1", "2025-12-05", sale("3", 2_00, standing(3_00), year=2025, late=True)),
    (
        "ledger",
        "PointsEarned.v1",
        "2026-01-05",
        earned("1", 1, totals(0, 1), lot("a", 1, 1, "2026-01-19", "2027-01-19"), samples.by_purchase("1", 1_00)),
    ),
    (
        "ledger",
        "PointsEarned.v1",
        "2026-02-05",
        earned("2", 2, totals(0, 3), lot("b", 2, 2, "2026-02-19", "2027-02-19"), samples.by_purchase("2", 2_00)),
    ),
    (
        "ledger",
        "PointsActivated.v1",
        "2026-02-20",
        {
            "entry_id": "3",
            "points": 1,
            "totals": totals(1, 2),
            "postings": [],
            "lots": [lot("a", 1, 1, "2026-01-19", "2027-01-19")],
        },
    ),
]


@given(order=st.permutations(range(len(SAID))))
def test_however_the_services_overtake_each_other_the_account_ends_the_same(order: list[int]) -> None:
    """Each service's events come in their order; between services there is none."""
    whose = [SAID[place][0] for place in order]
    left = {service: iter([said for said in SAID if said[0] == service]) for service in dict.fromkeys(whose)}
    straight, mixed = Customer(), Customer()
    for service, event, when, fields in SAID:
        straight.hears(service, event, when, **fields)
    for service in whose:
        _, event, when, fields = next(left[service])
        mixed.hears(service, event, when, **fields)
    assert mixed.state == straight.state
    assert mixed.views.keys() == straight.views.keys()


def stored(entry: Entry) -> bytes:
    """An entry as the log keeps it."""
    return encode(entry, "c-1", 0, rfc3339(entry.occurred_at))
