"""How an event changes a customer's account of points: it sets what the event tells, and decides nothing."""

from bisect import bisect_left, insort
from collections.abc import Callable, Mapping, Sequence

from msgspec.structs import replace

from services.ledger.points.account import Hold, Points, lot_of, posted
from services.ledger.points.lots import Lot, available_first, micros, spent_first
from shared.contracts import ledger
from shared.contracts.ledger import (
    HoldReleased,
    OwedSettled,
    PointsActivated,
    PointsAdjusted,
    PointsEarned,
    PointsExpired,
    PointsExpiring,
    PointsHeld,
    PointsRedeemed,
    PointsRestored,
    PointsReversed,
)
from shared.contracts.records import Fact

Order = Callable[[Lot], tuple[int, int, str]]


def evolve(points: Points, fact: Fact) -> Points:
    """The account after an event; one of benefits leaves it as it is."""
    match fact:
        case PointsEarned():
            if fact.totals.pending > points.accounts.pending:
                pending = points.pending.copy()
                insort(pending, lot_of(fact.lot), key=available_first)
                after = replace(points, pending=pending)
            else:
                after = _told(points, [fact.lot])
        case PointsActivated():
            count, lots = len(fact.lots), points.lots.copy()
            ready = points.pending[:count]
            assert [lot.id for lot in ready] == [one.lot_id for one in fact.lots], "others are available first"
            for lot in ready:
                insort(lots, lot, key=spent_first)
            after = replace(points, pending=points.pending[count:], lots=lots)
        case PointsExpired():
            gone = expired(points, fact)
            holds = {name: _noted(hold, gone) for name, hold in points.holds.items()} if gone else points.holds
            after = replace(_told(points, fact.lots), holds=holds)
        case PointsHeld():
            before = {lot.id: lot.remaining for lot in points.lots}
            pieces = [replace(lot, remaining=before[lot.id] - lot.remaining) for lot in map(lot_of, fact.lots)]
            hold = Hold(micros(fact.expires_at), pieces, fact.store_id, fact.purchase_id)
            after = replace(_told(points, fact.lots), holds={**points.holds, fact.redemption_id: hold})
        case HoldReleased():
            after = _released(points, fact)
        case PointsRedeemed() if fact.redemption_id in points.holds:  # what was released of it went before
            after = replace(points, holds={k: v for k, v in points.holds.items() if k != fact.redemption_id})
        case PointsExpiring():
            until = micros(fact.expires_at)
            month, week = max(points.told[0], until), points.told[1]
            return replace(points, told=(month, max(week, until) if fact.days == 7 else week))  # noqa: PLR2004
        case PointsAdjusted() | OwedSettled() | PointsReversed() | PointsRestored() | PointsRedeemed():
            after = _told(points, fact.lots)
        case _:  # refused: nothing moved
            return points
    return replace(after, accounts=posted(points.accounts, fact), entries=points.entries + 1)


def expired(points: Points, fact: PointsExpired) -> dict[str, int]:
    """How many points have expired of each lot that this event ends, by id."""
    if fact.reason != "expiry":
        return {}
    ids = {one.lot_id for one in fact.lots}
    return {lot.id: lot.expired + lot.remaining for lot in points.lots if lot.id in ids}


def _told(points: Points, told: Sequence[ledger.Lot], expired: Mapping[str, int] | None = None) -> Points:
    """The lots as an event tells them. One that is new, or there again, is available; `expired`: of such a one."""
    pending, lots = points.pending.copy(), points.lots.copy()
    for one in told:
        lot = lot_of(one)
        if _set(pending, lot, available_first) or _set(lots, lot, spent_first):
            continue
        if lot.remaining:
            insort(lots, replace(lot, expired=(expired or {}).get(lot.id, 0)), key=spent_first)
    return replace(points, pending=pending, lots=lots)


def _set(lots: list[Lot], lot: Lot, order: Order) -> bool:
    """Whether the lot is among these, where it now has so much remaining; without any it is gone."""
    place = bisect_left(lots, order(lot), key=order)
    if place == len(lots) or lots[place].id != lot.id:
        return False
    if lot.remaining:
        lots[place] = replace(lots[place], remaining=lot.remaining)
    else:
        del lots[place]
    return True


def _released(points: Points, fact: HoldReleased) -> Points:
    hold = points.holds[fact.redemption_id]
    before = {lot.id: lot.remaining for lot in points.lots}
    given = {one.lot_id: one.remaining - before.get(one.lot_id, 0) for one in fact.lots}
    after = _told(points, fact.lots, {piece.id: piece.expired for piece in hold.pieces})
    rest = [replace(piece, remaining=piece.remaining - given.get(piece.id, 0)) for piece in hold.pieces]
    kept = replace(hold, pieces=[piece for piece in rest if piece.remaining])
    others = {name: one for name, one in points.holds.items() if name != fact.redemption_id}
    return replace(after, holds={**others, fact.redemption_id: kept} if kept.pieces else others)


def _noted(hold: Hold, gone: Mapping[str, int]) -> Hold:
    """A hold that knows what has expired of its lots."""
    return replace(hold, pieces=[replace(one, expired=gone.get(one.id, one.expired)) for one in hold.pieces])
