"""What programme managers publish: a version of the programme. Written as YAML, it travels as JSON."""

from datetime import date
from functools import cache
from importlib.resources import files
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, TypeAdapter, WithJsonSchema
from pydantic_core import PydanticCustomError, core_schema

from shared.contracts.duration import Duration
from shared.contracts.records import Currency, Id, Minor, MinorAboveZero, Record, Version, scalar, text


@cache
def _zones() -> frozenset[str]:
    # Of the wheel, not of the machine: /usr/share/zoneinfo also has `localtime` and zones that count leap seconds.
    return frozenset((files("tzdata") / "zones").read_text().split())


def _zone(name: str) -> str:
    if name not in _zones():
        raise PydanticCustomError("contract", "is no time zone of the IANA database, such as Europe/Berlin")
    return name


def _above_zero(duration: Duration) -> Duration:
    if not duration:
        raise PydanticCustomError("contract", "is not above zero")
    return duration


def _day() -> core_schema.CoreSchema:
    return core_schema.json_or_python_schema(
        core_schema.no_info_after_validator_function(
            date.fromisoformat,
            core_schema.str_schema(strict=True, pattern=r"^(?:19|20|21)[0-9]{2}-[0-9]{2}-[0-9]{2}$"),
        ),
        core_schema.date_schema(strict=True),
        serialization=core_schema.simple_ser_schema("date"),
    )


Zone = Annotated[str, AfterValidator(_zone)]
Day = Annotated[
    date,
    scalar(_day(), "is no day of the years 1900 to 2199, such as 2026-01-31"),
    WithJsonSchema({"type": "string", "format": "date"}),
]
Factor = Annotated[
    str,
    text(r"^(?:0|[1-9][0-9]{0,3})(?:\.[0-9]{1,6})?$", 'is no decimal string from 0, such as "1.25" (with the quotes)'),
]
Hour = Annotated[
    str, text(r"^(?:[01][0-9]|2[0-3]):[0-5][0-9]$", 'is no time of day, such as "10:00" (with the quotes)')
]
Words = Annotated[
    str,
    scalar(core_schema.str_schema(strict=True, pattern=r"\S", max_length=200), "is blank or above 200 characters"),
]
SomeTime = Annotated[Duration, AfterValidator(_above_zero)]


class Label(Record):
    """A name for customers, in each of the languages."""

    en: Words
    de: Words
    ru: Words


class TurnoverTerms(Record):
    """How turnover is counted: over which days, how long a status holds, and with or without tax."""

    window: Literal["calendar_year", "rolling_12_months"]
    status_validity: Literal["end_of_next_year", "none"]
    basis: Literal["gross", "net"]


class ReturnTerms(Record):
    """`window`: how long after its purchase a return counts."""

    window: Duration


class Tier(Record):
    """A tier, reached from `from_minor` of turnover. `earn_multiplier`: on the points of its customers."""

    id: Id
    label: Label
    from_minor: Minor
    earn_multiplier: Factor


class PointTerms(Record):
    """A point for every `per_minor`; usable after `pending`, until `expiry` after that.

    `value_minor`: what a point is worth at the till. `hold`: how long points stay reserved there.
    """

    per_minor: MinorAboveZero
    pending: Duration
    expiry: SomeTime
    value_minor: Minor
    hold: SomeTime


class ProfileField(Record):
    """What a customer may tell. `kind`: how a value is checked."""

    id: Id
    label: Label
    kind: Literal["email", "phone", "date", "text"]


class ProfileTerms(Record):
    """The fields of a profile, in the order in which they are asked for."""

    fields: tuple[ProfileField, ...]


class Requires(Record):
    """What unlocks a benefit: these fields filled, that tier or a higher one."""

    fields: tuple[Id, ...] = ()
    tier: Id | None = None


class PointsBenefit(Record):
    """Points credited on unlocking: once in a lifetime, once a year, or on each birthday."""

    id: Id
    label: Label
    kind: Literal["points"]
    points: MinorAboveZero
    every: Literal["year", "birthday"] | None = None
    requires: Requires = Requires()


class Perk(Record):
    """A favour that may be used again and again, or once a year."""

    id: Id
    label: Label
    kind: Literal["perk"]
    every: Literal["year"] | None = None
    requires: Requires = Requires()


class Coupon(Record):
    """A voucher used once, for `valid`: worth `value_minor`, or percents of the turnover of the last closed year."""

    id: Id
    label: Label
    kind: Literal["coupon"]
    value_minor: MinorAboveZero | None = None
    percent_of_turnover: Factor | None = None
    valid: SomeTime
    every: Literal["year"] | None = None
    requires: Requires = Requires()


Benefit = Annotated[PointsBenefit | Perk | Coupon, Field(discriminator="kind")]


class Reminders(Record):
    """How often and at what local time a customer is reminded of an incomplete profile."""

    every: SomeTime
    at: Hour


class ProgrammeVersion(Record):
    """The rules in force from 00:00 of `effective_from` in `time_zone`. `tiers` ascend from 0.

    What no model of one field can see is checked where a document is read: `shared.contracts.coherence`.
    """

    version: Version
    effective_from: Day
    currency: Currency
    time_zone: Zone
    turnover: TurnoverTerms
    returns: ReturnTerms
    tiers: tuple[Tier, ...]
    points: PointTerms
    profile: ProfileTerms
    benefits: tuple[Benefit, ...]
    reminders: Reminders


PROGRAMME: TypeAdapter[ProgrammeVersion] = TypeAdapter(ProgrammeVersion)
