"""Lots of points in the order in which they are spent; what is taken from them, and what is put back."""

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


class Lot(Struct, frozen=True, gc=False, array_like=True):
    """Points that were earned together, or a piece of them that was held or spent.

    `points`: as earned. `remaining`: of a lot, what is neither spent, held, reversed nor expired; of a piece, its size.
    Times are microseconds since 1970: usable from `available_at` on, and while it is before `expires_at`. `last_day` is
    the local day before that, as the number yyyymmdd. `expired`: what has expired of the lot, other pieces included.
    """

    id: str
    points: int
    remaining: int
    available_at: int
    expires_at: int
    last_day: int
    expired: int = 0


def spent_first(lot: Lot) -> tuple[int, int, str]:
    """Spending takes the lot that expires first, of equals the oldest; the id makes it one order for everybody."""
    return lot.expires_at, lot.available_at, lot.id


def available_first(lot: Lot) -> tuple[int, int, str]:
    """Of lots that wait, the one that is available first."""
    return lot.available_at, lot.expires_at, lot.id


def micros(at: datetime) -> int:
    """A time as whole microseconds since 1970."""
    return (at - _EPOCH) // _MICROSECOND


def moment(at: int) -> datetime:
    """The time of `micros`."""
    return _EPOCH + at * _MICROSECOND


def day_number(day: date) -> int:
    """A day as the number yyyymmdd."""
    return day.year * 10_000 + day.month * 100 + day.day


def day_of(number: int) -> date:
    """The day of `day_number`."""
    return date(number // 10_000, number // 100 % 100, number % 100)


def total(lots: Iterable[Lot]) -> int:
    """The points that remain in all of them."""
    return sum([lot.remaining for lot in lots])


def take(lots: Iterable[Lot], points: int) -> list[Lot]:
    """Pieces of lots, in the order given, that make up `points`; fewer where there are not as many."""
    pieces: list[Lot] = []
    for lot in lots:
        if points <= 0:
            break
        pieces.append(lot if lot.remaining <= points else replace(lot, remaining=points))
        points -= pieces[-1].remaining
    return pieces


def give_back(pieces: Sequence[Lot], points: int) -> tuple[list[Lot], list[Lot]]:
    """Pieces parted in two: what is kept, and `points` that are given back, last taken first."""
    kept = take(pieces, total(pieces) - points)
    given = list(pieces[len(kept) :])
    if kept and (cut := pieces[len(kept) - 1].remaining - kept[-1].remaining):
        given.insert(0, replace(kept[-1], remaining=cut))
    return kept, given[::-1]


def minus(lots: Iterable[Lot], pieces: Iterable[Lot]) -> list[Lot]:
    """The lots of these pieces as they are without them, in the order of the pieces, of which a lot has one."""
    taken = {piece.id: piece.remaining for piece in pieces}
    there = {lot.id: lot for lot in lots if lot.id in taken}
    return [replace(there[name], remaining=there[name].remaining - points) for name, points in taken.items()]


def plus(lots: Iterable[Lot], pieces: Iterable[Lot]) -> list[Lot]:
    """The lots of these pieces as they are with them; a lot that was gone is there again."""
    given = {piece.id: piece for piece in pieces}
    there = {lot.id: lot.remaining for lot in lots if lot.id in given}
    return [replace(piece, remaining=piece.remaining + there.get(piece.id, 0)) for piece in given.values()]


def standing(lots: Iterable[Lot], pieces: Iterable[Lot]) -> list[Lot]:
    """The lots of these pieces as they are."""
    return plus(lots, [replace(piece, remaining=0) for piece in pieces])
