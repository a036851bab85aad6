"""What the ledger knows of a customer, and how an entry of the log changes it."""

from datetime import datetime
from typing import Annotated, Final, Literal

from msgspec import Struct
from msgspec.structs import replace
from pydantic import Field, TypeAdapter

from services.ledger.benefits import state as benefits
from services.ledger.benefits.state import BasisNoted, Benefits
from services.ledger.points import evolving
from services.ledger.points.account import Expired, Item, Points
from shared.contracts.ledger import (
    BenefitLocked,
    BenefitRevoked,
    BenefitUnlocked,
    BenefitUsed,
    LedgerFact,
    Movement,
    PointsExpired,
)
from shared.contracts.records import Fact
from shared.rulebook.entry import Entry, Note
from shared.rulebook.memory import Memory


class State(Struct, frozen=True, gc=False, omit_defaults=True):
    """What is known of a customer.

    `clock`: the time of their newest purchase or return that was heard of; `None`: of none yet. `erased`: erasure was
    accepted, nothing counts any more.
    """

    clock: datetime | None = None
    erased: bool = False
    points: Points = Points()
    benefits: Benefits = Benefits()
    memory: Memory = Memory()


class Memo(Struct, frozen=True, gc=False, omit_defaults=True):
    """What an entry of the log says beside its event.

    `items`: what the memory keeps from now on, by key. `clock`: of the purchase or return that led here, if it is the
    newest. `basis`: what benefits rest on from now on.
    """

    items: dict[str, Item] = {}
    clock: datetime | None = None
    basis: benefits.Basis | None = None


class Noticed(Note):
    """A purchase or a return that moved no points."""

    type: Literal["Noticed.v1"] = "Noticed.v1"


class AccountClosed(Note):
    """The customer's erasure was accepted."""

    type: Literal["AccountClosed.v1"] = "AccountClosed.v1"


FACTS: Final[TypeAdapter[LedgerFact | Noticed | AccountClosed | BasisNoted]] = TypeAdapter(
    Annotated[LedgerFact | Noticed | AccountClosed | BasisNoted, Field(discriminator="type")]
)
_NOTHING: Final = Memo()


def evolve(state: State, entry: Entry) -> State:
    """The state after an entry."""
    memo: Memo = entry.memo or _NOTHING
    clock, memory, fact = memo.clock or state.clock, state.memory, entry.fact
    for key, item in memo.items.items():
        memory = memory.put(key, item)
    match fact:  # movements first: nearly all entries are
        case PointsExpired():
            for lot, points in evolving.expired(state.points, fact).items():
                if lot.startswith("p:"):
                    memory = memory.put(expired_key(lot), Expired(points))
        case Movement():
            pass
        case BenefitUnlocked() | BenefitLocked() | BenefitUsed() | BenefitRevoked() | BasisNoted():
            after = benefits.evolve(state.benefits, fact, entry.occurred_at, memo.basis)
            return replace(state, benefits=after)
        case Noticed():
            return replace(state, clock=clock, memory=memory)
        case AccountClosed():
            return replace(state, erased=True)
        case _:
            pass
    assert isinstance(fact, Fact)
    return replace(state, clock=clock, points=evolving.evolve(state.points, fact), memory=memory)


def purchase_key(store_id: str, purchase_id: str) -> str:
    """Where memory keeps a purchase; also the id of its lot. Ids hold no slash."""
    return f"p:{store_id}/{purchase_id}"


def expired_key(lot_id: str) -> str:
    """Where memory keeps what has expired of a purchase's lot."""
    return f"x:{lot_id[2:]}"


def redemption_key(redemption_id: str) -> str:
    """Where memory keeps a redemption whose hold is over."""
    return f"h:{redemption_id}"
