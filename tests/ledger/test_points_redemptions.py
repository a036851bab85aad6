"""Redemption at the till: hold, capture, release, lapse; and purchases that name their redemption."""

import pytest

from services.ledger.points import redemptions
from tests.ledger.world import (
    Customer,
    Given,
    adjust,
    at,
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

NOON = "2010-04-01T12:00:00Z"


@pytest.fixture
def rich(given: Given) -> Given:
    """10 points each of two lots; p2 comes first and expires last."""
    return given(purchase("p2", 10_00, "2010-03-02"), purchase("p1", 10_00, "2010-03-01"), tick(NOON))


def test_a_hold_takes_the_lot_that_expires_first(rich: Given):
    rich.when(hold("00-h1", 12, store_id="s-1", purchase_id="b")).then(
        event(
            "PointsHeld",
            12,
            redemption_id="00-h1",
            expires_at="2010-04-01T12:15:00Z",
            lots=[{"lot_id": "p:s-1/p1", "remaining": 0}, {"lot_id": "p:s-1/p2", "remaining": 8}],
            store_id="s-1",
            purchase_id="b",
            programme=1,
        )
    ).balance(available=8, held=12)
    rich.answered(201, redemption_id="00-h1", points=12, expires_at="2010-04-01T12:15:00Z", available=8)
    assert rich.customer.views == {"redemptions/00-h1": {"customer": "c-1"}}


def test_of_lots_that_expire_together_the_oldest_is_taken(given: Given):
    given(purchase("b", 10_00, "2010-03-02T10:00:00Z"), purchase("a", 10_00, "2010-03-02T11:00:00Z"), tick(NOON))
    given.when(hold("h1", 5)).then(event("PointsHeld", 5, lots=[{"lot_id": "p:s-1/b"}]))


def test_a_newer_lot_that_expires_earlier_is_spent_first():
    given = Given(Customer(programme_of(terms(), terms(2, "2010-03-02", points={"expiry": "P1M"}))))
    given(purchase("old", 10_00, "2010-03-01"), purchase("new", 10_00, "2010-03-02"), tick(NOON))
    given.when(hold("h1", 5)).then(event("PointsHeld", 5, lots=[{"lot_id": "p:s-1/new"}]))


def test_a_late_purchase_does_not_set_a_tills_clock_back(rich: Given):
    rich(purchase("p3", 10_00, "2010-04-01T13:00:00Z"), purchase("p4", 10_00, "2010-03-30"))
    rich.when(hold("h1", 5)).then(event("PointsHeld", 5, expires_at="2010-04-01T13:15:00Z"))


def test_a_hold_above_the_balance_is_refused_with_it_and_nothing_is_reserved(rich: Given):
    rich.when(hold("h1", 21)).then(event("RedemptionRefused", 21, reason="insufficient", totals={"available": 20}))
    rich.balance(available=20).answered(409, type="insufficient-points", available=20)
    rich(capture("h1")).answered(404, type="not-found")


def test_points_that_wait_cannot_be_held(given: Given):
    given(purchase("p1", 10_00), hold("h1", 1)).balance(pending=10).answered(409, available=0)


def test_two_tills_never_hold_the_last_points_both(rich: Given):
    for number in range(50):
        rich(hold(f"a{number}", 20)).answered(201)
        rich(hold(f"b{number}", 20)).answered(409, available=0)
        rich(release(f"a{number}")).balance(available=20)


def test_a_customer_nobody_knows_has_nothing_to_hold(given: Given):
    given.when(hold("h1", 1, "2010-01-01")).then(event("RedemptionRefused", 1, occurred_at=at("2010-01-01")))
    given.answered(409, type="insufficient-points", available=0)


def test_a_capture_spends_all_that_is_held(rich: Given):
    rich(hold("h1", 12)).when(capture("h1")).then(event("PointsRedeemed", 12, reason="capture"))
    rich.balance(available=8).answered(200, redemption_id="h1", points=12, available=8)


def test_of_a_part_captured_the_rest_is_released_and_the_first_to_expire_is_spent(rich: Given):
    rich(hold("h1", 12)).when(capture("h1", 5)).then(
        event("HoldReleased", 7, reason="captured_in_part"), event("PointsRedeemed", 5)
    ).balance(available=15)
    rich.answered(200, points=5, available=15)
    assert [(lot.id, lot.remaining) for lot in rich.customer.state.points.lots] == [("p:s-1/p1", 5), ("p:s-1/p2", 10)]


def test_more_than_is_held_cannot_be_captured(rich: Given):
    rich(hold("h1", 12)).when(capture("h1", 13)).then().balance(available=8, held=12)
    rich.answered(422, type="validation", errors=[{"field": "points", "reason": "is more than the 12 that are held"}])


def test_a_release_gives_the_points_back(rich: Given):
    rich(hold("h1", 12)).when(release("h1")).then(event("HoldReleased", 12, reason="released"))
    rich.balance(available=20).answered(204)
    rich.when(release("h1")).then().answered(204)
    rich.when(capture("h1")).then().answered(409, type="hold-lapsed")


def test_a_hold_that_runs_out_lapses(rich: Given):
    rich(hold("h1", 12)).when(tick("2010-04-01T12:14:59Z")).then().balance(available=8, held=12)
    rich.when(tick("2010-04-01T12:15:00Z")).then(event("HoldReleased", 12, reason="lapsed")).balance(available=20)
    rich.when(capture("h1")).then().answered(409, type="hold-lapsed")
    rich.when(release("h1")).then().answered(204)


def test_what_is_captured_is_captured_once_and_cannot_be_released(rich: Given):
    rich(hold("h1", 12), capture("h1"))
    rich.when(capture("h1")).then().answered(409, type="already-captured")
    rich.when(release("h1")).then().answered(409, type="already-captured")
    rich.when(hold("h1", 12)).then().answered(409, type="already-captured")


def test_an_unknown_redemption_is_not_found(rich: Given):
    rich.when(capture("h9")).then().answered(404, type="not-found")
    rich.when(release("h9")).then().answered(404, type="not-found")


def test_held_points_do_not_expire_and_on_release_expire_at_once(given: Given):
    given(purchase("p1", 10_00, "2010-03-01"), tick("2011-03-15T22:50:00Z"), hold("h1", 10))
    given.when(tick("2011-03-15T23:00:00Z")).then().balance(held=10)
    given.when(release("h1")).then(
        event("HoldReleased", 10), event("PointsExpired", 10, occurred_at=at("2011-03-15T23:00:00Z"))
    ).balance()


def test_held_points_that_have_expired_can_still_be_captured(given: Given):
    given(
        purchase("p1", 10_00, "2010-03-01"), tick("2011-03-15T22:50:00Z"), hold("h1", 10), tick("2011-03-15T23:00:00Z")
    )
    given.when(capture("h1", 4)).then(
        event("HoldReleased", 6), event("PointsRedeemed", 4), event("PointsExpired", 6)
    ).balance()


def test_a_hold_lasts_as_long_as_the_version_in_force_says():
    given = Given(Customer(programme_of(terms(), terms(2, "2010-04-01", points={"hold": "PT1H"}))))
    given(purchase("p1", 10_00)).when(tick(NOON), hold("h1", 10)).only("PointsHeld").then(
        event("PointsHeld", expires_at="2010-04-01T13:00:00Z", programme=2)
    )


def test_more_lots_than_a_redemption_may_take_are_refused(rich: Given, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(redemptions, "MOST_LOTS", 1)
    rich.when(hold("h1", 11)).then(event("RedemptionRefused", 11, reason="too_many_lots")).balance(available=20)
    rich.answered(409, type="conflict")


def test_a_purchase_that_names_its_redemption_captures_it(rich: Given):
    rich(hold("h1", 12)).when(purchase("b", 60_00, "2010-04-01T12:01:00Z", redemption_id="h1")).then(
        event("PointsRedeemed", 12, reason="purchase", store_id="s-1", purchase_id="b", redemption_id="h1"),
        event("PointsEarned", 60),
    ).balance(pending=60, available=8)
    rich.when(capture("h1")).then().answered(409, type="already-captured")


def test_even_after_it_lapsed_from_its_lots_then_others_then_owed(rich: Given):
    rich(hold("h1", 15), tick("2010-04-01T13:00:00Z"))  # of p1 10, of p2 5; lapsed
    rich(adjust(4), hold("h2", 12), capture("h2")).balance(available=12)  # p1 is spent, and 2 of p2
    rich.when(purchase("b", 1_00, "2010-04-01T13:30:00Z", redemption_id="h1")).only("PointsRedeemed").then(
        event(
            "PointsRedeemed",
            15,
            lots=[{"lot_id": "p:s-1/p2", "remaining": 0}, {"remaining": 0}],
            postings=[
                {"account": "available", "points": -12},
                {"account": "redeemed", "points": 15},
                {"account": "owed", "points": -3},
            ],
        )
    ).balance(pending=1, owed=3)


def test_its_own_lots_come_before_those_that_expire_earlier(rich: Given):
    rich(hold("h1", 10), hold("h2", 10), release("h1"), release("h2"))  # h2 was of lot p2, which expires last
    rich.when(purchase("b", 1_00, "2010-04-01T13:30:00Z", redemption_id="h2")).only("PointsRedeemed").then(
        event("PointsRedeemed", 10, lots=[{"lot_id": "p:s-1/p2", "remaining": 0}])
    )


def test_what_was_owed_for_a_purchase_comes_back_with_its_return(rich: Given):
    rich(hold("h1", 20), release("h1"), hold("h2", 20), capture("h2"))
    rich(purchase("b", 40_00, "2010-04-01T13:30:00Z", redemption_id="h1")).balance(pending=40, owed=20)
    rich.when(returned("r1", 40_00, "b", "2010-04-02")).then(
        event("PointsReversed", 40), event("PointsRestored", 20), event("OwedSettled", 20)
    ).balance()


def test_a_purchase_that_comes_after_the_tills_capture_spends_nothing_more(rich: Given):
    rich(hold("h1", 12), capture("h1", 10)).when(purchase("b", 20_00, "2010-04-01T12:01:00Z", redemption_id="h1")).then(
        event("PointsEarned", 20)
    ).balance(pending=20, available=10)
    rich.when(returned("r1", 10_00, "b", "2010-04-02")).then(
        event("PointsReversed", 10), event("PointsRestored", 5)
    ).balance(pending=10, available=15)


def test_an_unknown_redemption_is_refused_and_the_purchase_counts(rich: Given):
    rich.when(purchase("b", 20_00, "2010-04-01T12:01:00Z", redemption_id="h9")).then(
        event("RedemptionRefused", None, reason="unknown", redemption_id="h9", purchase_id="b"),
        event("PointsEarned", 20),
    ).balance(pending=20, available=20)


def test_one_redemption_pays_for_one_purchase(rich: Given):
    rich(hold("h1", 12), purchase("b", 20_00, "2010-04-01T12:01:00Z", redemption_id="h1"))
    rich.when(purchase("c", 20_00, "2010-04-01T12:02:00Z", redemption_id="h1")).then(
        event("RedemptionRefused", 12, reason="already_captured"), event("PointsEarned", 20)
    ).balance(pending=40, available=8)


def test_old_redemptions_and_purchases_are_found_in_the_archive(rich: Given):
    rich(hold("h1", 12), purchase("b", 20_00, "2010-04-01T12:01:00Z", redemption_id="h1"))
    for number in range(80):
        rich(purchase(f"n{number}", 50, "2010-04-02"))
    assert rich.customer.archive
    assert not rich.customer.state.memory.holds("p:s-1/b")
    rich.when(capture("h1")).answered(409, type="already-captured")
    rich.when(returned("r1", 20_00, "b", "2010-04-03")).then(
        event("PointsReversed", 20), event("PointsRestored", 12)
    ).balance(available=20)
