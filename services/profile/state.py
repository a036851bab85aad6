"""What profile knows of a customer, and how an entry of the log changes it. Values of a person are boxes."""

from datetime import datetime
from typing import Annotated, Final, Literal

from msgspec import Struct
from msgspec.structs import replace
from pydantic import Field, TypeAdapter

from shared.contracts.profile import (
    BirthdayCame,
    CardIssued,
    CardRevoked,
    CompletionChanged,
    CustomerErased,
    ErasureAccepted,
    ProfileFact,
)
from shared.rulebook.entry import Entry, Note, PartRefused
from shared.rulebook.memory import Memory

NAME: Final = "name"
LOCALE: Final = "locale"
TIME_ZONE: Final = "time_zone"
BIRTHDAY: Final = "fields.birthday"
CLEAR: Final = frozenset({LOCALE, TIME_ZONE})  # kept and published as they are
# Where the address of a channel is kept: the first two are fields of the profile as well.
ADDRESSES: Final = {
    "email": "fields.email",
    "sms": "fields.phone",
    "push": "channels.push",
    "telegram": "channels.telegram",
}
PURPOSES: Final = ("programme", "marketing", "profiling")
HISTORY: Final = 50  # consents of one purpose in a state, the newest; the log has them all


class Kept(Struct, frozen=True, gc=False, array_like=True):
    """A value, or that there is none. `box`: sealed, but for the paths in `CLEAR`. `own`: the customer said it."""

    box: str | None
    at: datetime
    own: bool

    @property
    def rank(self) -> tuple[datetime, bool, str]:
        """The higher wins: the later time, then the customer, then anything that does not depend on the order."""
        return self.at, self.own, self.box or ""


class Consent(Struct, frozen=True, gc=False, array_like=True):
    """A consent given to the version `text`, or withdrawn."""

    granted: bool
    text: str | None
    at: datetime
    own: bool

    @property
    def rank(self) -> tuple[datetime, bool, str, bool]:
        """The higher wins: the later time, then the withdrawal, then anything that does not depend on the order."""
        return self.at, not self.granted, self.text or "", self.own


class Completion(Struct, frozen=True, gc=False, array_like=True):
    """As `CompletionChanged` says it; `missing`: fields with the benefits that they unlock."""

    percent: int
    filled: tuple[str, ...]
    missing: tuple[tuple[str, tuple[str, ...]], ...]


class Erasure(Struct, frozen=True, gc=False, array_like=True):
    """Accepted at a customer's now of `at`; once `done`, nothing else is known."""

    receipt_id: str
    at: datetime
    done: bool = False


class State(Struct, frozen=True, gc=False, omit_defaults=True):
    """What is known of a customer.

    `version`: of the newest event. `clock`: the customer's now when something last happened; `None`: nothing ever did.
    `kept`: values by path; `consents`: by purpose, the one that holds last. `off`: channels that the customer switched
    off. `cards`: those that are valid. `said`: the completion last published; `None`: the CRM has not enrolled them.
    `birth_month`: in clear, so that a timer can be set that does not give the day away. `celebrated`: the year of the
    last birthday published. `memory`: empty, for nothing here has to be told from its repetition: equal ranks do that.
    """

    version: int = 0
    clock: datetime | None = None
    kept: dict[str, Kept] = {}
    consents: dict[str, tuple[Consent, ...]] = {}
    reminders: bool = False
    off: tuple[str, ...] = ()
    cards: tuple[str, ...] = ()
    said: Completion | None = None
    birth_month: int | None = None
    celebrated: int | None = None
    erasure: Erasure | None = None
    memory: Memory = Memory()

    def box(self, path: str) -> str | None:
        """What is kept there."""
        kept = self.kept.get(path)
        return None if kept is None else kept.box


class Memo(Struct, frozen=True, gc=False, omit_defaults=True):
    """What an entry of the log changes beside what its event says.

    `kept`, `consents`, `reminders`, `off`: what is new of a state's. `birth_month`: that of a new birthday. `clock`:
    the customer's now, where that is not the time of the entry.
    """

    kept: dict[str, Kept] = {}
    consents: dict[str, Consent] = {}
    reminders: bool | None = None
    off: tuple[str, ...] | None = None
    birth_month: int | None = None
    clock: datetime | None = None


class ProfileNoted(Note):
    """Something is known that shows nowhere: a value confirmed later, a consent that is not the newest."""

    type: Literal["ProfileNoted.v1"] = "ProfileNoted.v1"


class BirthdayAwaited(Note):
    """It is the month of a birthday, and nothing to celebrate yet."""

    type: Literal["BirthdayAwaited.v1"] = "BirthdayAwaited.v1"


class ValuesRefused(PartRefused):
    """Of a record of the CRM, some parts are bad, and the others count."""

    type: Literal["ValuesRefused.v1"] = "ValuesRefused.v1"


FACTS: Final[TypeAdapter[ProfileFact | ProfileNoted | BirthdayAwaited | ValuesRefused]] = TypeAdapter(
    Annotated[ProfileFact | ProfileNoted | BirthdayAwaited | ValuesRefused, Field(discriminator="type")]
)


def evolve(state: State, entry: Entry) -> State:
    """The state after an entry."""
    fact = entry.fact
    if entry.memo is not None:
        state = apply(state, entry.memo)
    clock: datetime = (entry.memo and entry.memo.clock) or entry.occurred_at
    if state.clock is not None and state.clock > clock:
        clock = state.clock
    version = state.version + entry.public
    match fact:
        case CompletionChanged():
            missing = tuple((one.field, one.unlocks) for one in fact.missing)
            return replace(state, version=version, clock=clock, said=Completion(fact.percent, fact.filled, missing))
        case BirthdayCame(year=year):
            return replace(state, version=version, clock=clock, celebrated=year)
        case CardIssued(card_id=card):
            return replace(state, version=version, clock=clock, cards=(*state.cards, card))
        case CardRevoked(card_id=card):
            cards = tuple(one for one in state.cards if one != card)
            return replace(state, version=version, clock=clock, cards=cards)
        case ErasureAccepted(receipt_id=receipt):
            return replace(state, version=version, clock=clock, cards=(), erasure=Erasure(receipt, clock))
        case CustomerErased(receipt_id=receipt):
            return State(version=version, clock=clock, erasure=Erasure(receipt, clock, done=True))
        case _:
            return replace(state, version=version, clock=clock)


def apply(state: State, memo: Memo) -> State:
    """The state with what a memo brings."""
    kept = {**state.kept, **memo.kept} if memo.kept else state.kept
    consents = state.consents
    if memo.consents:
        consents = consents | {name: remembered(consents.get(name, ()), one) for name, one in memo.consents.items()}
    return replace(
        state,
        kept=kept,
        consents=consents,
        reminders=state.reminders if memo.reminders is None else memo.reminders,
        off=state.off if memo.off is None else memo.off,
        birth_month=memo.birth_month if BIRTHDAY in memo.kept else state.birth_month,
    )


def remembered(history: tuple[Consent, ...], consent: Consent) -> tuple[Consent, ...]:
    """A purpose's history with one more consent, in their order; the same when it is known, or older than all."""
    if consent in history:
        return history
    return tuple(sorted((*history, consent), key=lambda one: one.rank)[-HISTORY:])
