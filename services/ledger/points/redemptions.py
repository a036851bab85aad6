"""Redemption at the till: hold, capture, release, lapse; and a purchase that names its redemption."""

from msgspec.structs import replace

from services.ledger.points.account import Item, Redemption, lot_of
from services.ledger.points.commands import CapturePoints, HoldPoints
from services.ledger.points.earning import new_lot, span
from services.ledger.points.journal import MOST_LOTS, Journal, pages, told
from services.ledger.points.lots import Lot, give_back, minus, moment, plus, standing, take, total
from services.ledger.state import purchase_key, redemption_key
from shared.contracts.ledger import Account, HoldReleased, PointsHeld, PointsRedeemed, RedemptionRefused
from shared.contracts.turnover import TurnoverRecorded
from shared.rulebook.programme import Version


def hold(journal: Journal, asked: HoldPoints, version: Version) -> None:
    """Reserve points for a till, of the lots that expire first; more than are available are refused.

    A redemption that is known already is held once: nothing follows.
    """
    points, name = journal.points, asked.redemption_id
    if name in points.holds or journal.state.memory.get(redemption_key(name), Item) is not None:
        return
    pieces = take(points.lots, asked.points)
    if total(pieces) < asked.points or len(pieces) > MOST_LOTS:
        reason = "insufficient" if total(pieces) < asked.points else "too_many_lots"
        refused = RedemptionRefused(
            redemption_id=name,
            points=asked.points,
            reason=reason,
            store_id=asked.store_id,
            purchase_id=asked.purchase_id,
            totals=points.accounts.totals,
        )
        journal.say(refused)
        return
    journal.move(
        PointsHeld,
        [("available", "held", asked.points)],
        redemption_id=name,
        lots=told(minus(points.lots, pieces)),
        expires_at=journal.programme.calendar.add(journal.at, version.terms.points.hold),
        store_id=asked.store_id,
        purchase_id=asked.purchase_id,
    )


def capture(journal: Journal, asked: CapturePoints) -> None:
    """Spend what is held, or the part of it that was asked for; more than is held, or what is not, leads to nothing."""
    held = journal.points.holds.get(asked.redemption_id)
    if held is None or (asked.points or 0) > (size := total(held.pieces)):
        return
    if rest := size - (asked.points or size):
        _, given = give_back(held.pieces, rest)
        _give(journal, asked.redemption_id, given, "captured_in_part")
    _redeem(journal, asked.redemption_id)


def release(journal: Journal, redemption_id: str, reason: str) -> None:
    """What is held is available again; what has expired meanwhile expires at once when it is settled afterwards."""
    held = journal.points.holds[redemption_id]
    ended = "lapsed" if reason == "lapsed" else "released"
    item = Redemption(ended, held.expires_at, held.pieces)
    journal.keep(redemption_key(redemption_id), item)
    _give(journal, redemption_id, held.pieces, reason)


def capture_by_purchase(journal: Journal, sale: TurnoverRecorded, version: Version) -> list[Lot]:
    """The pieces of lots that pay for a purchase which names its redemption: captured now if they were not before.

    After the hold is over they come from its lots, then from others, then they are owed. A redemption that is not this
    customer's, or that paid for another purchase, is refused.
    """
    name = sale.redemption_id
    if name is None:
        return []
    paid_for = purchase_key(sale.store_id, sale.purchase_id)
    if name in journal.points.holds:
        return _redeem(journal, name, sale)
    item = journal.state.memory.get(redemption_key(name), Item)
    if not isinstance(item, Redemption) or item.purchase is not None:
        refused = RedemptionRefused(
            redemption_id=name,
            points=total(item.pieces) if isinstance(item, Redemption) else None,
            reason="already_captured" if isinstance(item, Redemption) else "unknown",
            store_id=sale.store_id,
            purchase_id=sale.purchase_id,
            totals=journal.points.accounts.totals,
        )
        journal.say(refused)
        return []
    if item.ended == "captured":  # by the till, before the purchase came
        journal.keep(redemption_key(name), replace(item, purchase=paid_for))
        return item.pieces
    return _redeem_late(journal, name, sale, item, version)


def _give(journal: Journal, name: str, given: list[Lot], reason: str) -> None:
    journal.move(
        HoldReleased,
        [("held", "available", total(given))],
        redemption_id=name,
        lots=told(plus(journal.points.lots, given)),
        expires_at=moment(journal.points.holds[name].expires_at),
        reason=reason,
    )


def _redeem(journal: Journal, name: str, sale: TurnoverRecorded | None = None) -> list[Lot]:
    """All that is held pays, for this purchase or for what the till said."""
    held = journal.points.holds[name]
    item = Redemption("captured", held.expires_at, held.pieces, sale and purchase_key(sale.store_id, sale.purchase_id))
    journal.keep(redemption_key(name), item)
    journal.move(
        PointsRedeemed,
        [("held", "redeemed", total(held.pieces))],
        redemption_id=name,
        lots=told(standing(journal.points.lots, held.pieces)),
        expires_at=moment(held.expires_at),
        reason="capture" if sale is None else "purchase",
        store_id=held.store_id if sale is None else sale.store_id,
        purchase_id=held.purchase_id if sale is None else sale.purchase_id,
    )
    return held.pieces


def _redeem_late(journal: Journal, name: str, sale: TurnoverRecorded, item: Redemption, version: Version) -> list[Lot]:
    """The hold is over, and the purchase was paid with it all the same."""
    wanted, own = total(item.pieces), {piece.id for piece in item.pieces}
    lots = journal.points.lots
    pieces = take([lot for lot in lots if lot.id in own] + [lot for lot in lots if lot.id not in own], wanted)
    paid, short = pieces.copy(), wanted - total(pieces)
    if short:
        # What is owed for it is a lot of its own: should the purchase be returned, that is what comes back.
        good = span(journal.at, version, journal.programme.calendar, pending=False)
        paid.append(lot_of(new_lot(f"o:{name}", short, good)))
    item = Redemption("captured", item.expires_at, paid, purchase_key(sale.store_id, sale.purchase_id))
    journal.keep(redemption_key(name), item)
    for page in pages(pieces):
        moves: list[tuple[Account, Account, int]] = [("available", "redeemed", total(page))]
        if short and page[-1:] == pieces[-1:]:
            moves.append(("owed", "redeemed", short))
        journal.move(
            PointsRedeemed,
            moves,
            redemption_id=name,
            lots=told(minus(journal.points.lots, page)),
            expires_at=moment(item.expires_at),
            reason="purchase",
            store_id=sale.store_id,
            purchase_id=sale.purchase_id,
        )
    return paid
