"""What a return undoes: points that its purchase earned are reversed, points that paid for it are restored."""

from collections.abc import Sequence

from msgspec.structs import replace

from services.ledger.points.account import Bought, Expired, Item
from services.ledger.points.earning import multiplier_of, worth
from services.ledger.points.journal import Journal, Moves, pages, told
from services.ledger.points.lots import Lot, give_back, minus, plus, spent_first, take, total
from services.ledger.state import expired_key
from shared.contracts.ledger import PointsExpired, PointsRestored, PointsReversed, Returned
from shared.contracts.turnover import TurnoverReduced
from shared.rulebook.programme import Version


def undo_unnamed(journal: Journal, back: TurnoverReduced, version: Version) -> None:
    """A return without a purchase reverses what its amount earns at the first tier, by the version in force then."""
    points = worth(back.amount_minor, version.terms.points.per_minor, multiplier_of(version.tiers[0], version))
    _reverse(journal, _others(journal, None, points), points, _why(back, None, None, 0))


def undo(journal: Journal, back: TurnoverReduced, key: str, now: int) -> None:
    """A return leaves of its purchase's points, earned and paid, what the rest of the purchase is worth.

    `key`: of the purchase. `now`: the customer's, in microseconds: what has expired by then stays expired.
    """
    bought = journal.state.memory.get(key, Item)
    if not isinstance(bought, Bought):
        return  # it counted before this service began
    left = back.purchase_remaining_minor or 0
    worth_now = min(bought.points, worth(left, bought.per_minor, bought.multiplier))
    stays = bought.paid * left // bought.minor if bought.minor else bought.paid
    kept, given = give_back(bought.pieces, max(0, total(bought.pieces) - stays))
    own = take([lot for lot in _all(journal) if lot.id == key], bought.points - worth_now)
    missing = bought.points - worth_now - total(own)
    gone = journal.state.memory.get(expired_key(key), Item)
    unspent = min(missing, gone.points - bought.expired) if isinstance(gone, Expired) else 0
    journal.keep(key, replace(bought, points=worth_now, expired=bought.expired + unspent, pieces=kept))
    taken = own + _others(journal, key, missing - unspent)
    _reverse(journal, taken, bought.points - worth_now - unspent, _why(back, bought.points, worth_now, unspent))
    _restore(journal, given, now, _why(back, total(bought.pieces), total(kept), 0))


def _reverse(journal: Journal, pieces: Sequence[Lot], points: int, why: Returned) -> None:
    """Takes pieces of lots, pending or available; what they are short of `points` is owed."""
    if not points:
        return
    waiting = {lot.id for lot in journal.points.pending}
    short, all_pages = points - total(pieces), pages(pieces)
    for page in all_pages:
        pending = total([piece for piece in page if piece.id in waiting])
        moves: Moves = [
            ("pending", "programme", pending),
            ("available", "programme", total(page) - pending),
            ("owed", "programme", short if page is all_pages[-1] else 0),
        ]
        journal.move(PointsReversed, moves, lots=told(minus(_all(journal), page)), why=why)


def _restore(journal: Journal, pieces: Sequence[Lot], now: int, why: Returned) -> None:
    """Points that paid go back to their lots; those of lots that have expired meanwhile are expired."""
    good = [piece for piece in pieces if piece.expires_at > now]
    for page in pages(good):
        if page:
            lots = told(plus(journal.points.lots, page))
            journal.move(PointsRestored, [("redeemed", "available", total(page))], lots=lots, why=why)
    for page in pages([piece for piece in pieces if piece.expires_at <= now]):
        if page:
            lots = told([replace(piece, remaining=0) for piece in page])
            journal.move(PointsExpired, [("redeemed", "expired", total(page))], lots=lots, reason="expiry")


def _all(journal: Journal) -> list[Lot]:
    return journal.points.pending + journal.points.lots


def _others(journal: Journal, own: str | None, points: int) -> list[Lot]:
    """Pieces of the customer's other lots, latest expiry first, of equals the newest."""
    others = [lot for lot in _all(journal) if lot.id != own] if points else []
    return take(sorted(others, key=spent_first, reverse=True), points)


def _why(back: TurnoverReduced, before: int | None, after: int | None, expired: int) -> Returned:
    return Returned(
        return_id=back.return_id,
        store_id=back.store_id,
        purchase_id=back.purchase_id,
        purchase_store_id=back.purchase_store_id,
        from_=before,
        to=after,
        expired=expired,
    )
