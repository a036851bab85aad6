"""Notices before points expire, adjustments by staff, erasure, and the sums over all customers."""

import pytest

from services.ledger import rules
from services.ledger.points import earning, journal
from services.ledger.totals import totals
from shared.contracts.profile import CompletionChanged, CustomerEnrolled, CustomerErased, ErasureAccepted
from tests.ledger.world import (
    STAFF,
    Customer,
    Given,
    adjust,
    at,
    capture,
    event,
    hold,
    profile,
    programme_of,
    purchase,
    returned,
    terms,
    tick,
)

EXPIRING = "PointsExpiring"


def test_the_customer_is_told_30_and_7_days_before_points_expire(given: Given):
    given(purchase("p1", 10_00, "2010-03-01"), purchase("p2", 5_00, "2010-03-01T13:00:00Z"), tick("2010-04-01"))
    given.when(tick("2011-02-13T22:59:59Z")).only(EXPIRING).then()
    given.when(tick("2011-02-13T23:00:00Z")).only(EXPIRING).then(
        event(EXPIRING, 15, days=30, last_day="2011-03-15", expires_at="2011-03-15T23:00:00Z")
    )
    given.when(tick("2011-03-01")).only(EXPIRING).then()
    given.when(hold("h1", 12), capture("h1"), tick("2011-03-08T23:00:00Z")).only(EXPIRING).then(
        event(EXPIRING, 3, days=7, last_day="2011-03-15")
    )
    given.when(tick("2011-03-14")).only(EXPIRING).then()


def test_a_notice_that_was_missed_is_sent_once(given: Given):
    given(purchase("p1", 10_00, "2010-03-01"))
    given.when(tick("2011-03-10")).only(EXPIRING).then(event(EXPIRING, 10, days=7, occurred_at=at("2011-03-10")))
    given.when(tick("2011-03-11")).only(EXPIRING).then()


def test_nothing_is_told_of_points_that_have_expired(given: Given):
    given(purchase("p1", 10_00, "2010-03-01")).when(tick("2012-01-01")).only(EXPIRING).then()


def test_staff_give_points_with_a_reason_and_their_name(given: Given):
    given(tick("2010-04-01")).when(adjust(25, "late_parcel")).then(
        event("PointsAdjusted", 25, reason="late_parcel", by=STAFF, lots=[{"points": 25, "last_day": "2011-04-01"}])
    ).balance(available=25)
    given.answered(200, points=25, available=25)


def test_staff_take_available_points_and_no_more(given: Given):
    given(purchase("p1", 10_00), tick("2010-04-01"))
    given.when(adjust(-4, "mistake")).then(event("PointsAdjusted", -4, lots=[{"remaining": 6}])).balance(available=6)
    given.when(adjust(-7, "mistake")).then().answered(409, type="insufficient-points", available=6)


def test_points_of_more_lots_than_one_may_have_are_not_given(given: Given, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(earning, "MOST_LIVE", 1)
    given(purchase("p1", 10_00), tick("2010-04-01"))
    given.when(adjust(25)).then().answered(409, type="conflict")


def test_many_lots_are_told_in_events_of_some_each(given: Given, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(journal, "MOST_LOTS", 2)
    given(*[purchase(f"p{n}", 10_00, "2010-03-01") for n in range(5)])
    given.when(tick("2010-04-01")).then(*[event("PointsActivated", points) for points in (20, 20, 10)])
    given.when(adjust(-35)).then(*[event("PointsAdjusted", points) for points in (-20, -15)]).answered(200, points=-35)
    given.when(returned("r", 40_00, when="2010-04-02")).then(event("PointsReversed", 40)).balance(owed=25)
    given(*[purchase(f"q{n}", 10_00, "2010-04-03") for n in range(5)])
    given.when(tick("2010-05-01")).only("OwedSettled").then(event("OwedSettled", 20), event("OwedSettled", 5))
    given(hold("h", 20), capture("h")).when(returned("s", 30_00, when="2010-05-02")).then(
        event("PointsReversed", 30, postings=[{"account": "available", "points": -5}, {"points": 30}, {"points": -25}])
    )


def test_a_customer_without_a_now_is_adjusted_when_it_is_asked_for(given: Given):
    given.when(adjust(5, when="2010-02-01")).then(event("PointsAdjusted", 5, occurred_at=at("2010-02-01")))


def test_erasure_releases_holds_expires_lots_and_writes_off_what_is_owed(given: Given):
    given(purchase("p1", 30_00), tick("2010-04-01T12:00:00Z"), hold("h1", 20))
    given(returned("r1", 30_00, "p1", "2010-04-01T12:01:00Z"), purchase("p2", 5_00, "2010-04-01T12:02:00Z"))
    given.balance(pending=5, held=20, owed=20)
    given.when(profile(ErasureAccepted(receipt_id="e1"), "2010-04-01T12:03:00Z")).only(
        "HoldReleased", "PointsExpired", "OwedSettled"
    ).then(
        event("HoldReleased", 20, reason="erasure"),
        event("PointsExpired", 25, reason="erasure"),
        event("OwedSettled", 20, reason="written_off"),
    ).balance()


def test_nothing_counts_after_erasure(given: Given):
    given(purchase("p1", 30_00), profile(ErasureAccepted(receipt_id="e1"), "2010-03-02"))
    given.when(purchase("p2", 5_00), tick("2012-01-01"), profile(CustomerErased(receipt_id="e1"))).then().balance()
    given.when(hold("h1", 1)).then().answered(410, type="erased")
    given.when(adjust(1)).then().answered(410, type="erased")
    assert rules.due_at(given.customer.state, given.customer.programme) is None


def test_a_customer_of_whom_nothing_is_known_can_be_erased(given: Given):
    given.when(profile(ErasureAccepted(receipt_id="e1"))).then()
    given.when(purchase("p1", 5_00)).then().balance()


def test_points_outstanding_are_summed_by_the_month_of_their_last_day(given: Given):
    given(purchase("p1", 10_00, "2010-03-17T12:00:00Z"), tick("2010-04-01"), hold("h1", 4))
    given(purchase("p2", 7_00, "2010-04-01T12:01:00Z"))
    assert given.customer.totals == {
        "accounts/programme": -17,
        "accounts/pending": 7,
        "accounts/available": 6,
        "accounts/held": 4,
        "liability/2011-03": 10,  # until the end of 31 March, which in UTC ends in March too
        "liability/2011-04": 7,
        "customers": 1,
    }
    assert totals(rules.initial("c-1"), rules.initial("c-1")) == {}


def test_a_benefit_that_begins_and_ends_within_a_late_tick_is_over():
    voucher = {
        "id": "voucher",
        "kind": "coupon",
        "value_minor": 500,
        "valid": "P30D",
        "every": "year",
        "requires": {"fields": ["phone"]},
    }
    given = Given(Customer(programme_of(terms(benefits=[voucher]))))
    filled = CompletionChanged(percent=100, complete=True, filled=("phone",), missing=())
    given(profile(CustomerEnrolled(via="crm"), "2010-05-01"), profile(filled, "2010-05-02"))
    given.when(tick("2012-06-01")).only("BenefitUnlocked", "BenefitRevoked").then(
        event("BenefitRevoked", period="2010"),
        event("BenefitUnlocked", period="2011"),
        event("BenefitRevoked", period="2011"),
        event("BenefitUnlocked", period="2012"),
        event("BenefitRevoked", period="2012"),
    )
