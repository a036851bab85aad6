"""Birthdays: announced on their day, once a year, and the day is not told beforehand."""

from calendar import isleap
from datetime import date, datetime, timedelta
from typing import Final

from services.profile.state import BIRTHDAY, State
from shared.rulebook.calendar import Calendar
from shared.sealing import Sealer

_DAY: Final = timedelta(days=1)


def next_look(state: State, calendar: Calendar) -> datetime | None:
    """When the clock has to look whether a birthday has come; `None` where none is known.

    A timer lies in the open: it is set to the first day of the month, and from there to each day until the birthday.
    """
    if state.clock is None or state.birth_month is None:
        return None
    today, month = calendar.day(state.clock), state.birth_month
    tomorrow = today + _DAY
    if today.month == tomorrow.month == month and state.celebrated != today.year:
        return calendar.start_of_day(tomorrow)
    year = today.year if today.month < month else today.year + 1
    return calendar.start_of_day(date(year, month, 1))


def came(state: State, calendar: Calendar, now: datetime, sealer: Sealer) -> dict[datetime, int]:
    """The birthdays after the customer's last now and up to this one: their years by the first instant of the day."""
    box, since = state.box(BIRTHDAY), state.clock
    assert box is not None
    assert since is not None
    birthday = date.fromisoformat(sealer.open(BIRTHDAY, box))
    days = [anniversary(birthday, year) for year in range(calendar.day(since).year, calendar.day(now).year + 1)]
    found = {calendar.start_of_day(day): day.year for day in days if is_due(state, birthday, day)}
    return {start: year for start, year in found.items() if since < start <= now}


def is_due(state: State, birthday: date, today: date) -> bool:
    """Whether it is that birthday today, and none was announced this year."""
    return (
        today == anniversary(birthday, today.year)
        and today.year > birthday.year
        and (state.celebrated is None or state.celebrated < today.year)
    )


def anniversary(birthday: date, year: int) -> date:
    """The birthday in a year: 29 February is 28 February where there is none."""
    leap = (birthday.month, birthday.day) == (2, 29) and not isleap(year)
    return birthday.replace(year=year, day=28 if leap else birthday.day)
