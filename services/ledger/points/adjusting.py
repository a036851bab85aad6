"""Points that staff give or take, and what becomes of an account when its customer is erased."""

from services.ledger.points.commands import AdjustPoints
from services.ledger.points.earning import is_full, new_lot, span
from services.ledger.points.journal import Journal, Moves, pages, told
from services.ledger.points.lots import minus, take, total
from services.ledger.points.redemptions import release
from services.ledger.state import AccountClosed
from shared.contracts.ledger import OwedSettled, PointsAdjusted, PointsExpired
from shared.rulebook.programme import Version


def adjust(journal: Journal, asked: AdjustPoints, lot_id: str, by: str, version: Version) -> None:
    """A correction, whose code is `reason`, by a member of staff. Taking more than is available leads to nothing."""
    points = journal.points
    if asked.points > 0 and not is_full(points):
        lot = new_lot(lot_id, asked.points, span(journal.at, version, journal.programme.calendar, pending=False))
        moves: Moves = [("programme", "available", asked.points)]
        journal.move(PointsAdjusted, moves, lots=(lot,), reason=asked.reason, by=by)
    elif 0 < -asked.points <= points.accounts.available:
        for page in pages(take(points.lots, -asked.points)):
            moves = [("available", "programme", total(page))]
            lots = told(minus(journal.points.lots, page))
            journal.move(PointsAdjusted, moves, points=-total(page), lots=lots, reason=asked.reason, by=by)


def close(journal: Journal) -> None:
    """The customer is erased: holds are released, lots expire, what is owed is written off. Sums stay."""
    for redemption_id in journal.points.holds:
        release(journal, redemption_id, "erasure")
    waiting = {lot.id for lot in journal.points.pending}
    for page in pages(journal.points.pending + journal.points.lots):
        pending = total([lot for lot in page if lot.id in waiting])
        moves: Moves = [("pending", "expired", pending), ("available", "expired", total(page) - pending)]
        if page:
            lots = told(minus(page, page))
            journal.move(PointsExpired, moves, lots=lots, reason="erasure")
    if owed := -journal.points.accounts.owed:
        journal.move(OwedSettled, [("programme", "owed", owed)], lots=(), reason="written_off")
    journal.say(AccountClosed())
