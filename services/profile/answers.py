"""What a request is told once the customer's one writer has seen to it. Values of a person stay sealed in it."""

from collections.abc import Sequence
from datetime import datetime

from services.profile import views
from services.profile.commands import IssueCard, RevokeCard
from services.profile.rules import MOST_CARDS
from services.profile.state import State
from shared.contracts.profile import CardIssued, CardRevoked, ErasureAccepted
from shared.rulebook.entry import Entry
from shared.runtime.rules import Command, Reply


def answer(state: State, command: Command, entries: Sequence[Entry], now: datetime) -> Reply:
    """The answer to a command, from the state after it and the entries that it led to.

    A profile comes with `now`, by which HTTP finds the programme that was in force, and says the rest.
    """
    for entry in entries:
        match entry.fact:
            case ErasureAccepted(receipt_id=receipt):
                return Reply(200, {"receipt_id": receipt})
            case CardIssued(card_id=card):
                return Reply(201, {"card_id": card})
            case CardRevoked():
                return Reply(204)
            case _:
                pass
    if state.erasure is not None:
        return Reply(410, {"type": "erased"})
    if state.said is None:
        return Reply(404, {"type": "not-found"})
    match command.body:
        case IssueCard():
            return Reply(409, {"type": "conflict", "detail": f"There are {MOST_CARDS} cards already: revoke one"})
        case RevokeCard():
            return Reply(404, {"type": "not-found"})
        case _:
            return Reply(200, views.profile(command.customer_id, state) | {"now": now.isoformat()})
