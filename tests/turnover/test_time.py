"""Time: a customer's now, and what falls due before a record takes effect."""

from collections.abc import Callable

import pytest

from services.turnover import rules
from tests.turnover.world import (
    Given,
    at,
    message_of,
    moved,
    purchase,
    recorded,
    reduced,
    refused,
    returned,
    tick,
    turned,
)

Under = Callable[..., Given]


def test_before_anything_now_is_the_time_of_the_record(given: Given) -> None:
    state = rules.initial("c-1")
    assert rules.now(state, message_of(purchase("p1", 1)), None) == at("2010-03-01")
    assert rules.now(state, message_of(tick("2010-03-02")), None) == at("2010-03-02")


def test_now_is_the_later_of_the_last_tick_and_the_newest_record_and_never_goes_back(given: Given) -> None:
    state = given(purchase("p1", 1, "2010-03-05T01:02:03.000004Z")).customer.state
    late, newest = message_of(purchase("p2", 1, "2010-03-01")), at("2010-03-05T01:02:03.000004Z")
    assert rules.now(state, late, None) == newest
    assert rules.now(state, late, at("2010-03-04")) == newest
    assert rules.now(state, late, at("2010-03-06")) == at("2010-03-06")
    assert rules.now(state, message_of(purchase("p2", 1, "2010-03-07")), at("2010-03-06")) == at("2010-03-07")
    assert rules.now(state, message_of(tick("2010-03-01")), None) == newest


@pytest.mark.parametrize(
    "raw", [returned("r1", 1, of="p9", when="2011-02-01"), returned("r1", 99, of="p1", when="2011-02-01")]
)
def test_a_return_that_waits_or_is_refused_moves_now_too(given: Given, raw: dict[str, object]) -> None:
    given(purchase("p1", 1, "2010-12-01"), raw)
    given.when(purchase("p2", 1, "2011-01-20")).then(recorded(1, late=True))


def test_the_year_turns_before_the_first_record_of_the_new_year(given: Given) -> None:
    given(purchase("p1", 600_00, "2010-03-01"))
    given.when(purchase("p2", 5_00, "2012-05-01")).then(
        turned((2010, 600_00), year=2011, tier="silver", turnover_minor=0),
        turned((2011, 0), year=2012, tier="bronze", turnover_minor=0),
        moved("silver", "bronze", "year_end", occurred_at=at("2011-12-31T23:00:00Z")),
        recorded(5_00, tier="bronze", standing={"year": 2012, "turnover_minor": 5_00}),
    )


def test_the_year_turns_at_local_midnight_and_names_the_clock(given: Given) -> None:
    given(purchase("p1", 1_00, "2010-03-01")).when(tick("2010-12-31T22:59:59Z")).then()
    given.when(tick("2010-12-31T23:00:00Z")).then(
        turned((2010, 1_00), year=2011)
        | {"occurred_at": at("2010-12-31T23:00:00Z"), "cause": "2010-12-31T23:00:00Z", "programme": 1}
    )


def test_a_return_first_settles_the_year_that_turned(given: Given) -> None:
    given(purchase("p1", 600_00, "2010-03-01"))
    given.when(returned("r1", 200_00, of="p1", when="2011-03-01")).then(
        turned((2010, 600_00), tier="silver"), reduced(200_00, tier="silver"), moved("silver", "bronze", "return")
    )
    given.when(returned("r2", 900_00, of="p1", when="2012-03-01")).then(
        turned((2011, 0)), reduced(400_00, standing={"year": 2012}), refused("exceeds", 500_00)
    )


def test_ticks_settle_late_twice_or_years_at_once(given: Given, under: Under) -> None:
    year_by_year, at_once = given, under()
    for one in (year_by_year, at_once):
        one(purchase("p1", 600_00, "2010-03-01"))
    year_by_year(tick("2011-01-01"), tick("2011-01-01"), tick("2012-01-01"), tick("2011-06-01"), tick("2013-01-01"))
    at_once(tick("2013-01-01"))
    assert year_by_year.customer.log == at_once.customer.log
    assert year_by_year.customer.state == at_once.customer.state
    at_once.when(tick("2013-01-01"), tick("2012-01-01")).then()


def test_a_tick_finds_nothing_to_do_for_a_customer_nobody_knows(given: Given) -> None:
    given.when(tick("2011-01-01")).then()
    assert rules.due_at(given.customer.state, given.customer.programme) is None


def test_a_customer_first_seen_after_a_tick_had_no_years_before(given: Given) -> None:
    given(tick("2012-06-01")).when(purchase("p1", 600_00, "2010-03-01")).then(
        recorded(600_00, year=2010, late=True, tier="bronze", standing={"year": 2012, "tier": "bronze"})
    )
    given.when(purchase("p2", 600_00, "2011-03-01")).then(
        recorded(600_00, standing={"year": 2012}), moved("bronze", "silver", "turnover")
    )


def test_a_customer_who_only_has_a_waiting_return_is_known(given: Given) -> None:
    given(returned("r1", 1_00, of="p1", when="2010-03-01")).when(tick("2011-02-01")).then(turned((2010, 0)))


def test_the_clock_is_due_at_the_next_local_new_year(given: Given) -> None:
    given(purchase("p1", 1_00, "2010-03-01"))
    for year in (2010, 2011):
        due = rules.due_at(given.customer.state, given.customer.programme)
        assert due == at(f"{year}-12-31T23:00:00Z")
        given.when(tick(f"{year}-12-31T23:00:00Z"))
        assert given.entries


def test_loading_history_before_the_first_tick_behaves_as_it_did_then(given: Given) -> None:
    given(purchase("p1", 600_00, "2010-03-01"), purchase("p2", 1_00, "2011-03-01"))
    given.shows(year=2011, tier="silver")
    given.when(tick("2026-01-01")).shows(year=2026, tier="bronze", turnover_minor=0)
