"""How pages speak: a catalogue for each language, and money, numbers, days and labels as that language writes them."""

import re
from copy import copy
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cache, lru_cache
from importlib.resources import files
from io import BytesIO
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_time
from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.numbers import NumberPattern, format_decimal, format_percent
from babel.support import NullTranslations, Translations

from shared.contracts.currency import EXPONENTS
from shared.contracts.programme import Benefit, Label, ProfileField
from shared.rulebook.programme import Programme, Version

LANGUAGES: Final = {"en": "English", "de": "Deutsch", "ru": "Русский"}
DEFAULT: Final = "en"
_INSTANT: Final = timedelta(microseconds=1)
_TAG: Final = re.compile(r"^[A-Za-z]{2,8}(?:[-_][A-Za-z0-9]{1,8}){0,3}$")


def language_of(tag: str | None) -> str | None:
    """The language that we speak of a tag (BCP 47) such as `de-AT`; `None` for another."""
    first = (tag or "").replace("_", "-").partition("-")[0].lower()
    return first if first in LANGUAGES else None


def accepted(header: str | None) -> str | None:
    """The first tag of an Accept-Language header whose language we speak, the most wanted first."""
    wanted: list[tuple[float, int, str]] = []
    for place, part in enumerate((header or "")[:500].split(",")):
        tag, _, quality = part.strip().partition(";q=")
        try:
            wanted.append((-float(quality or 1), place, tag))
        except ValueError:
            continue
    return next((tag for _, _, tag in sorted(wanted) if language_of(tag)), None)


@cache
def catalogue(language: str) -> Catalog:
    """The translations into a language, as they are written down; none into that of the sources."""
    with (files("services.portal") / "translations" / f"{language}.po").open("rb") as file:
        return read_po(file, locale=language, abort_invalid=True)


@cache
def translations(language: str) -> NullTranslations:
    """What a template engine and `Say` translate with."""
    if language == DEFAULT:
        return NullTranslations()
    compiled = BytesIO()
    write_mo(compiled, catalogue(language))
    compiled.seek(0)
    return Translations(compiled)


@cache
def _locale(tag: str) -> Locale:
    try:
        return Locale.parse(tag.replace("_", "-"), sep="-")
    except (ValueError, UnknownLocaleError):
        return Locale(language_of(tag) or DEFAULT)


@cache
def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")


@lru_cache(maxsize=2_048)
def _month(month: str, pattern: str, locale: Locale) -> str:
    return format_date(date.fromisoformat(f"{month}-01"), pattern, locale=locale)


@cache
def _amounts(locale: Locale, places: int) -> NumberPattern:
    # CLDR's own number of places differs from that of ISO 4217 for some currencies.
    pattern = copy(locale.currency_formats["standard"])
    pattern.frac_prec = (places, places)
    return pattern


# Each change of an account shows most of its amounts again, and Babel takes longer over one than Jinja over a line.
@lru_cache(maxsize=16_384)
def _amount(minor: int, currency: str, places: int, locale: Locale) -> str:
    value = Decimal(minor).scaleb(-EXPONENTS[currency])
    text = _amounts(locale, places).apply(value, locale, currency=currency, currency_digits=False)
    return text.replace("-", "−")  # a minus, as before points


@lru_cache(maxsize=16_384)
def _number(number: int | str, locale: Locale) -> str:
    return format_decimal(Decimal(number), locale=locale, decimal_quantization=False)


class Say:
    """One customer's language, currency and time zone, under a version of the programme.

    `tag`: of a locale whose language is `language`. `zone`: IANA name; where it is missing, the programme's.
    """

    def __init__(
        self, language: str, programme: Programme, version: Version, tag: str | None, zone: str | None
    ) -> None:
        self.language = language
        self.version = version
        self.programme = programme
        self._translations = translations(language)
        fitting = tag if tag and _TAG.match(tag) and language_of(tag) == language else language
        self._locale = _locale(fitting)
        self._zone = _zone(zone or version.terms.time_zone)
        self._tiers = {tier.id: tier.label for one in self._versions() for tier in one.terms.tiers}
        self._fields = {field.id: field for one in self._versions() for field in one.terms.profile.fields}
        self._benefits = {benefit.id: benefit for one in self._versions() for benefit in one.terms.benefits}

    def _versions(self) -> list[Version]:
        """All of them, so that what only an old one names has its name still; the one that is meant comes last."""
        return [*self.programme.versions, self.version]

    def text(self, message: str, **values: str) -> str:
        """A text in this language."""
        return self._translations.ugettext(message) % values

    def plural(self, one: str, many: str, n: int, **values: str) -> str:
        """A text in the form that goes with a number, which is `%(n)s` in it."""
        return self._translations.ungettext(one, many, n) % {"n": self.number(n), **values}

    def number(self, number: int | str) -> str:
        """A number: an integer, or a decimal string."""
        return _number(number, self._locale)

    def signed(self, number: int) -> str:
        """A number with its sign."""
        return f"{'+' if number > 0 else '−' if number < 0 else ''}{self.number(abs(number))}"

    def percent(self, percent: int | str) -> str:
        """Percents, of an integer or a decimal string."""
        return format_percent(Decimal(percent) / 100, locale=self._locale, decimal_quantization=False)

    def points(self, points: int) -> str:
        """So many points."""
        return self.plural("%(n)s point", "%(n)s points", points)

    def money(self, minor: int) -> str:
        """An amount in the programme's currency, with all its decimal places."""
        return self._money(minor, EXPONENTS[self.programme.currency])

    def price(self, minor: int) -> str:
        """The same, without decimal places where it needs none."""
        places = EXPONENTS[self.programme.currency]
        return self._money(minor, 0 if minor % 10**places == 0 else places)

    def _money(self, minor: int, places: int) -> str:
        return _amount(minor, self.programme.currency, places, self._locale)

    def worth(self, points: int) -> str | None:
        """What points are worth at the till; `None` where that is nothing."""
        minor = points * self.version.terms.points.value_minor
        return self.money(minor) if minor else None

    def day(self, day: date) -> str:
        """A day."""
        return format_date(day, "long", locale=self._locale)

    def short_day(self, day: date) -> str:
        """A day, short."""
        return format_date(day, "medium", locale=self._locale)

    def local_day(self, at: datetime) -> date:
        """The customer's day of an instant."""
        return at.astimezone(self._zone).date()

    def moment(self, at: datetime) -> str:
        """A day and a time of it, where the customer is."""
        time = format_time(at, "short", tzinfo=self._zone, locale=self._locale).replace("\u202f", " ")
        return f"{self.short_day(self.local_day(at))}, {time}"

    def last_day(self, end: datetime) -> date:
        """The last day before something ends at an instant, in the programme's zone."""
        return self.programme.calendar.day(end - _INSTANT)

    def month(self, month: str) -> str:
        """A month such as `2010-12`, in three letters or so."""
        return _month(month, "LLL", self._locale).rstrip(".")

    def month_and_year(self, month: str) -> str:
        """A month such as `2010-12`, with its year."""
        return _month(month, "LLLL y", self._locale)

    def tier(self, tier: str) -> str:
        """The label of a tier."""
        return self.label(self._tiers.get(tier), tier)

    def field(self, field: str) -> ProfileField | None:
        """A field of the profile; `None`: no version knows it."""
        return self._fields.get(field)

    def benefit(self, benefit: str) -> Benefit | None:
        """A benefit; `None`: no version knows it."""
        return self._benefits.get(benefit)

    def label(self, label: Label | None, otherwise: str) -> str:
        """A label of the programme in this language."""
        return otherwise if label is None else getattr(label, self.language)
