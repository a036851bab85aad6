"""Purchases: where they count, once, and what they bring."""

import pytest

from shared.rulebook.refused import Refused
from tests.turnover.world import Given, at, moved, purchase, recorded, returned, tick


def test_a_purchase_counts_in_the_year_of_its_time(given: Given) -> None:
    given.when(purchase("p1", 49_95, "2010-03-01")).then(
        recorded(
            49_95,
            purchase_id="p1",
            store_id="s-1",
            year=2010,
            late=False,
            tier="bronze",
            cause="s-1/p1",
            programme=1,
            standing={
                "year": 2010,
                "turnover_minor": 49_95,
                "tier": "bronze",
                "valid_until": None,
                "next_tier": "silver",
                "to_next_minor": 450_05,
                "to_keep_minor": 0,
            },
        )
    )


def test_a_year_is_cut_in_the_programmes_zone(given: Given) -> None:
    given(purchase("p1", 1_00, "2010-12-31T22:59:59Z")).when(purchase("p2", 2_00, "2010-12-31T23:00:00Z"))
    given.shows(years={"2010": {"purchases_minor": 1_00}, "2011": {"purchases_minor": 2_00}})


def test_a_purchase_names_its_redemption_and_each_article_once(given: Given) -> None:
    lines = [{"sku": sku, "quantity": 1, "amount_minor": 50} for sku in ("b", "a", "b")]
    given.when(purchase("p1", 1_50, lines=lines, redemption_id="07-r")).then(
        recorded(1_50, redemption_id="07-r", skus=["b", "a"])
    )


def test_a_purchase_of_nothing_counts_nothing(given: Given) -> None:
    given.when(purchase("p1", 0)).then(recorded(0)).shows(years={"2010": {"purchases_minor": 0, "turnover_minor": 0}})


def test_the_same_purchase_id_in_another_store_is_another_purchase(given: Given) -> None:
    given(purchase("p1", 1_00)).when(purchase("p1", 1_00, store_id="s-2")).then(recorded(1_00))


def test_a_purchase_delivered_twice_brings_nothing_however_much_later(given: Given) -> None:
    sale = purchase("p1", 1_00)
    given(sale, purchase("p2", 1_00, "2012-01-01"), tick("2015-01-01")).when(sale).then()


def test_content_is_the_validated_record(given: Given) -> None:
    same = purchase("p1", 1_00) | {"occurred_at": "2010-03-01T13:00:00+01:00", "tax_minor": None, "unheard_of": 1}
    given(purchase("p1", 1_00)).when(same).then()


@pytest.mark.parametrize(
    "change", [{"total_minor": 1_01}, {"occurred_at": "2010-03-01T12:00:01Z"}, {"terminal_id": "t-1"}, {"tax_minor": 0}]
)
def test_the_same_key_with_other_content_is_a_conflict(given: Given, change: dict[str, object]) -> None:
    given(purchase("p1", 1_00))
    with pytest.raises(Refused, match=r"^conflict: purchase_id p1 of store_id s-1 "):
        given.when(purchase("p1", 1_00) | change)


def test_a_record_from_before_the_first_version_is_refused(given: Given) -> None:
    for raw in (purchase("p1", 1_00, "2004-12-31T22:59:59Z"), returned("r1", 1_00, when="2004-12-31T22:59:59Z")):
        with pytest.raises(Refused, match=r"^occurred_at: "):
            given.when(raw)
    given.when(purchase("p1", 1_00, "2004-12-31T23:00:00Z")).then(recorded(1_00, year=2005))


def test_a_purchase_before_the_customers_now_is_late(given: Given) -> None:
    given(purchase("p1", 1_00, "2010-03-02"))
    given.when(purchase("p2", 1_00, "2010-03-01")).then(recorded(1_00, late=True, occurred_at=at("2010-03-01")))
    given.when(purchase("p3", 1_00, "2010-03-02")).then(recorded(1_00, late=False))


def test_a_purchase_before_the_last_tick_is_late(given: Given) -> None:
    given(tick("2010-03-02")).when(purchase("p1", 1_00, "2010-03-01")).then(recorded(1_00, late=True))


def test_the_purchase_that_lifts_a_customer_was_made_at_the_tier_before(given: Given) -> None:
    given(purchase("p1", 480_00, "2010-03-01")).when(purchase("p2", 30_00, "2010-04-01")).then(
        recorded(30_00, tier="bronze", standing={"turnover_minor": 510_00, "tier": "silver", "next_tier": "gold"}),
        moved("bronze", "silver", "turnover", direction="up", cause="s-1/p2", occurred_at=at("2010-04-01")),
    )
    given.when(purchase("p3", 1_00, "2010-04-02")).then(recorded(1_00, tier="silver"))


def test_under_net_a_purchase_counts_without_its_tax(under) -> None:
    given = under(basis="net")
    given.when(purchase("p1", 119_00, tax_minor=19_00)).then(recorded(100_00))
    given.when(purchase("p2", 10_00)).then(recorded(10_00))


def test_under_gross_tax_does_not_matter(given: Given) -> None:
    given.when(purchase("p1", 119_00, tax_minor=19_00)).then(recorded(119_00))
