"""Points that are credited at once: a benefit's."""

from datetime import datetime

from services.ledger.points.earning import is_full, new_lot, span
from services.ledger.points.journal import movement
from services.ledger.state import State
from shared.contracts.ledger import AccrualRefused, PointsEarned, Why
from shared.contracts.records import Cause
from shared.rulebook.entry import Entry
from shared.rulebook.programme import Programme


def credit(
    state: State, points: int, why: Why, now: datetime, lot_id: str, programme: Programme, cause: Cause
) -> list[Entry]:
    """A lot that is available at once, or `AccrualRefused` where the customer has as many lots as one may have.

    It is good by the version in force at `now`. What is owed is settled afterwards, by who asked for this.
    """
    version = programme.in_force(now) or programme.versions[0]
    if is_full(state.points):
        return [Entry(AccrualRefused(points=points, reason="lots", why=why), now, cause, version.number)]
    lot = new_lot(lot_id, points, span(now, version, programme.calendar, pending=False))
    fact = movement(state.points, PointsEarned, [("programme", "available", points)], lot=lot, why=why)
    return [Entry(fact, now, cause, version.number)]
