"""The portal's rules: whatever the other services say of a customer is noted, and folded into the account."""

from datetime import datetime
from typing import Annotated, Final, Literal

from msgspec.structs import replace
from pydantic import Field, TypeAdapter

from services.portal.account import Account, AnyFact, changed
from shared.contracts.clock import Tick
from shared.contracts.records import Cause, Version
from shared.contracts.turnover import TurnoverRecorded
from shared.rulebook.entry import Entry, Note
from shared.rulebook.programme import Programme
from shared.runtime.rules import Heard

__all__ = ["FACTS", "Memo", "Noted", "State", "decide", "due_at", "evolve", "initial", "keys", "now"]

State = Account
Memo = None  # a note says all


class Noted(Note):
    """A fact of another service, which the portal tells nobody. `month`: of the programme's calendar, as `2010-12`."""

    type: Literal["Noted.v1"] = "Noted.v1"
    service: str
    number: Version
    month: str
    fact: Annotated[AnyFact, Field(discriminator="type")]


FACTS: Final[TypeAdapter[Noted]] = TypeAdapter(Noted)


def initial(_customer_id: str) -> Account:
    """A customer of whom nothing is known."""
    return Account()


def keys(_message: Heard | Tick) -> tuple[str, ...]:
    """Nothing has to be remembered: the runtime drops what was heard before."""
    return ()


def now(_state: Account, message: Heard | Tick, _tick: datetime | None) -> datetime:
    """When the message happened; the portal decides nothing that time would change."""
    return message.now if isinstance(message, Tick) else message.envelope.occurred_at


def decide(_state: Account, message: Heard | Tick, programme: Programme, _now: datetime) -> list[Entry]:
    """A note of what was heard."""
    match message:
        case Heard(service=service, envelope=envelope, fact=fact) if fact is not None:
            if isinstance(fact, TurnoverRecorded):
                fact = fact.model_copy(update={"skus": ()})  # hundreds of them, and none is shown
            note = Noted.model_construct(
                service=service,
                number=envelope.version,
                month=f"{programme.calendar.day(envelope.occurred_at):%Y-%m}",
                fact=fact,
            )
            cause = Cause(type=envelope.type, id=f"{service}/{envelope.customer_id}/{envelope.version}")
            return [Entry(note, envelope.occurred_at, cause, envelope.programme_version)]
        case _:
            return []


def evolve(state: Account, entry: Entry) -> Account:
    """The account after a note."""
    note = entry.fact
    assert isinstance(note, Noted)
    at = entry.occurred_at
    state = replace(
        state,
        version=state.version + 1,
        seen=state.seen | {note.service: note.number},
        clock=at if state.clock is None else max(state.clock, at),
    )
    return state if state.erased else changed(state, note.fact, at, note.month)


def due_at(_state: Account, _programme: Programme) -> None:
    """The clock alone changes nothing here: what it changes elsewhere is heard."""
