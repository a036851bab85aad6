"""Money is an integer of minor units; rates are decimal strings, computed exactly."""

from functools import lru_cache

from shared.contracts.currency import EXPONENTS


def exponent(currency: str) -> int:
    """How many digits the minor unit of a currency has: 2 for EUR, 0 for JPY. Source: ISO 4217."""
    return EXPONENTS[currency]


def convert(minor: int, rate: str, source: str, target: str) -> int:
    """An amount in minor units of `target`, rounded half to even; its own currency needs no rate and stays.

    `rate`: units of `target` per unit of `source`. The result may exceed what a contract takes as an amount.
    """
    if source == target:
        return minor
    numerator, denominator = _ratio(rate, exponent(target) - exponent(source))
    return half_even(minor * numerator, denominator)


def half_even(numerator: int, denominator: int) -> int:
    """A fraction as an integer, rounded half to even. `denominator` is above zero."""
    whole, rest = divmod(numerator, denominator)
    twice = 2 * rest
    return whole + 1 if twice > denominator or (twice == denominator and whole % 2) else whole


@lru_cache(maxsize=1024)
def _ratio(rate: str, shift: int) -> tuple[int, int]:
    digits, _, decimals = rate.partition(".")
    numerator, denominator = int(digits + decimals), 10 ** len(decimals)
    return (numerator * 10**shift, denominator) if shift >= 0 else (numerator, denominator * 10**-shift)
