"""What a purchase earns, why, and for how long it is good."""

from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Final

from msgspec import Struct

from services.ledger.points.account import Bought, Points
from services.ledger.points.journal import Journal
from services.ledger.points.lots import Lot, total
from shared.contracts import ledger
from shared.contracts.duration import Duration
from shared.contracts.ledger import AccrualRefused, PointsEarned, Why
from shared.contracts.records import made
from shared.contracts.turnover import TurnoverRecorded
from shared.rulebook.calendar import Calendar
from shared.rulebook.programme import Version

MOST_LIVE: Final = 20_000  # lots of one customer: all of them are written with every batch that touches them
_DAY: Final = timedelta(days=1)
_HOUR: Final = timedelta(hours=1)


class Span(Struct, frozen=True, gc=False):
    """When points are good: from `available_at` until before `expires_at`, which is the end of `last_day`."""

    available_at: datetime
    expires_at: datetime
    last_day: date


def worth(amount_minor: int, per_minor: int, multiplier: str) -> int:
    """The points of an amount: floor(amount / per_minor × multiplier), exactly. `multiplier`: a decimal string."""
    numerator, denominator = _fraction(multiplier)
    return amount_minor * numerator // (per_minor * denominator)


def earning(
    amount_minor: int, tier: str, version: Version, purchase_id: str | None = None, store_id: str | None = None
) -> tuple[int, Why]:
    """What an amount earns at a tier by a version, and why; the ids are those of a purchase."""
    per_minor, multiplier = version.terms.points.per_minor, multiplier_of(tier, version)
    why = made(
        Why,
        rule="purchase",
        per_minor=per_minor,
        multiplier=multiplier,
        tier=tier,
        amount_minor=amount_minor,
        purchase_id=purchase_id,
        store_id=store_id,
    )
    return worth(amount_minor, per_minor, multiplier), why


def multiplier_of(tier: str, version: Version) -> str:
    """A tier's multiplier; the first one's where the version took the place of another and does not know the tier."""
    place = version.tiers.index(tier) if tier in version.tiers else 0
    return version.terms.tiers[place].earn_multiplier


def span(start: datetime, version: Version, calendar: Calendar, *, pending: bool) -> Span:
    """When points are good that were earned at `start`. `pending`: they wait first, as those of a purchase do."""
    terms = version.terms.points
    if not pending:
        return _good(start, terms.expiry, calendar)
    hour = start.replace(minute=0, second=0, microsecond=0)
    first = _hour(hour, terms.pending, terms.expiry, calendar)
    if first is None:
        return _good(calendar.add(start, terms.pending), terms.expiry, calendar)
    return Span(first.available_at + (start - hour), first.expires_at, first.last_day)


@lru_cache(maxsize=4096)
def _hour(hour: datetime, pending: Duration, expiry: Duration, calendar: Calendar) -> Span | None:
    """When points are good that were earned as an hour begins; those of the rest of it wait as long and end with the
    same day, unless this is `None`."""
    first, last = (_good(calendar.add(at, pending), expiry, calendar) for at in (hour, hour + _HOUR))
    # What is the same at both ends of an hour is the same within: no clock changes there and back in one.
    same = last.available_at - first.available_at == _HOUR and first.last_day == last.last_day
    return first if same else None


def _good(available_at: datetime, expiry: Duration, calendar: Calendar) -> Span:
    last_day = calendar.day(calendar.add(available_at, expiry))
    return Span(available_at, calendar.start_of_day(last_day + _DAY), last_day)


def new_lot(lot_id: str, points: int, good: Span) -> ledger.Lot:
    """A lot of which nothing is gone, as events tell it."""
    return made(
        ledger.Lot,
        lot_id=lot_id,
        points=points,
        remaining=points,
        available_at=good.available_at,
        expires_at=good.expires_at,
        last_day=good.last_day,
    )


def is_full(points: Points) -> bool:
    """Whether the customer has as many lots as one may have."""
    return len(points.pending) + len(points.lots) >= MOST_LIVE


def accrue(journal: Journal, sale: TurnoverRecorded, key: str, version: Version, pieces: list[Lot]) -> None:
    """A purchase earns by its version, at the tier held before it. `key`: of it; `pieces`: the points that paid."""
    points, why = earning(sale.amount_minor, sale.tier, version, sale.purchase_id, sale.store_id)
    full = is_full(journal.points)
    item = Bought(
        points=0 if full else points,
        minor=sale.amount_minor,
        per_minor=version.terms.points.per_minor,
        multiplier=multiplier_of(sale.tier, version),
        paid=total(pieces),
        pieces=pieces,
    )
    journal.keep(key, item)
    if points and full:
        journal.say(AccrualRefused(points=points, reason="lots", why=why))
    elif points:
        lot = new_lot(key, points, span(journal.at, version, journal.programme.calendar, pending=True))
        target = "pending" if lot.available_at > journal.at else "available"
        journal.move(PointsEarned, [("programme", target, points)], lot=lot, why=why)


@lru_cache(maxsize=256)
def _fraction(decimal: str) -> tuple[int, int]:
    whole, _, decimals = decimal.partition(".")
    return int(whole + decimals), 10 ** len(decimals)
