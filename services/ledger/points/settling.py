"""What falls due by the clock alone: points become available, holds lapse, points expire, what is owed is settled."""

from bisect import bisect_right
from datetime import timedelta
from functools import lru_cache
from itertools import groupby
from operator import attrgetter
from typing import Final

from services.ledger.points.account import Points
from services.ledger.points.journal import Journal, pages, told
from services.ledger.points.lots import day_of, micros, minus, moment, take, total
from services.ledger.points.redemptions import release
from shared.contracts.ledger import OwedSettled, PointsActivated, PointsExpired, PointsExpiring
from shared.rulebook.calendar import Calendar

NOTICES: Final = (30, 7)  # days before points expire
_AVAILABLE_AT: Final = attrgetter("available_at")
_EXPIRES_AT: Final = attrgetter("expires_at")


def due(points: Points) -> int | None:
    """The next instant (microseconds since 1970) at which lots or holds change by themselves."""
    instants = [hold.expires_at for hold in points.holds.values()] if points.holds else []
    if points.pending:
        instants.append(points.pending[0].available_at)
    if points.lots:
        instants.append(points.lots[0].expires_at)
    return min(instants, default=None)


def settle_at(journal: Journal, instant: int) -> None:
    """What falls due at an instant: points become available, then holds lapse, then points expire."""
    ready = journal.points.pending[: bisect_right(journal.points.pending, instant, key=_AVAILABLE_AT)]
    for page in pages(ready):
        if page:
            journal.move(PointsActivated, [("pending", "available", total(page))], lots=told(page))
    for redemption_id, hold in journal.points.holds.items():
        if hold.expires_at <= instant:
            release(journal, redemption_id, "lapsed")
    expire(journal, instant)


def expire(journal: Journal, instant: int) -> None:
    """Points expire that were not used until then."""
    over = journal.points.lots[: bisect_right(journal.points.lots, instant, key=_EXPIRES_AT)]
    for page in pages(over):
        if page:
            lots = told(minus(page, page))
            journal.move(PointsExpired, [("available", "expired", total(page))], lots=lots, reason="expiry")


def settle_owed(journal: Journal) -> None:
    """What is owed is taken from whatever is available."""
    lots, owed = journal.points.lots, -journal.points.accounts.owed
    if owed and lots:
        for page in pages(take(lots, owed)):
            left = told(minus(journal.points.lots, page))
            journal.move(OwedSettled, [("available", "owed", total(page))], lots=left, reason="settled")


def notify(journal: Journal, now: int) -> None:
    """Tells of available points that expire soon: once 30 and once 7 days before; what was missed is not made up."""
    lots, calendar = journal.points.lots, journal.programme.calendar
    next_at = notice_due(journal.points, calendar)
    if next_at is None or next_at > now:
        return
    first = bisect_right(lots, journal.points.told[1], key=_EXPIRES_AT)
    for _, group in groupby(lots[first:], _EXPIRES_AT):
        ending = list(group)
        lot = ending[0]
        if _notice_at(lot.last_day, NOTICES[0], calendar) > now:
            break
        last = _notice_at(lot.last_day, NOTICES[1], calendar) <= now
        if not last and lot.expires_at <= journal.points.told[0]:
            continue
        fact = PointsExpiring(
            points=total(ending),
            expires_at=moment(lot.expires_at),
            last_day=day_of(lot.last_day),
            days=7 if last else 30,
        )
        journal.say(fact)


def notice_due(points: Points, calendar: Calendar) -> int | None:
    """The next instant (microseconds since 1970) at which `notify` has something to tell."""
    lots = points.lots
    if not lots:
        return None
    instants: list[int] = []
    for days, told_until in zip(NOTICES, points.told, strict=True):
        place = bisect_right(lots, told_until, key=_EXPIRES_AT)
        if place < len(lots):
            instants.append(_notice_at(lots[place].last_day, days, calendar))
    return min(instants, default=None)


@lru_cache(maxsize=4096)
def _notice_at(last_day: int, days: int, calendar: Calendar) -> int:
    return micros(calendar.start_of_day(day_of(last_day) + timedelta(days=1 - days)))
