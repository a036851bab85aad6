"""How a message says things of the programme: labels, points, money and days, in one language."""

import re
from collections.abc import Mapping
from copy import copy
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_time
from babel.numbers import format_decimal, format_percent

from shared.contracts.currency import EXPONENTS
from shared.contracts.programme import Benefit, ProfileField, Tier
from shared.rulebook.programme import Programme

LANGUAGES: Final = ("en", "de", "ru")
_INSTANT: Final = timedelta(microseconds=1)
_SPACE: Final = "\N{NO-BREAK SPACE}"
# CLDR wants a space there ("currencySpacing"), Babel sets none.
_LETTER_BESIDE_DIGIT: Final = re.compile(r"(?<=[^\W\d_])(?=\d)|(?<=\d)(?=[^\W\d_])")


def language(locale: str) -> str:
    """The language of messages for a customer's locale, such as `de` for `de-AT`; English where we do not speak it."""
    first = locale.replace("_", "-").split("-")[0].lower()
    return first if first in LANGUAGES else LANGUAGES[0]


@lru_cache(maxsize=256)
def _formatting(locale: str) -> Locale:
    # A locale of which CLDR knows the region says more about dates than its language alone.
    spoken = language(locale)
    try:
        known = Locale.parse(locale.replace("_", "-"), sep="-")
    except (ValueError, UnknownLocaleError):
        return Locale(spoken)
    return known if known.language == spoken else Locale(spoken)


# A message says the same amounts and days several times, and many messages say the same ones.
@lru_cache(maxsize=1024)
def _money(minor: int, currency: str, locale: Locale) -> str:
    # CLDR's own number of decimal places differs from that of ISO 4217 for some currencies.
    places = EXPONENTS[currency]
    pattern = copy(locale.currency_formats["standard"])
    pattern.frac_prec = (places, places)
    written = pattern.apply(Decimal(minor).scaleb(-places), locale, currency=currency, currency_digits=False)
    return _LETTER_BESIDE_DIGIT.sub(_SPACE, written)


@lru_cache(maxsize=1024)
def _decimal(number: Decimal, locale: Locale) -> str:
    return format_decimal(number, locale=locale, decimal_quantization=False)


@lru_cache(maxsize=1024)
def _day(day: date, locale: Locale) -> str:
    return format_date(day, "long", locale=locale)


class Say:
    """What templates call. Labels and terms are those of one version; what it lacks, the newest other one has."""

    def __init__(self, programme: Programme, programme_version: int, locale: str) -> None:
        """`locale`: of the customer, such as `de` or `de-AT`."""
        ordered = sorted(programme.versions, key=lambda one: (one.number == programme_version, one.number))
        versions = [version.terms for version in ordered]  # the one that is meant comes last, and wins
        self._terms = versions[-1]
        self._currency = programme.currency
        self._calendar = programme.calendar
        self._zone = ZoneInfo(self._terms.time_zone)
        self._locale = _formatting(locale)
        self._tiers = {one.id: one for terms in versions for one in terms.tiers}
        self._fields = {one.id: one for terms in versions for one in terms.profile.fields}
        self._benefits = {one.id: one for terms in versions for one in terms.benefits}

    def tier(self, tier: str) -> str:
        """The label of a tier."""
        return self._label(tier, self._tiers)

    def benefit(self, benefit: str) -> str:
        """The label of a benefit."""
        return self._label(benefit, self._benefits)

    def field(self, field: str) -> str:
        """The label of a field of the profile."""
        return self._label(field, self._fields)

    def terms(self, benefit: str) -> Benefit | None:
        """What the programme says of a benefit; `None` of one that no version knows."""
        return self._benefits.get(benefit)

    def benefits_of(self, tier: str) -> list[str]:
        """The benefits that begin with a tier."""
        return [one.id for one in self._terms.benefits if one.requires.tier == tier]

    def multiplier(self, tier: str) -> str:
        """By how much a tier multiplies points, such as `× 1.25`."""
        factor = Decimal(self._tiers[tier].earn_multiplier if tier in self._tiers else 1)
        return f"×{_SPACE}{_decimal(factor, self._locale)}"

    def worth(self, points: int) -> str | None:
        """What points are worth at the till; `None` where that is nothing."""
        minor = points * self._terms.points.value_minor
        return self.money(minor) if minor else None

    def money(self, minor: int) -> str:
        """An amount in the programme's currency, with all its decimal places."""
        return _money(minor, self._currency, self._locale)

    def number(self, number: int) -> str:
        """A whole number."""
        return _decimal(Decimal(number), self._locale)

    def percent(self, percent: int | str) -> str:
        """Percents, of an integer or a decimal string."""
        return format_percent(Decimal(percent) / 100, locale=self._locale, decimal_quantization=False)

    def last_day(self, end: datetime) -> str:
        """The last day before something ends at an instant, in the programme's zone."""
        return _day(self._calendar.day(end - _INSTANT), self._locale)

    def moment(self, at: datetime) -> str:
        """A day and a time, in the programme's zone."""
        local = at.astimezone(self._zone)
        time = format_time(local, "short", tzinfo=self._zone, locale=self._locale)
        return f"{_day(local.date(), self._locale)}, {time}"

    def _label(self, key: str, known: Mapping[str, Tier | ProfileField | Benefit]) -> str:
        return getattr(known[key].label, self._locale.language) if key in known else key


@lru_cache(maxsize=64)
def say(programme: Programme, programme_version: int, locale: str) -> Say:
    """The words for one version and locale; kept, since many messages share them."""
    return Say(programme, programme_version, locale)
