"""Tiers: what is reached, what is held, until when, and how far it is to the next."""

from collections.abc import Callable

from tests.turnover.world import Given, moved, purchase, recorded, returned, terms, tick, turned

Under = Callable[..., Given]


def test_a_tier_is_reached_at_its_threshold_to_the_minor_unit(given: Given) -> None:
    given(purchase("p1", 499_99)).shows(tier="bronze", next_tier="silver", to_next_minor=1, to_keep_minor=0)
    given.when(purchase("p2", 1)).shows(tier="silver", next_tier="gold", to_next_minor=1500_00, to_keep_minor=0)


def test_a_purchase_may_lift_over_a_tier(given: Given) -> None:
    given.when(purchase("p1", 2000_00)).then(recorded(2000_00, tier="bronze"), moved("bronze", "gold", "turnover"))


def test_there_is_nothing_above_the_top(given: Given) -> None:
    given(purchase("p1", 3000_00)).shows(tier="gold", next_tier=None, to_next_minor=None, to_keep_minor=0)


def test_a_status_lasts_to_the_end_of_the_next_year(given: Given) -> None:
    given(purchase("p1", 600_00, "2010-03-01")).shows(valid_until="2011-12-31T23:00:00Z")
    given.when(tick("2011-12-31T22:59:59Z")).then(
        turned((2010, 600_00), year=2011, turnover_minor=0, tier="silver", valid_until="2011-12-31T23:00:00Z")
    )
    given.shows(year=2011, tier="silver", turnover_minor=0, next_tier="gold", to_next_minor=2000_00)
    given.shows(to_keep_minor=500_00, valid_until="2011-12-31T23:00:00Z")
    given.when(tick("2011-12-31T23:00:00Z")).then(
        turned((2011, 0), year=2012, tier="bronze", valid_until=None),
        moved("silver", "bronze", "year_end", direction="down"),
    )


def test_the_next_tier_is_the_one_above_the_tier_held(given: Given) -> None:
    given(purchase("p1", 600_00, "2010-03-01"), purchase("p2", 100_00, "2011-02-01"))
    given.shows(year=2011, tier="silver", next_tier="gold", to_next_minor=1900_00, to_keep_minor=400_00)


def test_keeping_a_tier_costs_nothing_once_the_year_reaches_it(given: Given) -> None:
    given(purchase("p1", 600_00, "2010-03-01"), purchase("p2", 900_00, "2011-02-01"))
    given.shows(tier="silver", to_keep_minor=0, valid_until="2012-12-31T23:00:00Z")


def test_a_higher_tier_of_last_year_is_held_until_that_year_no_longer_counts(given: Given) -> None:
    given(purchase("p1", 2000_00, "2010-03-01"), purchase("p2", 600_00, "2011-03-01"))
    given.shows(tier="gold", valid_until="2011-12-31T23:00:00Z")
    given.when(tick("2012-01-01")).then(
        turned((2011, 600_00), tier="silver", valid_until="2012-12-31T23:00:00Z"), moved("gold", "silver", "year_end")
    )


def test_a_late_purchase_of_last_year_lifts_now(given: Given) -> None:
    given(purchase("p1", 450_00, "2010-12-01"), purchase("p2", 10_00, "2011-01-05"))
    given.when(purchase("p3", 50_00, "2010-12-20")).then(
        recorded(50_00, year=2010, late=True, tier="bronze", standing={"year": 2011, "turnover_minor": 10_00}),
        moved("bronze", "silver", "turnover", standing={"valid_until": "2011-12-31T23:00:00Z"}),
    )


def test_a_late_purchase_of_an_older_year_moves_no_tier(given: Given) -> None:
    given(purchase("p1", 1_00, "2012-01-05")).when(purchase("p2", 9999_00, "2010-12-20")).then(
        recorded(9999_00, year=2010, standing={"turnover_minor": 1_00, "tier": "bronze"})
    )
    given.shows(years={"2010": {"tier_reached": "gold"}, "2012": {"tier_reached": "bronze"}})


def test_a_year_below_zero_shows_zero_and_reaches_the_first_tier(given: Given) -> None:
    given(returned("r1", 10_00)).shows(turnover_minor=0, tier="bronze", to_next_minor=500_00)


def test_a_programme_may_have_one_tier(under: Under) -> None:
    given = under(terms(tiers={"member": 0}))
    given(purchase("p1", 600_00)).shows(tier="member", next_tier=None, to_next_minor=None, valid_until=None)
