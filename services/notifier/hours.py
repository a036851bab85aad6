"""The customer's day: its hours on the local clock, and the quiet ones, across clock changes."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from shared.contracts.duration import Duration
from shared.rulebook.calendar import calendar

EVENING: Final = time(21)  # domain rule: nothing rings from here
MORNING: Final = time(9)  # to here
_DAY: Final = timedelta(days=1)


def local_day(zone: str, at: datetime) -> date:
    """The local day of an instant."""
    return calendar(zone).day(at)


def next_day(zone: str, day: date) -> datetime:
    """The first instant after a local day."""
    return calendar(zone).start_of_day(day + _DAY)


def instant(zone: str, day: date, hour: time) -> datetime:
    """The instant of a local time, UTC: moved forward by a gap that skips it, the first of two."""
    return datetime.combine(day, hour, ZoneInfo(zone)).replace(fold=0).astimezone(UTC)


def quiet(zone: str, at: datetime) -> bool:
    """Whether an instant lies in the quiet hours."""
    hour = at.astimezone(ZoneInfo(zone)).time()
    return hour >= EVENING or hour < MORNING


def after_quiet(zone: str, at: datetime) -> datetime:
    """The first instant from `at` on that is not quiet."""
    if not quiet(zone, at):
        return at
    local = at.astimezone(ZoneInfo(zone))
    return instant(zone, local.date() + (_DAY if local.time() >= EVENING else timedelta()), MORNING)


def quiet_from(zone: str, at: datetime) -> datetime:
    """The next instant after `at` with which quiet hours begin."""
    day = at.astimezone(ZoneInfo(zone)).date()
    begins = instant(zone, day, EVENING)
    return begins if begins > at else instant(zone, day + _DAY, EVENING)


def later_at(zone: str, since: datetime, every: Duration, hour: str) -> datetime:
    """The first `hour` ("10:00") of the local day that lies `every` after `since`; always later than `since`."""
    at, day = time.fromisoformat(hour), local_day(zone, calendar(zone).add(since, every))
    found = instant(zone, day, at)
    return found if found > since else instant(zone, day + _DAY, at)
