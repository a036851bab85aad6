"""What the HTTP calls of profile take and give."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from shared.contracts.crm import LONGEST
from shared.contracts.profile import Channels
from shared.contracts.programme import Label
from shared.contracts.records import Cause

CustomerId = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.:-]{1,64}$")]
FieldId = Annotated[str, Field(pattern=r"^[A-Za-z0-9._:-]{1,64}$")]
TextVersion = Annotated[str, Field(pattern=r"^[A-Za-z0-9._:-]{1,64}$")]
Value = Annotated[str, Field(max_length=LONGEST)]
Address = Annotated[str, Field(max_length=2000)]


class Body(BaseModel):
    """What a request says: strictly, and without a word that is not known."""

    model_config = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True)


class Patch(Body):
    """A merge patch (RFC 7396) of the profile: what is absent stays, null clears."""

    fields: Annotated[dict[FieldId, Value | None], Field(max_length=100)] = {}
    name: Value | None = None
    locale: Value | None = None
    time_zone: Value | None = None

    def values(self) -> dict[str, str | None]:
        """What is named, by path."""
        found = {f"fields.{name}": value for name, value in self.fields.items()}
        for path in ("name", "locale", "time_zone"):
            if path in self.model_fields_set:
                found[path] = getattr(self, path)
        return found


class RemindersSetting(Body):
    """Whether an incomplete profile may be brought to mind."""

    on: bool


class ChannelSetting(Body):
    """A channel on or off.

    `address`: of `email` and `sms`, those of the profile; of `push`, a browser's subscription as JSON; of `telegram`,
    the id of the chat. The one that is known stays where none is given.
    """

    on: bool
    address: Address | None = None


class ConsentSetting(Body):
    """A consent given to the version `text`, or withdrawn."""

    granted: bool
    text: TextVersion | None = None


class ContactsWanted(Body):
    """Whom the notifier is about to write to."""

    customer_ids: Annotated[list[CustomerId], Field(max_length=500)]


class MissingField(BaseModel):
    """A field that is not filled, the benefits that it unlocks, and how to ask for it."""

    field: str
    unlocks: list[str]
    label: Label | None
    kind: Literal["email", "phone", "date", "text"] | None


class Consent(BaseModel):
    """A consent that was given to the version `text`, or withdrawn, or never asked for: then `at` is null."""

    granted: bool
    text: str | None
    at: datetime | None


class Consents(BaseModel):
    """By purpose."""

    programme: Consent
    marketing: Consent
    profiling: Consent


class Profile(BaseModel):
    """What a customer has told, and what is missing. `percent`: of the fields that benefits require."""

    customer_id: str
    fields: dict[str, str | None]
    name: str | None
    locale: str
    time_zone: str
    percent: int
    complete: bool
    missing: list[MissingField]
    reminders: bool
    channels: Channels
    consents: Consents
    version: int


class Held(BaseModel):
    """A value as it is held; null: it was cleared."""

    field: str
    value: str | None
    at: datetime
    said_by: Literal["customer", "crm"]


class HeldConsent(Consent):
    """A consent as it is held."""

    said_by: Literal["customer", "crm"]


class HeldCompletion(BaseModel):
    """The completion last published."""

    percent: int
    filled: list[str]


class HeldBefore(Held):
    """A value that was said `at` that time. `until`: since when another one holds; null: it is the last."""

    until: datetime | None


class Change(BaseModel):
    """What an entry of the log changed, and what led to it: a record of the CRM, or a request.

    `version`: of the event that says so; null: only the log does. `reminders`, `switched_off`: null where it did not
    change them. `refused`: of a record of the CRM, the parts that are bad and why.
    """

    type: str
    version: int | None
    occurred_at: datetime
    recorded_at: datetime
    cause: Cause
    refused: str | None
    values: list[HeldBefore]
    consents: dict[str, HeldConsent]
    reminders: bool | None
    switched_off: list[str] | None


class Export(BaseModel):
    """Everything held of a person.

    `consents`: the last 50 for each purpose. `events`: all that were published; `history`: all values and consents that
    ever were, as they came. Both newest first.
    """

    customer_id: str
    values: list[Held]
    consents: dict[str, list[HeldConsent]]
    reminders: bool
    switched_off: list[str]
    cards: list[str]
    completion: HeldCompletion | None
    birth_month: int | None
    last_birthday_announced: int | None
    events: list[dict[str, Any]]
    history: list[Change]
    version: int


class Receipt(BaseModel):
    """The erasure is accepted."""

    receipt_id: str


class Card(BaseModel):
    """A member card."""

    card_id: str


class CardOwner(BaseModel):
    """Whose card it is."""

    customer_id: str


class ContactChannel(BaseModel):
    """An address. `ref`: opaque; another address has another one."""

    address: str
    ref: str


class Contact(BaseModel):
    """How to reach a customer, by channel: those of which an address is known."""

    customer_id: str
    name: str | None
    channels: dict[str, ContactChannel]


class Contacts(BaseModel):
    """Those who are known, in the order in which they were asked for."""

    items: list[Contact]


class LackedField(BaseModel):
    """How many customers lack a field that benefits require."""

    field: str
    customers: int


class PercentShare(BaseModel):
    """How many customers are so far."""

    percent: int
    customers: int


class Completions(BaseModel):
    """How complete profiles are: customers by percent, ascending, and the missing fields, most frequent first."""

    customers: int
    percent: list[PercentShare]
    missing: list[LackedField]
