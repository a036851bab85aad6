"""Purchases and returns in another currency than the programme's."""

from collections.abc import Callable
from typing import Any

import pytest

from shared.rulebook.refused import Refused
from tests.turnover.world import Given, moved, purchase, recorded, reduced, refused, returned

Under = Callable[..., Given]


def dollars(rate: str | None = "0.9", **fields: Any) -> dict[str, Any]:
    return {"currency": "USD", "fx_rate": rate} | fields


def test_another_currency_is_converted_half_even(given: Given) -> None:
    given.when(purchase("p1", 1_05, **dollars("0.5"))).then(recorded(52))
    given.when(purchase("p2", 1_07, **dollars("0.5"))).then(recorded(54))


def test_minor_units_of_either_currency_count(given: Given, under: Under) -> None:
    given.when(purchase("p1", 1000, currency="JPY", fx_rate="0.0061")).then(recorded(6_10))
    under(currency="JPY").when(purchase("p1", 6_10, currency="EUR", fx_rate="163.9")).then(recorded(1000))


def test_another_currency_without_a_rate_is_refused(given: Given) -> None:
    for raw in (purchase("p1", 1_00, currency="USD"), returned("r1", 1_00, currency="USD")):
        with pytest.raises(Refused, match=r"^fx_rate: is needed for USD$"):
            given.when(raw)
    given.shows(version=0)


def test_the_rate_is_ignored_for_the_programmes_own_currency(given: Given) -> None:
    given.when(purchase("p1", 1_00, fx_rate="0.5")).then(recorded(1_00))
    given.when(returned("r1", 50, of="p1", fx_rate="9")).then(reduced(50, purchase_remaining_minor=50))


def test_what_would_convert_to_more_than_any_amount_is_refused(given: Given) -> None:
    for raw in (
        purchase("p1", 10**12, **dollars("999999999")),
        returned("r1", 10**12, **dollars("999999999")),
    ):
        with pytest.raises(Refused, match=r"^fx_rate: "):
            given.when(raw)


def test_a_return_in_its_purchases_currency_uses_the_purchases_rate_on_what_remains(given: Given) -> None:
    given.when(purchase("p1", 1_01, **dollars("0.5"))).then(recorded(50))  # 50.5
    given.when(returned("r1", 50, of="p1", **dollars(None))).then(
        reduced(24, purchase_remaining_minor=26)
    )  # 25.5 remain
    given.when(returned("r2", 51, of="p1", **dollars("7"))).then(reduced(26, purchase_remaining_minor=0))


def test_a_cent_that_converts_to_nothing_still_belongs_to_its_purchase(given: Given) -> None:
    given(purchase("p1", 1_00, **dollars("0.1")), returned("r1", 97, of="p1", **dollars(None)))
    given.when(returned("r2", 3, of="p1", **dollars(None))).then(reduced(0, purchase_remaining_minor=0))
    given.when(returned("r3", 20, of="p1", **dollars(None))).then(refused("exceeds", 2, amount_minor=2))


def test_a_return_in_the_programmes_currency_needs_no_rate(given: Given) -> None:
    given(purchase("p1", 100_00, **dollars("0.9")))
    given.when(returned("r1", 50_00, of="p1")).then(reduced(50_00, purchase_remaining_minor=40_00))
    given.when(returned("r2", 60_00, of="p1", **dollars(None))).then(
        reduced(40_00, purchase_remaining_minor=0), refused("exceeds", 14_00, amount_minor=54_00)
    )


def test_a_return_in_a_third_currency_uses_its_own_rate(given: Given) -> None:
    given(purchase("p1", 100_00, **dollars("0.9")))
    with pytest.raises(Refused, match=r"^fx_rate: is needed for GBP$"):
        given.when(returned("r1", 10_00, of="p1", currency="GBP"))
    given.when(returned("r1", 10_00, of="p1", currency="GBP", fx_rate="1.2")).then(
        reduced(12_00, purchase_remaining_minor=78_00)
    )


def test_a_return_in_another_currency_of_a_purchase_in_the_programmes_uses_its_own_rate(given: Given) -> None:
    given(purchase("p1", 100_00))
    given.when(returned("r1", 10_00, of="p1", **dollars("0.5"))).then(reduced(5_00, purchase_remaining_minor=95_00))


def test_a_return_needs_no_rate_while_it_waits(given: Given) -> None:
    given(returned("r1", 10_00, of="p1", **dollars(None)))
    given.when(purchase("p1", 100_00, **dollars("0.5"))).then(recorded(50_00), reduced(5_00))


def test_a_return_that_waited_and_then_lacks_a_rate_is_refused(given: Given) -> None:
    given(returned("r1", 10_00, of="p1", **dollars(None)))
    given.when(purchase("p1", 100_00)).then(recorded(100_00), refused("fx_rate", 0, amount_minor=0))
    given.when(returned("r1", 10_00, of="p1", **dollars(None))).then()


def test_an_absurd_return_in_its_purchases_currency_is_refused_without_overflow(given: Given) -> None:
    given(purchase("p1", 1, **dollars("9999999")))
    given.when(returned("r1", 10**12, of="p1", **dollars(None))).then(
        reduced(9999999, purchase_remaining_minor=0),
        refused("exceeds", 10**12 - 9999999, amount_minor=10**12),
        moved("gold", "bronze", "return"),
    )


def test_under_net_tax_is_taken_off_before_the_conversion(under: Under) -> None:
    given = under(basis="net")
    given.when(purchase("p1", 119_00, **dollars("0.5", tax_minor=19_00))).then(recorded(50_00))
    given.when(returned("r1", 11_90, of="p1", **dollars(None, tax_minor=1_90))).then(
        reduced(5_00, purchase_remaining_minor=45_00)
    )
