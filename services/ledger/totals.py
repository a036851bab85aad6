"""What is summed over all customers, told by what each of them moves of it."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Final

from msgspec.structs import astuple

from services.ledger.points.account import Accounts
from services.ledger.points.lots import Lot
from services.ledger.state import State

_UNKNOWN: Final = State()
_ACCOUNTS: Final = tuple(f"accounts/{name}" for name in Accounts.__struct_fields__)


def totals(before: State, after: State) -> Mapping[str, int]:
    """What is summed over all customers: accounts, points outstanding by the month in which they expire, customers."""
    found: dict[str, int] = {}
    were, are = before.points, after.points
    for name, was, now in zip(_ACCOUNTS, astuple(were.accounts), astuple(are.accounts), strict=True):
        if was != now:
            found[name] = now - was
    _outstanding(found, were.pending, are.pending)
    _outstanding(found, were.lots, are.lots)
    if were.holds or are.holds:
        held = [[lot for hold in points.holds.values() for lot in hold.pieces] for points in (were, are)]
        _outstanding(found, held[0], held[1])
    if (before == _UNKNOWN) != (after == _UNKNOWN):
        found["customers"] = 1 if before == _UNKNOWN else -1
    return found


def _outstanding(found: dict[str, int], were: Sequence[Lot], are: Sequence[Lot]) -> None:
    """Adds what lots move of the points outstanding by month. A purchase leaves those that were there as they were."""
    same = len(were) if are[: len(were)] == were else 0
    for sign, lots in ((-1, were[same:]), (1, are[same:])):
        for lot in lots:
            month = _liability(lot.last_day // 100)
            found[month] = found.get(month, 0) + sign * lot.remaining


@lru_cache(maxsize=1024)
def _liability(month: int) -> str:
    return f"liability/{month // 100:04}-{month % 100:02}"
