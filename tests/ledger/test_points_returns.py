"""What returns take back, and what they give back."""

from typing import Any

import pytest

from tests.ledger.world import (
    Customer,
    Given,
    adjust,
    capture,
    event,
    hold,
    programme_of,
    purchase,
    release,
    returned,
    terms,
    tick,
)


def test_of_49_95_a_return_of_10_00_leaves_39_95_and_39_points(given: Given):
    given(purchase("p1", 49_95)).when(returned("r1", 10_00, "p1", "2010-03-05")).then(
        event(
            "PointsReversed",
            10,
            why={"return_id": "r1", "purchase_id": "p1", "from": 49, "to": 39, "expired": 0},
            lots=[{"lot_id": "p:s-1/p1", "points": 49, "remaining": 39}],
            programme=1,
        )
    ).balance(pending=39)


def test_returns_one_after_the_other_leave_what_the_rest_is_worth(given: Given):
    given(purchase("p1", 49_95))
    for number, left in enumerate((44, 39, 34, 29), 1):
        given(returned(f"r{number}", 5_00, "p1", f"2010-03-0{number + 1}")).balance(pending=left)
    given(returned("r9", 29_95, "p1", "2010-03-09")).balance()


def test_the_multiplier_is_that_of_the_purchase(given: Given):
    given(purchase("p0", 500_00), purchase("p1", 49_95, "2010-03-02")).balance(pending=562)
    given(returned("r0", 500_00, "p0", "2010-03-03")).balance(pending=62)  # bronze again
    given(returned("r1", 10_00, "p1", "2010-03-04")).balance(pending=49)  # 39.95 x 1.25


def test_the_rules_are_those_of_the_version_of_the_purchase():
    given = Given(Customer(programme_of(terms(), terms(2, "2010-04-01", points={"per_minor": 10}))))
    given(purchase("p1", 49_95)).when(returned("r1", 10_00, "p1")).only("PointsReversed").then(
        event("PointsReversed", 10, programme=1)
    )


def test_a_return_that_waited_for_its_purchase_is_taken_off_at_once(given: Given):
    given(returned("r1", 10_00, "p1", "2010-03-05")).balance()
    given.when(purchase("p1", 49_95)).then(event("PointsEarned", 49), event("PointsReversed", 10)).balance(pending=39)


def test_a_return_in_another_store_finds_its_purchase(given: Given):
    given(purchase("p1", 49_95))
    given(returned("r1", 10_00, "p1", store_id="s-2", purchase_store_id="s-1")).balance(available=39)


def test_first_from_the_own_lot_then_from_the_latest_then_owed(given: Given):
    given(purchase("p1", 30_00, "2010-03-01"), purchase("p2", 10_00, "2010-03-02"), purchase("p3", 5_00, "2010-03-03"))
    given(tick("2010-04-01"), hold("h1", 30), capture("h1")).balance(available=15)  # lot p1 is spent
    given.when(returned("r1", 12_00, "p1")).then(
        event(
            "PointsReversed",
            12,
            lots=[{"lot_id": "p:s-1/p3", "remaining": 0}, {"lot_id": "p:s-1/p2", "remaining": 3}],
        )
    ).balance(available=3)
    given.when(returned("r2", 18_00, "p1")).then(event("PointsReversed", 18)).balance(owed=15)
    assert given.events[0]["postings"] == [
        {"account": "available", "points": -3},
        {"account": "programme", "points": 18},
        {"account": "owed", "points": -15},
    ]


def test_pending_points_of_others_are_taken_too(given: Given):
    given(purchase("p1", 30_00, "2010-03-01"), tick("2010-03-20"), hold("h1", 30), capture("h1"))
    given(purchase("p2", 10_00, "2010-03-21"), returned("r1", 30_00, "p1", "2010-03-22")).balance(owed=20)


def test_held_points_are_not_taken(given: Given):
    given(purchase("p1", 30_00), tick("2010-04-01T12:00:00Z"), hold("h1", 20))
    given(returned("r1", 30_00, "p1", "2010-04-01T12:01:00Z")).balance(held=20, owed=20)
    # What becomes available settles what is owed.
    given.when(release("h1")).then(
        event("HoldReleased", 20, totals={"available": 20, "owed": 20}), event("OwedSettled", 20, reason="settled")
    ).balance()


def test_whatever_becomes_available_settles_what_is_owed_first(given: Given):
    given(purchase("p1", 30_00), tick("2010-04-01"), hold("h1", 30), capture("h1"), returned("r1", 30_00, "p1"))
    given.balance(owed=30)
    given(purchase("p2", 20_00, "2010-05-02")).balance(pending=20, owed=30)
    given.when(tick("2010-06-01")).then(event("PointsActivated", 20), event("OwedSettled", 20)).balance(owed=10)
    given.when(adjust(25)).then(event("PointsAdjusted", 25), event("OwedSettled", 10)).balance(available=15)


def test_what_expired_unspent_counts_as_reversed_already(given: Given):
    given(purchase("p1", 30_00), tick("2010-04-01"), hold("h1", 10), capture("h1"), tick("2011-05-01")).balance()
    given.when(returned("r1", 15_00, "p1", "2011-05-02")).then().balance()
    given.when(returned("r2", 10_00, "p1", "2011-05-03")).then(
        event("PointsReversed", 5, why={"from": 15, "to": 5, "expired": 5})
    ).balance(owed=5)


def test_what_expired_when_its_hold_was_released_expired_unspent_too(given: Given):
    given(purchase("p1", 30_00, "2010-03-01"), tick("2011-03-15T22:50:00Z"), hold("h1", 12), hold("h2", 8))
    given.when(tick("2011-03-15T23:00:00Z")).then(event("PointsExpired", 10)).balance(held=20)
    given.when(release("h1")).then(event("HoldReleased", 12), event("PointsExpired", 12)).balance(held=8)
    given.when(tick("2011-03-15T23:05:00Z")).then(
        event("HoldReleased", 8, reason="lapsed"), event("PointsExpired", 8)
    ).balance()
    given.when(returned("r1", 30_00, "p1", "2011-03-16T12:00:00Z")).then().balance()


def test_a_return_without_a_purchase_reverses_at_the_first_tier(given: Given):
    given(purchase("p0", 500_00), purchase("p1", 40_00, "2010-03-02"), tick("2010-04-01")).balance(available=550)
    given.when(returned("r1", 10_99)).only("PointsReversed").then(
        event("PointsReversed", 10, why={"purchase_id": None, "from": None, "to": None})
    ).balance(available=540)


def test_a_return_of_nothing_worth_moves_nothing(given: Given):
    given(purchase("p1", 49_95)).when(returned("r1", 95, "p1")).only("PointsReversed").then()
    given.balance(available=49)


@pytest.fixture
def paid(given: Given) -> Given:
    """30 points, 10 each of lots p1 to p3, paid for a purchase b of 60.00."""
    sales = [purchase(f"p{day}", 10_00, f"2010-03-0{day}") for day in (1, 2, 3)]
    given(*sales, tick("2010-04-01T12:00:00Z"), hold("h1", 30), purchase("b", 60_00, PAID, redemption_id="h1"))
    return given.balance(pending=60)


PAID = "2010-04-01T12:05:00Z"


def lots(**remaining: int) -> list[dict[str, Any]]:
    return [{"lot_id": f"p:s-1/{name}", "remaining": points} for name, points in remaining.items()]


def test_of_points_that_paid_the_floor_stays_redeemed_and_the_last_taken_go_back_first(paid: Given):
    # 39.99 of 60.00 remain: 19 of 30 points stay.
    paid.when(returned("r1", 20_01, "b", "2010-04-02")).then(
        event("PointsReversed", 21, why={"from": 60, "to": 39}),
        event("PointsRestored", 11, why={"from": 30, "to": 19}, lots=lots(p3=10, p2=1)),
    ).balance(pending=39, available=11)
    paid.when(returned("r2", 39_99, "b", "2010-04-03")).then(
        event("PointsReversed", 39), event("PointsRestored", 19, lots=lots(p2=10, p1=10))
    ).balance(available=30)


def test_points_go_back_to_lots_that_others_have_used_since(paid: Given):
    paid(returned("r1", 30_00, "b", "2010-04-02")).balance(pending=30, available=15)
    paid(hold("h2", 15), capture("h2")).when(returned("r2", 30_00, "b", "2010-04-03")).only("PointsRestored").then(
        event("PointsRestored", 15, lots=lots(p2=5, p1=10))
    )


def test_a_lot_that_has_expired_meanwhile_stays_expired(paid: Given):
    paid(tick("2011-03-16T12:00:00Z"))  # after the end of lot p1, not of the others
    paid.when(returned("r1", 60_00, "b", "2011-03-16T13:00:00Z")).only("PointsRestored", "PointsExpired").then(
        event("PointsRestored", 20, lots=lots(p3=10, p2=10)), event("PointsExpired", 10, lots=lots(p1=0))
    ).balance(available=20)


def test_restored_points_settle_what_is_owed_and_expired_ones_do_not(paid: Given):
    paid(returned("u", 100_00, when="2010-04-02")).balance(owed=40)
    paid(tick("2011-03-16T12:00:00Z"), returned("r1", 30_00, "b", "2011-03-16T13:00:00Z"))
    paid.balance(owed=55)


def test_a_purchase_paid_with_points_earns_on_its_full_price(paid: Given):
    assert paid.customer.state.points.pending[0].points == 60
