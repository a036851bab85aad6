"""Versions of the programme: which one decides, and what a new one moves."""

from collections.abc import Callable

from services.turnover import rules
from tests.turnover.world import (
    Given,
    at,
    moved,
    programme_of,
    purchase,
    recorded,
    reduced,
    refused,
    returned,
    terms,
    tick,
    turned,
)

Under = Callable[..., Given]

CHEAPER = terms(2, "2010-06-01", tiers={"bronze": 0, "silver": 300_00, "gold": 1000_00})
DEARER = terms(2, "2010-06-01", tiers={"bronze": 0, "silver": 800_00, "gold": 3000_00})


def test_a_version_moves_the_tier_when_it_comes_into_force(under: Under) -> None:
    given = under(terms(), CHEAPER)
    given(purchase("p1", 400_00, "2010-05-01")).when(tick("2010-05-31T21:59:59Z")).then()
    given.when(tick("2010-05-31T22:00:00Z")).then(
        moved("bronze", "silver", "programme", direction="up", occurred_at=at("2010-05-31T22:00:00Z"), programme=2)
    )
    given.when(tick("2010-07-01")).then()


def test_a_version_is_settled_before_a_record_that_comes_later(under: Under) -> None:
    given = under(terms(), DEARER)
    given(purchase("p1", 600_00, "2010-05-01"))
    given.when(purchase("p2", 300_00, "2010-07-01")).then(
        moved("silver", "bronze", "programme", direction="down", cause="2"),
        recorded(300_00, tier="bronze", programme=2, standing={"tier": "silver", "next_tier": "gold"}),
        moved("bronze", "silver", "turnover"),
    )


def test_thresholds_are_those_in_force_at_now(under: Under) -> None:
    given = under(terms(), CHEAPER)
    given(purchase("p1", 100_00, "2010-05-01")).shows(to_next_minor=400_00)
    given.when(tick("2010-07-01")).then().shows(to_next_minor=200_00)


def test_a_late_purchase_names_the_tier_held_by_the_thresholds_of_its_version(under: Under) -> None:
    given = under(terms(), CHEAPER)
    given(purchase("p1", 400_00, "2010-06-02"))
    given.when(purchase("p2", 1_00, "2010-05-01")).then(
        recorded(1_00, tier="bronze", programme=1, late=True, standing={"tier": "silver", "to_next_minor": 599_00})
    )
    given.when(purchase("p3", 1_00, "2010-06-01")).then(recorded(1_00, tier="silver", programme=2))


def test_the_window_of_a_return_is_that_of_the_purchases_version(under: Under) -> None:
    given = under(terms(returns="P1M"), terms(2, "2010-06-01", returns="P3M"))
    given(purchase("p1", 10_00, "2010-05-20"), purchase("p2", 10_00, "2010-06-01"))
    given.when(returned("r1", 1_00, of="p1", when="2010-07-01")).then(refused("window", 1_00, programme=1))
    given.when(returned("r2", 1_00, of="p2", when="2010-08-01")).then(reduced(1_00, programme=2))


def test_at_a_new_year_with_a_version_the_year_is_the_reason_when_it_alone_moves(under: Under) -> None:
    new = terms(2, "2012-01-01", tiers={"bronze": 0, "silver": 1, "gold": 3000_00})
    given = under(terms(), new)
    given(purchase("p1", 2000_00, "2010-05-01"), purchase("p2", 600_00, "2011-05-01"))
    given.when(tick("2012-01-01")).then(
        turned((2011, 600_00), tier="silver"), moved("gold", "silver", "year_end", programme=2)
    )


def test_at_a_new_year_with_a_version_the_version_is_the_reason_when_the_year_moves_nothing(under: Under) -> None:
    new = terms(2, "2011-01-01", tiers={"bronze": 0, "silver": 800_00, "gold": 3000_00})
    given = under(terms(), new)
    given(purchase("p1", 600_00, "2010-05-01"))
    given.when(tick("2011-02-01")).then(turned((2010, 600_00), tier="bronze"), moved("silver", "bronze", "programme"))


def test_several_versions_and_years_settle_in_the_order_of_time(under: Under) -> None:
    given = under(terms(), DEARER, terms(3, "2011-03-01"))
    given(purchase("p1", 600_00, "2010-05-01")).when(tick("2012-02-01")).then(
        moved("silver", "bronze", "programme"),
        turned((2010, 600_00), year=2011, tier="bronze"),
        moved("bronze", "silver", "programme"),
        turned((2011, 0), year=2012, tier="bronze"),
        moved("silver", "bronze", "year_end"),
    )


def test_a_version_published_after_its_day_moves_the_tier_at_the_next_tick_or_record(under: Under) -> None:
    for raw in (tick("2010-08-01"), purchase("p2", 0, "2010-07-02")):
        given = under(terms())
        given(purchase("p1", 400_00, "2010-07-01"))
        given.customer.programme = programme_of(terms(), CHEAPER)
        given.when(raw)
        assert given.entries[0].fact.model_dump(include={"type", "reason"}) == {
            "type": "TierChanged.v1",
            "reason": "programme",
        }
        assert given.entries[0].occurred_at == at("2010-07-01")
        given.shows(tier="silver")


def test_a_version_that_replaces_another_of_the_same_day_moves_the_tier_at_the_next_tick(under: Under) -> None:
    given = under(terms())
    given(purchase("p1", 400_00, "2010-07-01"))
    given.customer.programme = programme_of(terms(), terms(2, tiers={"bronze": 0, "silver": 300_00}))
    given.when(tick("2010-08-01")).then(moved("bronze", "silver", "programme", programme=2))


def test_a_tier_that_a_version_renames_changes_its_name(under: Under) -> None:
    given = under(terms(), terms(2, "2010-06-01", tiers={"basic": 0, "plus": 500_00, "top": 2000_00}))
    given(purchase("p1", 600_00, "2010-05-01"))
    given.when(tick("2010-06-01")).then(moved("silver", "plus", "programme", direction="up"))


def test_a_tier_that_a_version_drops_is_lost_downwards(under: Under) -> None:
    given = under(terms(), terms(2, "2010-06-01", tiers={"bronze": 0, "gold": 2000_00}))
    given(purchase("p1", 600_00, "2010-05-01"))
    given.when(tick("2010-06-01")).then(moved("silver", "bronze", "programme", direction="down"))


def test_a_version_alone_makes_nobody_due(under: Under) -> None:
    """The runtime settles everyone whom it last settled under an older programme."""
    given = under(terms(), CHEAPER)
    given(purchase("p1", 1_00, "2010-05-01"))
    assert rules.due_at(given.customer.state, given.customer.programme) == at("2010-12-31T23:00:00Z")
