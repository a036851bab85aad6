"""What turnover knows of a customer, and how an entry of the log changes it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Final, Literal

from msgspec import Struct
from msgspec.structs import replace
from pydantic import Field, TypeAdapter

from services.turnover.purchases import Item
from services.turnover.tiers import Year
from shared.contracts.records import Id
from shared.contracts.turnover import TierChanged, TurnoverFact, TurnoverRecorded, TurnoverReduced, YearTurned
from shared.rulebook.entry import Entry, Note
from shared.rulebook.memory import Memory


class State(Struct, frozen=True, gc=False, omit_defaults=True):
    """What is known of a customer. Amounts are minor units of the programme's currency.

    `clock`: the customer's now when something last happened; `None`: nothing ever did.
    `tier`: held since then; `None`: the first. `years`: by calendar year, those with a purchase or return. `days`: the
    nets of a rolling window's local days (ISO), those that are not zero; empty where turnover is counted by year.
    `erased`: the customer asked to be forgotten; sums stay under an id that tells nothing, and nothing is added.
    """

    clock: datetime | None = None
    tier: str | None = None
    years: dict[int, Year] = {}
    days: dict[str, int] = {}
    memory: Memory = Memory()
    erased: bool = False


class Memo(Struct, frozen=True, gc=False, omit_defaults=True):
    """What an entry of the log says beside its event.

    `items`: what the memory keeps from now on, by key. `day`: on which the event counts in a rolling window. `left`:
    the days that left it. `clock`: the customer's now, where that is ahead of the record.
    """

    items: dict[str, Item] = {}
    day: str | None = None
    left: list[str] = []
    clock: datetime | None = None


class ReturnWaits(Note):
    """A return named a purchase that nobody has seen yet."""

    type: Literal["ReturnWaits.v1"] = "ReturnWaits.v1"
    return_id: Id


class ErasureNoted(Note):
    """Profile says that the customer is to be forgotten."""

    type: Literal["ErasureNoted.v1"] = "ErasureNoted.v1"


FACTS: Final[TypeAdapter[TurnoverFact | ReturnWaits | ErasureNoted]] = TypeAdapter(
    Annotated[TurnoverFact | ReturnWaits | ErasureNoted, Field(discriminator="type")]
)
_NOTHING: Final = Memo()
_EMPTY: Final = Year()


def evolve(state: State, entry: Entry) -> State:
    """The state after an entry."""
    memo: Memo = entry.memo or _NOTHING
    clock, memory = memo.clock or entry.occurred_at, state.memory
    if state.clock is not None and state.clock > clock:
        clock = state.clock
    for key, item in memo.items.items():
        memory = memory.put(key, item)
    match entry.fact:
        case TurnoverRecorded() as fact:
            return State(
                clock=clock,
                tier=fact.standing.tier,
                years=_counted(state.years, fact.year, fact.amount_minor, 0),
                days=_moved(state.days, memo.day, fact.amount_minor),
                memory=memory,
                erased=state.erased,
            )
        case TurnoverReduced() as fact:
            return State(
                clock=clock,
                tier=fact.standing.tier,
                years=_counted(state.years, fact.year, 0, fact.amount_minor),
                days=_moved(state.days, memo.day, -fact.amount_minor),
                memory=memory,
                erased=state.erased,
            )
        case YearTurned() as fact:
            days = {day: net for day, net in state.days.items() if day not in memo.left}
            return replace(state, clock=clock, tier=fact.standing.tier, days=days)
        case TierChanged() as fact:
            return replace(state, clock=clock, tier=fact.to)
        case ErasureNoted():
            return replace(state, erased=True)
        case _:  # a return that was refused or waits
            return replace(state, clock=clock, memory=memory)


def _counted(years: Mapping[int, Year], year: int, purchases: int, returns: int) -> dict[int, Year]:
    before = years.get(year, _EMPTY)
    return {**years, year: Year(before.purchases + purchases, before.returns + returns)}


def _moved(days: dict[str, int], day: str | None, minor: int) -> dict[str, int]:
    if day is None:
        return days
    net = days.get(day, 0) + minor
    return {**days, day: net} if net else {other: sum_ for other, sum_ in days.items() if other != day}
