"""The programme's calendar: days, months and years are cut in its time zone, and durations are added there."""

from calendar import isleap
from datetime import UTC, date, datetime, time, timedelta
from functools import cache, lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from shared.contracts.duration import Duration

# Times of the contract lie in 1900 to 2199; a century may be added to them.
_FIRST_YEAR: Final = 1899
_LAST_YEAR: Final = 2302
_LENGTHS: Final = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


class Calendar:
    """Days and years of a time zone. Times go in and come out aware, in UTC.

    A local time that a clock change skips moves forward by the gap; one that comes twice is the first. Where clocks
    turn back over midnight, the new day has begun at its first midnight, and does not end again.
    """

    def __init__(self, zone_name: str) -> None:
        self._zone = ZoneInfo(zone_name)
        years = range(_FIRST_YEAR, _LAST_YEAR + 1)
        self._years = tuple(_start_of_day(self._zone, date(year, 1, 1)) for year in years)

    def year(self, at: datetime) -> int:
        """The local year of an instant."""
        # The local year is that of UTC, or one beside it.
        nth = at.year - _FIRST_YEAR
        if at < self._years[nth]:
            return at.year - 1
        return at.year + (at >= self._years[nth + 1])

    def next_year(self, at: datetime) -> datetime:
        """The first instant of the local year after that of an instant."""
        nth = at.year - _FIRST_YEAR + 1
        following = self._years[nth]
        if at >= following:
            return self._years[nth + 1]
        return following if at >= self._years[nth - 1] else self._years[nth - 1]

    def start_of_year(self, year: int) -> datetime:
        """The first instant of a local year."""
        return self._years[year - _FIRST_YEAR]

    def day(self, at: datetime) -> date:
        """The local day of an instant."""
        local = at.astimezone(self._zone)
        day = local.date()
        if local.fold and self.start_of_day(following := day + timedelta(days=1)) <= at:
            return following
        return day

    def start_of_day(self, day: date) -> datetime:
        """The first instant of a local day."""
        return _start_of_day(self._zone, day)

    def add(self, at: datetime, duration: Duration) -> datetime:
        """The instant that much later: first months (a month's end clips) and days on the local clock, then seconds."""
        if duration.months or duration.days:
            local = at.astimezone(self._zone)
            if duration.months:
                day = add_months(local, duration.months)
                local = local.replace(year=day.year, month=day.month, day=day.day)
            at = _instant(local + timedelta(days=duration.days))
        return at + timedelta(seconds=duration.seconds)


@cache
def calendar(zone_name: str) -> Calendar:
    """The calendar of an IANA time zone, made once."""
    return Calendar(zone_name)


def add_months(day: date, months: int) -> date:
    """The same day of another month, or that month's last: 31 January + 1 = 28 February. `months` may be negative."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, _LENGTHS[month] + (month == 1 and isleap(year))))


@lru_cache(maxsize=8192)
def _start_of_day(zone: ZoneInfo, day: date) -> datetime:
    return _instant(datetime.combine(day, time.min, zone))


def _instant(local: datetime) -> datetime:
    # fold=0 counts a skipped time with the offset before the gap, which moves it forward by the gap.
    return local.replace(fold=0).astimezone(UTC)
