"""What purchases earn, why, when it is available, and until when it is good."""

from datetime import UTC, datetime, timedelta

import hypothesis
import pytest
from hypothesis import strategies as st

from services.ledger.points import earning
from shared.contracts.duration import Duration
from tests.ledger.world import Customer, Given, at, event, programme_of, purchase, returned, terms, tick


def test_a_purchase_of_49_95_at_bronze_earns_49_points_that_wait(given: Given):
    why = {
        "rule": "purchase",
        "per_minor": 100,
        "multiplier": "1",
        "tier": "bronze",
        "amount_minor": 4995,
        "purchase_id": "p1",
        "store_id": "s-1",
        "benefit": None,
    }
    given.when(purchase("p1", 49_95)).then(
        event("PointsEarned", 49, why=why, entry_id="1", cause="turnover/c-1/1", programme=1)
    ).balance(pending=49)


def test_bought_on_20_march_2011_at_23_30_in_berlin_available_on_3_april_at_23_30_expires_with_the_end_of_3_april_2012(
    given: Given,
):
    given.when(purchase("p1", 100_00, "2011-03-20T22:30:00Z"))
    lot = given.events[0]["lot"]
    assert at(lot["available_at"]) == at("2011-04-03T21:30:00Z")  # 23:30 of summer time
    assert at(lot["expires_at"]) == at("2012-04-03T22:00:00Z")
    assert lot["last_day"] == "2012-04-03"

    given.when(tick("2011-04-03T21:29:59Z")).then().balance(pending=100)
    given.when(tick("2011-04-03T21:30:00Z")).then(event("PointsActivated", 100)).balance(available=100)
    given.when(tick("2012-04-03T21:59:59Z")).only("PointsExpired").then().balance(available=100)
    given.when(tick("2012-04-03T22:00:00Z")).only("PointsExpired").then(event("PointsExpired", 100)).balance()


@pytest.mark.parametrize(
    ("bought", "available", "last_day"),
    [
        ("2010-01-17T11:00:00Z", "2010-01-31T11:00:00Z", "2010-02-28"),  # 31 January + 1 month
        ("2012-02-15T11:00:00Z", "2012-02-29T11:00:00Z", "2012-03-29"),  # a leap day
        ("2010-03-14T01:30:00Z", "2010-03-28T01:30:00Z", "2010-04-28"),  # 02:30 does not exist there: 03:30
        ("2010-10-17T00:30:00Z", "2010-10-31T00:30:00Z", "2010-11-30"),  # 02:30 comes twice there: the first
    ],
)
def test_days_and_months_are_added_to_the_local_clock(bought: str, available: str, last_day: str):
    given = Given(Customer(programme_of(terms(points={"expiry": "P1M"}))))
    given.when(purchase("p1", 100_00, bought))
    lot = given.events[0]["lot"]
    assert (at(lot["available_at"]), lot["last_day"]) == (at(available), last_day)


def test_29_february_plus_12_months_is_28_february():
    given = Given(Customer(programme_of(terms(points={"pending": "P0D"}))))
    given.when(purchase("p1", 100_00, "2012-02-29"))
    assert given.events[0]["lot"]["last_day"] == "2013-02-28"


@pytest.mark.parametrize(
    ("minor", "tier", "points"),
    [
        (99, "bronze", 0),
        (100, "bronze", 1),
        (49_95, "silver", 62),
        (79, "silver", 0),
        (80, "silver", 1),
        (1, "gold", 0),
    ],
)
def test_points_are_the_floor_of_amount_by_rate_times_multiplier(minor: int, tier: str, points: int):
    version = programme_of(terms()).versions[0]
    assert earning.earning(minor, tier, version)[0] == points


def test_the_purchase_that_lifts_a_customer_earns_at_the_tier_before_it(given: Given):
    given.when(purchase("p1", 500_00)).only("PointsEarned").then(event("PointsEarned", 500))
    given.when(purchase("p2", 100_00, "2010-03-02")).then(
        event("PointsEarned", 125, why={"tier": "silver", "multiplier": "1.25"})
    )


def test_a_late_purchase_earns_at_the_tier_held_when_it_arrives(given: Given):
    given(purchase("p1", 500_00)).when(purchase("p0", 100_00, "2010-02-01")).then(
        event("PointsEarned", 125), event("PointsActivated", 125)
    )


def test_a_purchase_earns_by_the_version_in_force_when_it_was_made():
    old, new = terms(), terms(2, "2010-07-01", points={"per_minor": 50})
    given = Given(Customer(programme_of(old, new)))
    given.when(purchase("p2", 10_00, "2010-07-02"), purchase("p1", 10_00, "2010-06-30")).only("PointsEarned").then(
        event("PointsEarned", 20, programme=2), event("PointsEarned", 10, programme=1)
    )


def test_zero_points_make_no_lot(given: Given):
    given.when(purchase("p1", 99)).then().balance()
    assert given.customer.state.clock == at("2010-03-01")
    assert given.customer.state.points.pending == []


def test_a_purchase_of_years_ago_brings_points_that_have_expired(given: Given):
    given(tick("2014-01-01")).when(purchase("p1", 100_00)).then(
        event("PointsEarned", 100, occurred_at=at("2010-03-01")),
        event("PointsActivated", 100, occurred_at=at("2014-01-01")),
        event("PointsExpired", 100, occurred_at=at("2014-01-01")),
    ).balance()


def test_points_are_available_one_after_the_other_and_a_late_tick_makes_up_for_all(given: Given):
    sales = [purchase(f"p{day}", 10_00, f"2010-03-{day:02}") for day in (1, 3, 2)]
    given(*sales).when(tick("2010-06-01")).then(
        event("PointsActivated", 10, occurred_at=at("2010-03-15")),
        event("PointsActivated", 10, occurred_at=at("2010-03-16")),
        event("PointsActivated", 10, occurred_at=at("2010-03-17")),
    ).balance(available=30)
    given.when(tick("2010-06-01")).then()


def test_points_that_cannot_be_taken_are_refused_and_the_purchase_is_returned_without_harm(
    given: Given, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(earning, "MOST_LIVE", 2)
    given(purchase("p1", 10_00), purchase("p2", 10_00, "2010-03-02"))
    given.when(purchase("p3", 10_00, "2010-03-03")).then(
        event("AccrualRefused", 10, reason="lots", why={"purchase_id": "p3"})
    ).balance(pending=20)
    given.when(returned("r3", 10_00, "p3")).only("PointsReversed").then()


def test_the_same_event_twice_leads_to_nothing(given: Given):
    customer = given.customer
    heard = customer.through_turnover(purchase("p1", 10_00))
    assert [customer.take_message(one) for one in heard] != [[]]
    assert [customer.take_message(one) for one in heard] == [[]]
    customer.seen.clear()  # even if the runtime had forgotten it
    assert [entry for one in heard for entry in customer.take_message(one) if entry.public] == []


CHANGES = [  # of clocks, one of them a minute past midnight, one of half an hour, one of a whole day
    datetime(2011, month, day, hour, minute, tzinfo=UTC)
    for month, day, hour, minute in [(3, 27, 1, 0), (10, 30, 1, 0), (3, 13, 3, 31), (10, 1, 15, 30), (12, 30, 10, 0)]
]


@hypothesis.given(
    st.sampled_from(["Europe/Berlin", "Australia/Lord_Howe", "Pacific/Apia", "America/St_Johns", "Asia/Kathmandu"]),
    st.builds(
        lambda change, before, minutes: change - before + timedelta(minutes=minutes),
        st.sampled_from(CHANGES),
        st.sampled_from([timedelta(0), timedelta(days=14), timedelta(days=365)]),
        st.floats(-200, 200),
    ),
    st.sampled_from(["P14D", "P1M", "PT90M", "P0D", "P1DT12H"]),
    st.sampled_from(["P12M", "P10D", "P1M", "PT36H"]),
)
def test_what_is_worked_out_for_an_hour_at_a_time_is_what_each_instant_gives(
    zone: str, start: datetime, pending: str, expiry: str
):
    points = {"pending": pending, "expiry": expiry}
    programme = programme_of(terms(1, "2000-01-01", points=points) | {"time_zone": zone})
    calendar, found = programme.calendar, earning.span(start, programme.versions[0], programme.calendar, pending=True)
    assert found.available_at == calendar.add(start, Duration.parse(pending))
    assert found.last_day == calendar.day(calendar.add(found.available_at, Duration.parse(expiry)))
    assert found.expires_at == calendar.start_of_day(found.last_day + timedelta(days=1))
