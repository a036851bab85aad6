"""What profile publishes: fields by their names and never a value, and state as it is after the fact."""

from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from shared.contracts.records import Fact, Id, Record

Purpose = Literal["programme", "marketing", "profiling"]
ChannelName = Literal["email", "sms", "push", "telegram"]
Opaque = Annotated[str, Field(max_length=64)]


class CustomerEnrolled(Fact):
    """A customer is known from now on. `via`: who said so."""

    type: Literal["CustomerEnrolled.v1"] = "CustomerEnrolled.v1"
    via: Literal["crm"]


class ProfileChanged(Fact):
    """Values changed. `fields`: their paths in the profile, such as `fields.email`, `name` or `consents.marketing`."""

    type: Literal["ProfileChanged.v1"] = "ProfileChanged.v1"
    fields: tuple[str, ...]


class Channel(Record):
    """`known`: there is an address. `on`: there is one, and the customer has not switched the channel off."""

    known: bool
    on: bool


class Channels(Record):
    """The ways to reach a customer."""

    email: Channel
    sms: Channel
    push: Channel
    telegram: Channel


class Granted(Record):
    """The consents that hold."""

    programme: bool
    marketing: bool
    profiling: bool


class PreferencesChanged(Fact):
    """How a customer wants to be spoken to.

    `locale` (BCP 47) and `time_zone` (IANA) are those in effect: `en` and the programme's where none was named.
    `reminders`: whether an incomplete profile may be brought to mind.
    """

    type: Literal["PreferencesChanged.v1"] = "PreferencesChanged.v1"
    locale: str
    time_zone: str
    channels: Channels
    reminders: bool
    consents: Granted


class Missing(Record):
    """A field that benefits require and nobody has filled, and those benefits."""

    field: Id
    unlocks: tuple[Id, ...]


class CompletionChanged(Fact):
    """How complete the profile is. `percent`: of the fields that benefits require, floored; `complete`: all of them.

    `filled`: every filled field of the programme, required or not.
    """

    type: Literal["CompletionChanged.v1"] = "CompletionChanged.v1"
    percent: Annotated[int, Field(ge=0, le=100)]
    complete: bool
    filled: tuple[Id, ...]
    missing: tuple[Missing, ...]


class BirthdayCame(Fact):
    """A birthday, once a year."""

    type: Literal["BirthdayCame.v1"] = "BirthdayCame.v1"
    year: int


class CardIssued(Fact):
    """A member card."""

    type: Literal["CardIssued.v1"] = "CardIssued.v1"
    card_id: Opaque


class CardRevoked(Fact):
    """A member card that is none any more."""

    type: Literal["CardRevoked.v1"] = "CardRevoked.v1"
    card_id: Opaque


class ErasureAccepted(Fact):
    """From now on nothing happens to this customer but the receipt, and the erasure itself."""

    type: Literal["ErasureAccepted.v1"] = "ErasureAccepted.v1"
    receipt_id: Opaque


class CustomerErased(Fact):
    """The customer's key is destroyed; nobody can read their values any more."""

    type: Literal["CustomerErased.v1"] = "CustomerErased.v1"
    receipt_id: Opaque


ProfileFact = (
    CustomerEnrolled
    | ProfileChanged
    | PreferencesChanged
    | CompletionChanged
    | BirthdayCame
    | CardIssued
    | CardRevoked
    | ErasureAccepted
    | CustomerErased
)
ERASURE: TypeAdapter[ErasureAccepted | CustomerErased] = TypeAdapter(
    Annotated[ErasureAccepted | CustomerErased, Field(discriminator="type")]
)
"""Those facts alone which whoever keeps nothing else of a person must heed."""
PROFILE: TypeAdapter[ProfileFact] = TypeAdapter(Annotated[ProfileFact, Field(discriminator="type")])
