"""Returns of every kind: named, unnamed, before their purchase, beyond it, too late, with tax."""

from collections.abc import Callable

import pytest

from services.turnover import rules
from shared.rulebook.refused import Refused
from tests.turnover.world import Given, at, moved, purchase, recorded, reduced, refused, returned, tick

Under = Callable[..., Given]


def test_a_return_counts_in_the_year_of_the_purchase_that_it_names(given: Given) -> None:
    given(purchase("p1", 100_00, "2010-12-01"), purchase("p2", 5_00, "2011-01-10"))
    given.when(returned("r1", 30_00, of="p1", when="2011-01-15")).then(
        reduced(
            30_00,
            return_id="r1",
            store_id="s-1",
            purchase_id="p1",
            purchase_store_id=None,
            purchase_remaining_minor=70_00,
            year=2010,
            tier="bronze",
            cause="s-1/r1",
            programme=1,
            standing={"year": 2011, "turnover_minor": 5_00, "to_next_minor": 495_00},
        )
    )
    given.shows(years={"2010": {"purchases_minor": 100_00, "returns_minor": 30_00, "turnover_minor": 70_00}})


def test_a_return_may_name_a_purchase_of_another_store(given: Given) -> None:
    given(purchase("p1", 100_00), purchase("p1", 50_00, store_id="s-2"))
    given.when(returned("r1", 10_00, of="p1", purchase_store_id="s-2")).then(
        reduced(10_00, store_id="s-1", purchase_store_id="s-2", purchase_remaining_minor=40_00)
    )


def test_a_return_without_a_purchase_counts_in_its_own_year_and_knows_no_limit(given: Given) -> None:
    given(purchase("p1", 10_00, "2010-12-31T22:00:00Z")).when(returned("r1", 30_00, when="2010-12-31T22:30:00Z")).then(
        reduced(30_00, purchase_remaining_minor=None, year=2010, standing={"turnover_minor": 0})
    )
    given.shows(years={"2010": {"turnover_minor": 0, "returns_minor": 30_00}}, to_next_minor=500_00)
    given.when(purchase("p2", 25_00, "2010-12-31T22:45:00Z")).then(recorded(25_00, standing={"turnover_minor": 5_00}))


def test_a_return_before_its_purchase_waits_without_an_event(given: Given) -> None:
    given.when(returned("r1", 10_00, of="p1", when="2010-03-05")).then()
    given.shows(version=0, years={}, tier="bronze", year=2010)


def test_what_waited_takes_effect_with_the_purchase_in_the_order_in_which_it_came(given: Given) -> None:
    given(
        returned("r2", 60_00, of="p1", when="2010-03-09"),
        returned("r1", 30_00, of="p1", when="2010-03-05"),
        returned("r3", 30_00, of="p1", when="2010-03-07"),
    )
    given.when(purchase("p1", 100_00, "2010-03-01")).then(
        recorded(100_00, late=True, standing={"turnover_minor": 100_00}),
        reduced(60_00, return_id="r2", cause="s-1/r2", occurred_at=at("2010-03-09"), purchase_remaining_minor=40_00),
        reduced(30_00, return_id="r1", occurred_at=at("2010-03-05"), standing={"turnover_minor": 10_00}),
        reduced(10_00, return_id="r3", purchase_remaining_minor=0),
        refused("exceeds", 20_00, return_id="r3", amount_minor=30_00, cause="s-1/r3", occurred_at=at("2010-03-07")),
    )


def test_the_tier_is_set_once_after_all_that_the_record_brings(given: Given) -> None:
    given(returned("r1", 200_00, of="p1", when="2010-03-05"))
    given.when(purchase("p1", 600_00, "2010-03-01")).then(
        recorded(600_00, tier="bronze", standing={"turnover_minor": 600_00, "tier": "bronze", "to_next_minor": 0}),
        reduced(200_00, tier="bronze", standing={"turnover_minor": 400_00, "tier": "bronze", "to_next_minor": 100_00}),
    )


def test_a_purchase_with_its_return_may_still_lift(given: Given) -> None:
    given(returned("r1", 50_00, of="p1", when="2010-03-05"))
    given.when(purchase("p1", 600_00, "2010-03-01")).then(
        recorded(600_00, tier="bronze", standing={"tier": "silver"}),
        reduced(50_00, tier="bronze", standing={"tier": "silver", "turnover_minor": 550_00}),
        moved("bronze", "silver", "turnover", occurred_at=at("2010-03-01"), standing={"turnover_minor": 550_00}),
    )


def test_what_waits_for_one_purchase_is_bounded(given: Given) -> None:
    given(*[returned(f"r{number}", 1, of="p1") for number in range(rules.MOST_WAITING)])
    with pytest.raises(Refused, match=r"^purchase_id: "):
        given.when(returned("r-more", 1, of="p1"))
    given(purchase("p1", 100_00)).when(returned("r-more", 1, of="p1")).then(
        reduced(1, purchase_remaining_minor=100_00 - rules.MOST_WAITING - 1)
    )


def test_a_return_that_waited_is_not_waited_for_twice(given: Given) -> None:
    given(returned("r1", 10_00, of="p1"), purchase("p1", 100_00), returned("r2", 20_00, of="p1"))
    given.shows(years={"2010": {"purchases_minor": 100_00, "returns_minor": 30_00}})


def test_more_than_is_left_of_a_purchase_is_refused_and_the_rest_counted(given: Given) -> None:
    given(purchase("p1", 100_00), purchase("p2", 80_00), returned("r1", 70_00, of="p1"))
    given.when(returned("r2", 50_00, of="p1")).then(
        reduced(30_00, purchase_remaining_minor=0, standing={"turnover_minor": 80_00}),
        refused("exceeds", 20_00, amount_minor=50_00, purchase_id="p1", return_id="r2"),
    )


def test_when_nothing_is_left_a_return_is_refused_alone(given: Given) -> None:
    given(purchase("p1", 100_00), returned("r1", 100_00, of="p1"))
    given.when(returned("r2", 1, of="p1")).then(refused("exceeds", 1, amount_minor=1))
    given.when(returned("r3", 2, of="p1")).then(refused("exceeds", 2))


def test_a_return_of_exactly_what_is_left_is_counted_whole(given: Given) -> None:
    given(purchase("p1", 100_00), returned("r1", 60_00, of="p1"))
    given.when(returned("r2", 40_00, of="p1")).then(reduced(40_00, purchase_remaining_minor=0))


def test_a_return_is_refused_after_the_window_and_counted_on_its_last_instant(given: Given) -> None:
    given(purchase("p1", 100_00, "2010-06-15T10:00:00Z"), tick("2012-06-15T10:00:00Z"))
    given.when(returned("r1", 10_00, of="p1", when="2012-06-15T10:00:00.000001Z")).then(
        refused("window", 10_00, amount_minor=10_00)
    )
    given.when(returned("r2", 10_00, of="p1", when="2012-06-15T10:00:00Z")).then(reduced(10_00, year=2010))


def test_the_window_is_added_to_local_wall_time(under: Under) -> None:
    given = under(returns="P1M")
    given(purchase("p1", 100_00, "2010-03-01T12:00:00+01:00"))  # clocks go forward on 28 March
    given.when(returned("r1", 1_00, of="p1", when="2010-04-01T12:00:00.000001+02:00")).then(refused("window", 1_00))
    given.when(returned("r2", 1_00, of="p1", when="2010-04-01T12:00:00+02:00")).then(reduced(1_00))


def test_a_window_that_ends_in_a_short_month_ends_with_its_last_day(under: Under) -> None:
    given = under(returns="P1M")
    given(purchase("p1", 100_00, "2010-01-31T12:00:00+01:00"))
    given.when(returned("r1", 1_00, of="p1", when="2010-02-28T12:00:01+01:00")).then(refused("window", 1_00))
    given.when(returned("r2", 1_00, of="p1", when="2010-02-28T12:00:00+01:00")).then(reduced(1_00))


def test_a_return_that_waited_is_judged_by_the_window_too(given: Given) -> None:
    given(returned("r1", 10_00, of="p1", when="2013-01-01"))
    given.when(purchase("p1", 100_00, "2010-03-01")).then(
        recorded(100_00, year=2010, standing={"year": 2013}), refused("window", 10_00)
    )


def test_a_return_may_carry_a_time_before_its_purchase(given: Given) -> None:
    given(purchase("p1", 100_00, "2010-03-02")).when(returned("r1", 10_00, of="p1", when="2010-03-01")).then(
        reduced(10_00)
    )


def test_a_return_takes_a_tier_back_at_once(given: Given) -> None:
    """The example of the domain rules."""
    given(purchase("p1", 480_00, "2010-03-01"), purchase("p2", 30_00, "2010-04-01"))
    given.shows(turnover_minor=510_00, tier="silver", valid_until="2011-12-31T23:00:00Z", to_next_minor=1490_00)
    given.when(returned("r1", 480_00, of="p1", when="2010-05-01")).then(
        reduced(480_00, tier="silver", standing={"turnover_minor": 30_00, "tier": "bronze", "to_next_minor": 470_00}),
        moved("silver", "bronze", "return", direction="down", cause="s-1/r1", standing={"valid_until": None}),
    )
    given.shows(turnover_minor=30_00, tier="bronze", next_tier="silver", to_next_minor=470_00, valid_until=None)


def test_a_return_leaves_the_tier_that_the_other_year_holds(given: Given) -> None:
    given(purchase("p1", 600_00, "2010-03-01"), purchase("p2", 700_00, "2011-03-01"))
    given.shows(tier="silver", valid_until="2012-12-31T23:00:00Z", to_keep_minor=0)
    given.when(returned("r2", 300_00, of="p2", when="2011-04-01")).then(reduced(300_00, standing={"tier": "silver"}))
    given.shows(tier="silver", valid_until="2011-12-31T23:00:00Z", to_keep_minor=100_00)


def test_a_return_of_last_years_purchase_takes_the_tier_that_last_year_held(given: Given) -> None:
    given(purchase("p1", 600_00, "2010-12-01"), purchase("p2", 10_00, "2011-01-05"))
    given.when(returned("r1", 150_00, of="p1", when="2011-01-10")).then(
        reduced(150_00, year=2010, standing={"year": 2011, "turnover_minor": 10_00}),
        moved("silver", "bronze", "return"),
    )


@pytest.mark.parametrize(
    ("before", "back", "events"),
    [
        ([purchase("p1", 10_00)], returned("r1", 5_00, of="p1"), 1),
        ([purchase("p1", 10_00)], returned("r1", 50_00, of="p1"), 2),
        ([purchase("p1", 10_00)], returned("r1", 5_00, of="p1", when="2013-01-01"), 1),
        ([], returned("r1", 5_00), 1),
        ([], returned("r1", 5_00, of="p1"), 0),
    ],
    ids=["counted", "in part", "refused", "unnamed", "waiting"],
)
def test_a_return_delivered_twice_brings_nothing(given: Given, before: list, back: dict, events: int) -> None:
    given(*before, tick("2013-02-01")).when(back)
    assert sum(entry.public for entry in given.entries) == events
    given.when(back).then()
    assert given.entries == []
    with pytest.raises(Refused, match=r"^conflict: return_id r1 of store_id s-1 "):
        given.when(back | {"terminal_id": "t-1", "tax_minor": 1})


def test_a_return_that_waited_and_took_effect_brings_nothing_when_it_comes_again(given: Given) -> None:
    back = returned("r1", 5_00, of="p1")
    given(back, purchase("p1", 10_00)).when(back, purchase("p1", 10_00)).then()


def test_under_net_a_return_subtracts_its_own_tax(under: Under) -> None:
    given = under(basis="net")
    given(purchase("p1", 119_00, tax_minor=19_00))
    given.when(returned("r1", 11_90, of="p1", tax_minor=1_90)).then(reduced(10_00, purchase_remaining_minor=90_00))
    given.when(returned("r2", 11_90, tax_minor=1_90)).then(reduced(10_00, purchase_remaining_minor=None))


def test_under_net_what_exceeds_is_judged_with_the_tax(under: Under) -> None:
    given = under(basis="net")
    given(purchase("p1", 119_00, tax_minor=19_00))
    given.when(returned("r1", 105_00, of="p1", tax_minor=5_00)).then(reduced(100_00, purchase_remaining_minor=0))
    given.when(returned("r2", 20_00, of="p1")).then(reduced(0), refused("exceeds", 6_00, amount_minor=20_00))


def test_under_net_a_purchase_that_went_back_whole_counts_nothing(under: Under) -> None:
    given = under(basis="net")
    given(purchase("p1", 119_00, tax_minor=19_00))
    given.when(returned("r1", 119_00, of="p1", tax_minor=30_00)).then(reduced(100_00, purchase_remaining_minor=0))
