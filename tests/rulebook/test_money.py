"""Money between currencies: exact, rounded half to even."""

from decimal import ROUND_HALF_EVEN, Decimal, localcontext

import pytest
from hypothesis import given
from hypothesis import strategies as some

from shared.contracts.currency import EXPONENTS
from shared.rulebook.money import convert, exponent, half_even

CURRENCIES = some.sampled_from(sorted(EXPONENTS))
RATES = some.from_regex(
    r"(?:[1-9][0-9]{0,8}(?:\.[0-9]{1,18})?|0\.[0-9]{0,17}[1-9])", fullmatch=True, alphabet="0123456789."
)


def test_a_minor_unit_has_the_digits_of_its_currency():
    assert [exponent(code) for code in ("EUR", "JPY", "KWD")] == [2, 0, 3]


@pytest.mark.parametrize(
    ("minor", "rate", "source", "target", "expected"),
    [
        (10_000, "0.86", "USD", "EUR", 8_600),
        (1_000, "0.0061", "JPY", "EUR", 610),  # 1,000 yen
        (610, "163.9", "EUR", "JPY", 1_000),  # 999.79
        (1_000, "3.02", "KWD", "EUR", 302),  # 1.000 dinar
        (1, "0.5", "USD", "EUR", 0),
        (3, "0.5", "USD", "EUR", 2),
        (5, "0.5", "USD", "EUR", 2),
        (-1, "0.5", "USD", "EUR", 0),
        (-3, "0.5", "USD", "EUR", -2),
        (0, "1.5", "USD", "EUR", 0),
        (12_345, "7", "EUR", "EUR", 12_345),  # its own currency needs no rate
    ],
)
def test_an_amount_is_converted_half_to_even(minor: int, rate: str, source: str, target: str, expected: int):
    assert convert(minor, rate, source, target) == expected


@given(some.integers(-(10**12), 10**12), RATES, CURRENCIES, CURRENCIES)
def test_converting_is_what_decimal_arithmetic_gives(minor: int, rate: str, source: str, target: str):
    with localcontext(prec=80):
        units = Decimal(minor).scaleb(-exponent(source)) * (1 if source == target else Decimal(rate))
        exact = units.scaleb(exponent(target)).quantize(Decimal(1), ROUND_HALF_EVEN)
    assert convert(minor, rate, source, target) == int(exact)


@given(some.integers(-(10**30), 10**30), some.integers(1, 10**20))
def test_rounding_is_within_a_half_and_even_on_a_tie(numerator: int, denominator: int):
    off = 2 * (half_even(numerator, denominator) * denominator - numerator)
    assert abs(off) <= denominator
    if abs(off) == denominator:
        assert half_even(numerator, denominator) % 2 == 0
