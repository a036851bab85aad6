"""What tills and staff are answered."""

from collections.abc import Sequence
from typing import Any

from services.ledger.points.account import Item, Redemption
from services.ledger.points.commands import AdjustPoints, CapturePoints, HoldPoints, ReleaseHold
from services.ledger.points.lots import moment, total
from services.ledger.state import State, redemption_key
from shared.contracts.ledger import PointsAdjusted, PointsRedeemed, RedemptionRefused
from shared.contracts.records import Fact
from shared.rulebook.entry import Note
from shared.runtime.rules import Reply


def answer(state: State, asked: object, facts: Sequence[Fact | Note]) -> Reply:
    """The answer to a command, from the state after it and what it led to."""
    match asked:
        case HoldPoints():
            return _held(state, asked, facts)
        case CapturePoints():
            return _captured(state, asked, facts)
        case ReleaseHold():
            known = state.memory.get(redemption_key(asked.redemption_id), Item)
            if not isinstance(known, Redemption):
                return _problem(404, "not-found")
            return _problem(409, "already-captured") if known.ended == "captured" else Reply(204)
        case AdjustPoints():
            return _adjusted(state, asked, facts)
        case _:
            raise TypeError(f"{type(asked).__name__} is no command of points")


def _held(state: State, asked: HoldPoints, facts: Sequence[Fact | Note]) -> Reply:
    accounts, name = state.points.accounts, asked.redemption_id
    refused = next((fact for fact in facts if isinstance(fact, RedemptionRefused)), None)
    match refused and refused.reason:
        case "insufficient":
            return _problem(409, "insufficient-points", available=accounts.available)
        case "too_many_lots":
            return _problem(409, "conflict", "these points are of more lots than one redemption may take")
        case _:
            pass
    held = state.points.holds.get(name)
    if held is None:  # asked again after it was over
        return _ended(state, name)
    body = {
        "redemption_id": name,
        "points": total(held.pieces),
        "expires_at": moment(held.expires_at).isoformat().replace("+00:00", "Z"),
        "available": accounts.available,
    }
    return Reply(201, body)


def _captured(state: State, asked: CapturePoints, facts: Sequence[Fact | Note]) -> Reply:
    for fact in facts:
        if isinstance(fact, PointsRedeemed):
            available = state.points.accounts.available
            return Reply(200, {"redemption_id": fact.redemption_id, "points": fact.points, "available": available})
    held = state.points.holds.get(asked.redemption_id)
    if held is None:
        return _ended(state, asked.redemption_id)
    fault = {"field": "points", "reason": f"is more than the {total(held.pieces)} that are held"}
    return _problem(422, "validation", errors=[fault])


def _adjusted(state: State, asked: AdjustPoints, facts: Sequence[Fact | Note]) -> Reply:
    made = [fact for fact in facts if isinstance(fact, PointsAdjusted)]
    accounts = state.points.accounts
    if made:
        body = {"entry_id": made[0].entry_id, "points": asked.points}
        return Reply(200, body | accounts.totals.model_dump())
    if asked.points > 0:
        return _problem(409, "conflict", "the customer has as many lots as one may have")
    return _problem(409, "insufficient-points", available=accounts.available)


def _ended(state: State, redemption_id: str) -> Reply:
    known = state.memory.get(redemption_key(redemption_id), Item)
    if not isinstance(known, Redemption):
        return _problem(404, "not-found")
    return _problem(409, "already-captured" if known.ended == "captured" else "hold-lapsed")


def _problem(status: int, kind: str, detail: str | None = None, **extra: Any) -> Reply:
    return Reply(status, {"type": kind, **({"detail": detail} if detail else {}), **extra})
