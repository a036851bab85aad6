"""A small service for tests of the runtime: it counts what turnover says and what it is told to add.

Run as a process under the name of the ledger, whose topics and rights exist; its rules are of no other use.
"""

import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Response
from msgspec import Struct
from msgspec.structs import replace
from pydantic import BaseModel, Field, TypeAdapter

from shared.contracts.clock import Tick
from shared.contracts.records import Cause, Fact, Record
from shared.contracts.turnover import TurnoverRecorded, TurnoverReduced
from shared.http.commands import Send
from shared.http.reads import CustomerId, Reader
from shared.http.tokens import Principal, allow
from shared.rulebook.entry import Entry, Note
from shared.rulebook.memory import Memory
from shared.rulebook.programme import Programme
from shared.rulebook.refused import Refused
from shared.runtime.rules import Command, Heard, Reply, Service
from shared.runtime.service import run


class Added(Fact):
    """So much was added; `total` after it."""

    type: Literal["Added.v1"] = "Added.v1"
    points: int
    total: int


class Heeded(Note):
    """Turnover said something."""

    type: Literal["Heeded.v1"] = "Heeded.v1"
    amount: int


class State(Struct, frozen=True):
    total: int = 0
    heard: int = 0
    memory: Memory = Memory()


Memo = None
FACTS: TypeAdapter[Any] = TypeAdapter(Annotated[Added | Heeded, Field(discriminator="type")])


class Add(Record):
    points: int


def initial(_customer_id: str) -> State:
    return State()


def keys(_message: object) -> tuple[str, ...]:
    return ()


def now(_state: State, message: Any, tick: datetime | None) -> datetime:
    return message.now if isinstance(message, Tick) else tick or datetime(2010, 1, 1, tzinfo=UTC)


def decide(state: State, message: Any, _programme: Programme, now: datetime) -> list[Entry]:
    match message:
        case Command(body=Add(points=points)) if points < 0:
            return []
        case Command(body=Add(points=0)):
            raise Refused("points: is nothing")
        case Command(body=Add(points=points)):
            cause = Cause(type=message.kind, id=message.command_id)
            return [Entry(Added(points=points, total=state.total + points), now, cause)]
        case Heard(fact=TurnoverRecorded() | TurnoverReduced() as fact):
            return [Entry(Heeded(amount=fact.amount_minor), now, Cause(type=fact.type, id="x"))]
        case _:
            return []


def evolve(state: State, entry: Entry) -> State:
    match entry.fact:
        case Added(total=total):
            return replace(state, total=total)
        case Heeded(amount=amount):
            return replace(state, heard=state.heard + amount)
        case _:
            return state


def due_at(_state: State, _programme: Programme) -> datetime | None:
    return None


def answer(state: State, _command: Command, entries: Sequence[Entry], _now: datetime) -> Reply:
    if not entries:
        return Reply(409, {"type": "insufficient-points", "available": state.total})
    return Reply(200, {"total": state.total})


class Body(BaseModel):
    points: int


def routes(reader: Reader[State], _programme: object) -> APIRouter:
    router = APIRouter()

    @router.post("/customers/{customer_id}/add")
    async def add(
        who: Annotated[Principal, allow("staff")],
        customer_id: CustomerId,
        body: Body,
        sending: Send,
    ) -> Response:
        return await sending(who, "Add.v1", customer_id, body.model_dump())

    @router.get("/customers/{customer_id}/count")
    async def count(who: Annotated[Principal, allow("staff")], customer_id: CustomerId) -> dict[str, int]:
        head = await reader.head(customer_id)
        state = head.state or State()
        return {"total": state.total, "heard": state.heard, "version": head.version}

    return router


if __name__ == "__main__":
    run(
        Service(
            name="ledger",
            rules=sys.modules[__name__],
            inputs={},
            sisters={
                "turnover": TypeAdapter(Annotated[TurnoverRecorded | TurnoverReduced, Field(discriminator="type")])
            },
            commands={"Add.v1": TypeAdapter(Add)},
            answer=answer,
        ),
        routes,
    )
