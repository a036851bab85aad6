"""The window of the last twelve months."""

from collections.abc import Callable

import pytest

from services.turnover import rules
from tests.turnover.world import Given, at, moved, purchase, recorded, reduced, returned, terms, tick, turned

ROLLING = terms(window="rolling_12_months", returns="P3Y")


@pytest.fixture
def rolling(under: Callable[..., Given]) -> Given:
    return under(ROLLING)


def test_the_sum_is_that_of_the_days_since_twelve_months_ago(rolling: Given) -> None:
    rolling(purchase("p1", 300_00, "2010-03-01"), purchase("p2", 250_00, "2011-02-28"))
    rolling.shows(year=2011, turnover_minor=550_00, tier="silver", valid_until=None, to_keep_minor=0)
    rolling.shows(years={"2010": {"turnover_minor": 300_00}, "2011": {"turnover_minor": 250_00}})


def test_the_clock_moves_the_sum_at_local_midnight(rolling: Given) -> None:
    rolling(purchase("p1", 300_00, "2010-03-01"), purchase("p2", 250_00, "2010-09-01"))
    rolling.when(tick("2011-02-28T22:59:59Z")).then(turned((2010, 550_00), turnover_minor=550_00, tier="silver"))
    assert rules.due_at(rolling.customer.state, rolling.customer.programme) == at("2011-02-28T23:00:00Z")
    rolling.when(tick("2011-02-28T23:00:00Z")).then(
        turned(None, year=2011, turnover_minor=250_00, tier="bronze"),
        moved("silver", "bronze", "year_end", direction="down", occurred_at=at("2011-02-28T23:00:00Z")),
    )
    rolling.shows(turnover_minor=250_00, tier="bronze", to_next_minor=250_00)


def test_the_years_turn_as_well_and_close_with_their_own_turnover(rolling: Given) -> None:
    rolling(purchase("p1", 300_00, "2010-03-01")).when(tick("2012-01-01")).then(
        turned((2010, 300_00), year=2011, turnover_minor=300_00),
        turned(None, year=2011, turnover_minor=0),
        turned((2011, 0), year=2012, turnover_minor=0),
    )


def test_a_day_may_leave_with_the_year(rolling: Given) -> None:
    rolling(purchase("p1", 300_00, "2010-01-01")).when(tick("2011-01-01")).then(
        turned((2010, 300_00), year=2011, turnover_minor=0)
    )


def test_a_leap_day_leaves_with_the_first_of_march(rolling: Given) -> None:
    rolling(purchase("p1", 1_00, "2012-02-29"), purchase("p2", 2_00, "2012-03-01"), tick("2013-02-28"))
    rolling.shows(turnover_minor=3_00).when(tick("2013-03-01")).then(turned(None, turnover_minor=0))


def test_the_28th_of_february_leaves_on_the_28th_before_a_leap_day(rolling: Given) -> None:
    rolling(purchase("p1", 1_00, "2011-02-28"), purchase("p2", 2_00, "2011-03-01"), tick("2012-02-27"))
    rolling.shows(turnover_minor=3_00).when(tick("2012-02-29")).then(turned(None, turnover_minor=2_00))


def test_a_named_return_counts_on_the_day_of_its_purchase(rolling: Given) -> None:
    rolling(purchase("p1", 300_00, "2010-03-01"), purchase("p2", 50_00, "2011-02-20"))
    rolling.when(returned("r1", 100_00, of="p1", when="2011-02-25")).then(
        reduced(100_00, year=2010, standing={"turnover_minor": 250_00})
    )
    rolling.when(tick("2011-03-01")).then(turned(None, turnover_minor=50_00))


def test_a_return_of_what_has_left_the_window_changes_the_year_alone(rolling: Given) -> None:
    rolling(purchase("p1", 300_00, "2010-03-01"), purchase("p2", 50_00, "2011-03-20"))
    rolling.when(returned("r1", 100_00, of="p1", when="2011-03-25")).then(
        reduced(100_00, year=2010, standing={"turnover_minor": 50_00})
    )
    rolling.shows(years={"2010": {"returns_minor": 100_00}})


def test_an_unnamed_return_counts_on_its_own_day(rolling: Given) -> None:
    rolling(purchase("p1", 300_00, "2010-03-01"), returned("r1", 100_00, when="2010-09-01"))
    rolling.shows(turnover_minor=200_00).when(tick("2011-03-01")).then(
        turned((2010, 200_00), turnover_minor=200_00), turned(None, turnover_minor=0)
    )
    rolling.when(tick("2011-09-01")).then(turned(None, turnover_minor=0))


def test_a_late_purchase_that_has_left_already_counts_in_its_year_alone(rolling: Given) -> None:
    rolling(purchase("p1", 1_00, "2012-03-01")).when(purchase("p2", 600_00, "2010-03-01")).then(
        recorded(600_00, year=2010, late=True, standing={"turnover_minor": 1_00, "tier": "bronze"})
    )


def test_a_day_on_which_everything_went_back_moves_nothing_when_it_leaves(rolling: Given) -> None:
    rolling(purchase("p1", 1_00, "2010-03-01"), returned("r1", 1_00, of="p1", when="2010-03-02"), tick("2011-01-01"))
    rolling.when(tick("2011-06-01")).then()


def test_a_rolling_sum_settled_late_ends_as_if_settled_in_time(under: Callable[..., Given]) -> None:
    early, late = under(ROLLING), under(ROLLING)
    for one in (early, late):
        one(purchase("p1", 300_00, "2010-03-01"), purchase("p2", 300_00, "2010-05-01"))
    early(*[tick(f"2011-{month:02}-15") for month in range(1, 13)])
    late(tick("2011-12-15"))
    assert early.customer.log == late.customer.log
