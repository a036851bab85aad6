"""The history in words."""

import pytest

from services.portal import model
from tests.portal import samples
from tests.portal.samples import lot, totals
from tests.portal.world import Customer


def item(customer: Customer, kind: str, tag: str = "en") -> model.Item:
    """The newest item of that kind."""
    return next(one for one in customer.shows(tag).history.items if one.kind == kind)


def test_a_purchase_and_its_points_are_one_item_with_the_explanation_of_each_point() -> None:
    bought = item(samples.busy(), "purchase")
    assert (bought.title, bought.store_id, bought.reference) == ("Purchase", "s-01", "536999")
    assert (bought.amount_minor, bought.points) == (9_99, 12)
    assert bought.explanations == ["12 points: 1 per €1 on €9.99, × 1.25 as Silver"]


@pytest.mark.parametrize(
    ("tag", "said"),
    [
        ("de", "12 Punkte: 1 je 1 € auf 9,99 €, × 1,25 als Silber"),
        ("ru", "12 баллов: по 1 за каждые 1 € с 9,99 €, × 1,25 за статус «Серебро»"),
    ],
)
def test_the_explanation_speaks_the_readers_language(tag: str, said: str) -> None:
    assert [text.replace("\xa0", " ") for text in item(samples.busy(), "purchase", tag).explanations] == [said]


def test_a_return_says_what_is_left_of_its_purchase() -> None:
    back = item(samples.busy(), "return")
    assert (back.title, back.amount_minor, back.points) == ("Return", -10_00, -10)
    assert back.explanations == ["10 points taken back: what is left of the purchase earns 39 instead of 49"]


def test_points_of_a_benefit_are_one_item_with_it() -> None:
    welcome = [one for one in samples.fresh().shows().history.items if one.kind == "benefit"]
    assert [(one.title, one.points) for one in welcome] == [("Unlocked: Welcome points", 100)]
    assert welcome[0].explanations == ["100 points: Welcome points"]


def test_points_that_paid_are_taken_off() -> None:
    paid = item(samples.busy(), "redemption")
    assert (paid.title, paid.points, paid.store_id, paid.reference) == ("Paid with points", -300, "s-02", "537001")


def test_newest_comes_first() -> None:
    times = [one.at for one in samples.complete().shows().history.items]
    assert times == sorted(times, reverse=True)


def test_a_status_says_what_brought_it() -> None:
    assert item(samples.busy(), "tier").title == "Your status is now Silver"
    assert item(samples.busy(), "tier").explanations == ["Through your purchases"]


def test_every_movement_of_points_has_its_line() -> None:
    customer = Customer()
    this = [lot("a", 10, 0, "2026-03-01", "2027-03-01")]
    same = {"entry_id": "1", "points": 7, "totals": totals(), "postings": [], "lots": this}
    back = {"return_id": "r-1", "store_id": "s-1", "purchase_id": None, "purchase_store_id": None}
    why = back | {"from": None, "to": None, "expired": 0}
    customer.hears("ledger", "PointsExpired.v1", "2026-03-01", **same, reason="expiry")
    customer.hears("ledger", "PointsAdjusted.v1", "2026-03-02", **same | {"points": -7}, reason="goodwill", by="s-1")
    customer.hears("ledger", "OwedSettled.v1", "2026-03-03", **same, reason="settled")
    customer.hears("ledger", "PointsRestored.v1", "2026-03-04", **same, why=why)
    customer.hears("ledger", "PointsReversed.v1", "2026-03-05", **same, why=why)
    lines = [(one.kind, one.points, one.explanations) for one in customer.shows().history.items]
    assert lines == [
        ("return", -7, ["7 points taken back: as much as this amount earns without a receipt"]),
        ("return", 7, ["7 points given back: they had paid for what was returned"]),
        ("settlement", -7, ["Points that you owed for a return were settled from what became available."]),
        ("adjustment", -7, ["Reason: goodwill"]),
        ("expiry", -7, []),
    ]


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        ("exceeds", "More than was left of the purchase: €5.00 does not count"),
        ("window", "Too late after the purchase: €5.00 does not count"),
        ("fx_rate", "The return came in another currency, without an exchange rate"),
    ],
)
def test_a_return_that_does_not_count_says_why(reason: str, said: str) -> None:
    fields = {"return_id": "r-1", "store_id": "s-1", "purchase_id": None, "amount_minor": 500, "excess_minor": 500}
    customer = Customer().hears("turnover", "ReturnRefused.v1", **fields, reason=reason)
    shown = item(customer, "return")
    assert (shown.title, shown.explanations) == ("Return not counted", [said])


def test_what_moves_no_points_of_the_customers_has_no_line() -> None:
    customer = Customer()
    customer.hears(
        "ledger", "PointsExpiring.v1", points=5, expires_at="2026-04-01T00:00:00Z", last_day="2026-03-31", days=7
    )
    customer.hears("profile", "BirthdayCame.v1", year=2026)
    assert customer.shows().history.items == []
