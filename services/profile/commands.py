"""What profile is asked to do over HTTP: the bodies of its commands. Values of a person are sealed."""

from collections.abc import Mapping
from typing import Any, Final

from pydantic import Field, TypeAdapter

from shared.contracts.profile import ChannelName, Purpose
from shared.contracts.records import Id, Moment, Record


class Request(Record):
    """Every request. `sent_at`: stamped by the API; it decides which of an edit and a CRM record is later."""

    sent_at: Moment


class EditProfile(Request):
    """Other values, as boxes by their paths in the profile (`fields.email`, `name`)."""

    values: dict[str, str | None] = Field(repr=False)


class SetReminders(Request):
    """Whether an incomplete profile may be brought to mind."""

    on: bool


class SetChannel(Request):
    """A channel switched on or off. `address`: a box; the one that is known stays where it is absent."""

    channel: ChannelName
    on: bool
    address: str | None = Field(default=None, repr=False)


class SetConsent(Request):
    """A consent given to a version of a text, or withdrawn."""

    purpose: Purpose
    granted: bool
    text: Id | None = None


class IssueCard(Request):
    """One more member card."""


class RevokeCard(Request):
    """A member card is lost."""

    card_id: str


class Erase(Request):
    """The customer wants to be forgotten."""


COMMANDS: Final[Mapping[str, TypeAdapter[Any]]] = {
    "EditProfile.v1": TypeAdapter(EditProfile),
    "SetReminders.v1": TypeAdapter(SetReminders),
    "SetChannel.v1": TypeAdapter(SetChannel),
    "SetConsent.v1": TypeAdapter(SetConsent),
    "IssueCard.v1": TypeAdapter(IssueCard),
    "RevokeCard.v1": TypeAdapter(RevokeCard),
    "Erase.v1": TypeAdapter(Erase),
}
