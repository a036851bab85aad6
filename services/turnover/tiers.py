"""Which tier some turnover holds, until when, and how far it is to the next."""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Final

from msgspec import Struct

from shared.contracts.records import made
from shared.contracts.turnover import Standing
from shared.rulebook.calendar import add_months
from shared.rulebook.programme import Programme, Version

_DAY: Final = timedelta(days=1)


class Year(Struct, frozen=True, gc=False, array_like=True):
    """What counts in a calendar year, in minor units of the programme's currency."""

    purchases: int = 0
    returns: int = 0

    @property
    def net(self) -> int:
        """May be below zero; what is shown never is."""
        return self.purchases - self.returns


class Place(Struct, frozen=True, gc=False):
    """When something counts: its calendar year; and its local day (ISO), where a rolling window holds that."""

    year: int
    day: str | None = None


class Sums(Struct, frozen=True, gc=False):
    """What tiers rest on at a customer's now: nets in minor units.

    `current`: of the calendar `year`, or of the rolling window. `last`: of the year before; none in a rolling window,
    whose status outlasts nothing.
    """

    year: int
    current: int
    last: int | None

    def plus(self, place: Place, minor: int) -> "Sums":
        """The sums with so much more in that place."""
        if self.last is None:
            return self if place.day is None else Sums(self.year, self.current + minor, None)
        if place.year == self.year:
            return Sums(self.year, self.current + minor, self.last)
        return Sums(self.year, self.current, self.last + minor) if place.year == self.year - 1 else self


def place(programme: Programme, at: datetime, now: datetime) -> Place:
    """When something that happened `at` counts, for a customer whose now is `now`."""
    if not programme.rolling:
        return Place(programme.calendar.year(at))
    day = programme.calendar.day(at)
    return Place(day.year, day.isoformat() if day > _a_year_before(now, programme) else None)


def sums(years: Mapping[int, Year], days: Mapping[str, int], programme: Programme, now: datetime) -> Sums:
    """What tiers rest on at `now`. `days`: nets by local day; older ones than the window are passed over."""
    year = programme.calendar.year(now)
    if programme.rolling:
        first = _a_year_before(now, programme).isoformat()
        return Sums(year, sum([net for day, net in days.items() if day > first]), None)
    this, last = years.get(year), years.get(year - 1)
    return Sums(year, this.net if this else 0, last.net if last else 0)


def held(version: Version, found: Sums) -> int:
    """The tier held, as its place among the version's: the higher of what this year and the last reach."""
    best = found.current if found.last is None or found.last < found.current else found.last
    return version.tier_reached(max(0, best))


def standing(programme: Programme, version: Version, found: Sums, tier: int) -> Standing:
    """Where a customer stands with these sums and that tier.

    Between the events of one record the tier is the one that the record ends with: nothing is below zero then either.
    """
    shown, top = max(0, found.current), tier + 1 == len(version.tiers)
    return made(
        Standing,
        year=found.year,
        turnover_minor=shown,
        tier=version.tiers[tier],
        valid_until=_valid_until(programme, version, found, tier),
        next_tier=None if top else version.tiers[tier + 1],
        to_next_minor=None if top else max(0, version.thresholds[tier + 1] - shown),
        to_keep_minor=max(0, version.thresholds[tier] - shown),
    )


def leaves(day: str) -> date:
    """The first local day whose rolling window does not hold `day` (ISO) any more."""
    then = date.fromisoformat(day)
    later = add_months(then, 12)
    return later if add_months(later, -12) == then else later + _DAY  # 29 February outlasts its 28 February


def _a_year_before(now: datetime, programme: Programme) -> date:
    return add_months(programme.calendar.day(now), -12)


def _valid_until(programme: Programme, version: Version, found: Sums, tier: int) -> datetime | None:
    """The first instant after the year that follows the later one which reaches the tier held."""
    if tier == 0 or found.last is None:
        return None
    reached_now = found.current >= version.thresholds[tier]
    return programme.calendar.start_of_year(found.year + (2 if reached_now else 1))
