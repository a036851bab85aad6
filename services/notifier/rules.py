"""Which message a customer gets, and when, or why not: what a message leads to, without I/O and without a clock."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Final

from pydantic import Field, TypeAdapter

from services.notifier.causes import heard
from services.notifier.course import Course
from services.notifier.reports import DeliveryReported, reported
from services.notifier.settling import due_at, settle
from services.notifier.state import FACTS, Memo, State, evolve
from shared.contracts import ledger, profile, turnover
from shared.contracts.clock import Tick
from shared.rulebook.entry import Entry
from shared.rulebook.programme import Programme
from shared.runtime.rules import Command, Heard, Reply

__all__ = ["COMMANDS", "FACTS", "SISTERS", "Memo", "Message", "State"]
__all__ += ["answer", "decide", "due_at", "evolve", "initial", "keys", "now"]

Message = Heard | Command | Tick
_Turnover = turnover.TierChanged | turnover.TurnoverRecorded | turnover.TurnoverReduced
_Profile = profile.PreferencesChanged | profile.CompletionChanged | profile.ErasureAccepted | profile.CustomerErased
_Ledger = (
    ledger.BenefitUnlocked
    | ledger.BenefitLocked
    | ledger.BenefitRevoked
    | ledger.PointsExpiring
    | ledger.PointsRedeemed
    | ledger.PointsExpired
    | ledger.PointsReversed
    | ledger.PointsAdjusted
)
SISTERS: Final = {
    "profile": TypeAdapter[_Profile](Annotated[_Profile, Field(discriminator="type")]),
    "turnover": TypeAdapter[_Turnover](Annotated[_Turnover, Field(discriminator="type")]),
    "ledger": TypeAdapter[_Ledger](Annotated[_Ledger, Field(discriminator="type")]),
}
"""The events that matter here, by the service that publishes them. Of purchases and returns, the time alone does."""
COMMANDS: Final = {"DeliveryReported.v1": TypeAdapter(DeliveryReported)}


def initial(customer_id: str) -> State:
    """A customer of whom nothing is known."""
    return State(customer_id=customer_id)


def keys(_message: Message) -> tuple[str, ...]:
    """Nothing is looked up: what is open lies in the state, and what is over decides nothing."""
    return ()


def now(state: State, message: Message, tick: datetime | None) -> datetime:
    """The customer's now: the newest of the last tick, this message, and what turnover and the ledger said before of
    them that led to anything.

    Before either, the time of the event itself; of a report, the time at which its message was queued.
    """
    known = [at for at in (tick, state.clock, _moves(message)) if at is not None]
    if known:
        return max(known)
    match message:
        case Heard():
            return message.envelope.occurred_at
        case Command(body=DeliveryReported(at=at)):
            return max((one.queued.since for one in state.slots.values() if one.queued is not None), default=at)
        case _:
            raise AssertionError("a tick is a time, and there is no other command")


def decide(state: State, message: Message, programme: Programme, now: datetime) -> list[Entry]:
    """What a message leads to; what fell due by the clock comes first."""
    moved = _moves(message) if isinstance(message, Heard) else None
    clock = moved if moved is not None and (state.clock is None or moved > state.clock) else None
    course = Course(state, programme, now, clock)
    settle(course)
    match message:
        case Heard():
            heard(course, message)
        case Command(body=DeliveryReported() as report):
            reported(course, report)
        case _:
            pass
    return course.entries


def answer(state: State, _command: Command, entries: Sequence[Entry], _now: datetime) -> Reply:
    """What the sender is told: whether its report changed anything."""
    return Reply(200, {"noted": bool(entries) and state.stage != "erased"})


def _moves(message: Message) -> datetime | None:
    """The time that a message makes it. Profile's events do not: its records may run ahead of the clock."""
    match message:
        case Tick(now=at):
            return at
        case Heard(service="turnover" | "ledger", envelope=envelope):
            return envelope.occurred_at
        case _:
            return None
