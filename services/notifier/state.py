"""What the notifier knows of a customer, and how an entry of the log changes it. No address, no name, no value."""

from datetime import date, datetime
from typing import Annotated, Any, Final, Literal

from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import asdict, replace
from pydantic import Field, TypeAdapter

from services.notifier.templates.params import MissingField, Params, template_of
from shared.contracts.notifier import NotifierFact
from shared.contracts.records import Id, Moment
from shared.rulebook.entry import Entry, Note
from shared.rulebook.memory import Memory


class Preferences(Struct, frozen=True, gc=False):
    """How a customer wants to be spoken to. `known`: channels with an address. `on`: those that are switched on.

    `consent`: to messages of the programme.
    """

    locale: str
    time_zone: str
    known: tuple[str, ...]
    on: tuple[str, ...]
    reminders: bool
    consent: bool


class Completion(Struct, frozen=True, gc=False):
    """What a profile lacks; complete where nothing is missing."""

    percent: int
    missing: tuple[MissingField, ...]


class Message(Struct, frozen=True, gc=False, omit_defaults=True):
    """A message to one channel that is not sent yet.

    `key`: what makes its id, with template and channel. `cause`: type and id of the event. `at`: its business time.
    `since`: the customer's now when it took its place. `until`: of one that waits, when it may go; `None` while it
    waits for the one before it, or for the customer's preferences. `capped`: the cap has held it back.
    `attempt`: the next one, from 1. `change`: counts how often what it says changed while it was queued. `due`: the
    sender's time of the next attempt; `None` for at once.
    """

    id: str
    key: str
    params: Params
    cause: tuple[str, str]
    at: datetime
    since: datetime
    until: datetime | None = None
    capped: bool = False
    attempt: int = 1
    change: int = 0
    due: datetime | None = None


class Recalled(Struct, frozen=True, gc=False, omit_defaults=True):
    """A queued message that was withdrawn, and that may be on its way for all that. `instead`: what is true then."""

    id: str
    instead: Message | None = None


class Slot(Struct, frozen=True, gc=False, omit_defaults=True):
    """One template in one channel: one message is queued at most, the others wait behind it.

    `day`: the local day on which the last was sent. `told`: what that said.
    """

    queued: Message | None = None
    held: tuple[Message, ...] = ()
    day: date | None = None
    told: Params | None = None
    recalled: Recalled | None = None


class State(Struct, frozen=True, gc=False, omit_defaults=True):
    """What is known of a customer.

    `clock`: the newest business time of a purchase, a return or a movement of points that led to anything.
    `preferences`, `completion`: as profile last said; `None`: it never did. `reminded`: since when reminders run, or
    when the last one was due; `None`: they do not run. `bad`: by channel, the `ref` of the address that was rejected.
    `stage`: how far erasure has come.
    """

    customer_id: str
    clock: datetime | None = None
    preferences: Preferences | None = None
    completion: Completion | None = None
    reminded: datetime | None = None
    bad: dict[str, str] = {}
    stage: Literal["", "accepted", "erased"] = ""
    slots: dict[str, Slot] = {}
    memory: Memory = Memory()


class Memo(Struct, frozen=True, gc=False, omit_defaults=True):
    """The parts of the state that an entry replaces; of `slots`, those that are named."""

    clock: datetime | UnsetType = UNSET
    preferences: Preferences | UnsetType = UNSET
    completion: Completion | UnsetType = UNSET
    reminded: datetime | UnsetType | None = UNSET
    bad: dict[str, str] | UnsetType = UNSET
    stage: Literal["accepted", "erased"] | UnsetType = UNSET
    slots: dict[str, Slot] = {}


class Noted(Note):
    """A sister service said something that is remembered, or reminders began or ended."""

    type: Literal["Noted.v1"] = "Noted.v1"
    what: Literal["preferences", "completion", "reminders", "erasure", "address"]


class Placed(Note):
    """A message is queued, or waits until then; of one that was tried before, `attempt` is the next."""

    type: Literal["Placed.v1"] = "Placed.v1"
    notification_id: Id
    template: Id
    channel: Id
    status: Literal["queued", "held"]
    until: Moment | None
    attempt: int


FACTS: Final[TypeAdapter[NotifierFact | Noted | Placed]] = TypeAdapter(
    Annotated[NotifierFact | Noted | Placed, Field(discriminator="type")]
)
_EMPTY: Final = Slot()


def slot_key(template: str, channel: str) -> str:
    """The name of a slot. Names of templates and channels hold no slash."""
    return f"{template}/{channel}"


def key_of(message: Message, channel: str) -> str:
    """The slot of a message in a channel."""
    return slot_key(template_of(message.params), channel)


def channel_of(key: str) -> str:
    """The channel of a slot."""
    return key.partition("/")[2]


def evolve(state: State, entry: Entry) -> State:
    """The state after an entry."""
    memo: Memo | None = entry.memo
    if memo is None:
        return state
    parts: dict[str, Any] = {
        name: value for name, value in asdict(memo).items() if name != "slots" and value is not UNSET
    }
    if parts.get("stage") == "erased":
        return State(customer_id=state.customer_id, stage="erased")
    if memo.slots:
        parts["slots"] = {key: slot for key, slot in {**state.slots, **memo.slots}.items() if slot != _EMPTY}
    return replace(state, **parts)
