"""A decision under way: the state so far, and the entries that led there."""

from datetime import datetime
from hashlib import blake2b
from typing import Any

from services.notifier.policy import zone
from services.notifier.state import Memo, Message, Noted, Placed, Slot, State, channel_of, evolve, key_of
from services.notifier.templates.params import template_of
from shared.contracts.notifier import (
    NotificationFailed,
    NotificationSent,
    NotificationSuppressed,
    NotificationWithdrawn,
)
from shared.contracts.records import Cause, Fact
from shared.rulebook.entry import Entry, Note
from shared.rulebook.programme import Programme

_NOBODY = Slot()


class Course:
    """Collects entries in the order in which they follow, and folds each at once, so that the next one builds on it."""

    def __init__(self, state: State, programme: Programme, now: datetime, clock: datetime | None = None) -> None:
        """`now`: the customer's. `clock`: what the state's is to be from the first entry on."""
        self.state, self.programme, self.now = state, programme, now
        self.entries: list[Entry] = []
        self._clock = clock

    @property
    def zone(self) -> str:
        """The customer's time zone."""
        return zone(self.state, self.programme)

    @property
    def version(self) -> int:
        """The number of the programme's version in force."""
        return (self.programme.in_force(self.now) or self.programme.versions[0]).number

    def slot(self, key: str) -> Slot:
        """One template in one channel, as it is now."""
        return self.state.slots.get(key, _NOBODY)

    def add(self, fact: Fact | Note, cause: Cause, programme: int | None = None, **parts: Any) -> None:
        """An entry; `parts` are those of the state that it replaces."""
        if self._clock is not None:
            parts["clock"], self._clock = self._clock, None
        entry = Entry(fact, self.now, cause, programme, Memo(**parts) if parts else None)
        self.state = evolve(self.state, entry)
        self.entries.append(entry)

    def note(self, what: Any, cause: Cause, **parts: Any) -> None:
        """Something is remembered."""
        self.add(Noted(what=what), cause, **parts)

    def place(self, key: str, slot: Slot, message: Message) -> None:
        """A message has its place in a slot: it is queued there, or waits."""
        fact = Placed(
            notification_id=message.id,
            template=template_of(message.params),
            channel=channel_of(key),
            status="queued" if slot.queued is message else "held",
            until=message.due if slot.queued is message else message.until,
            attempt=message.attempt,
        )
        self._about(fact, key, slot, message)

    def sent(self, key: str, slot: Slot, message: Message, attempt: int) -> None:
        """A server took a message over."""
        self._about(NotificationSent(**_names(key, message), attempts=attempt), key, slot, message)

    def failed(self, key: str, slot: Slot, message: Message, reason: str) -> None:
        """A message will not arrive."""
        self._about(NotificationFailed(**_names(key, message), reason=reason), key, slot, message)

    def suppressed(self, key: str, slot: Slot, message: Message, reason: str) -> None:
        """A message was not to be sent at all."""
        self._about(NotificationSuppressed(**_names(key, message), reason=reason), key, slot, message)

    def withdrawn(self, key: str, slot: Slot, message: Message, reason: str) -> None:
        """A message is not to be sent any more."""
        self._about(NotificationWithdrawn(**_names(key, message), reason=reason), key, slot, message)

    def _about(self, fact: Fact | Note, key: str, slot: Slot, message: Message) -> None:
        cause = Cause(type=message.cause[0], id=message.cause[1])
        parts = {} if slot is self.slot(key) else {"slots": {key: slot}}
        self.add(fact, cause, message.params.programme_version, **parts)


def message_id(customer_id: str, template: str, channel: str, key: str) -> str:
    """The id of a message: the same for the same cause, however often it is decided. 32 hexadecimal digits."""
    return blake2b(f"{customer_id}/{template}/{channel}/{key}".encode(), digest_size=16).hexdigest()


def _names(key: str, message: Message) -> dict[str, Any]:
    channel = channel_of(key)
    assert key_of(message, channel) == key
    return {"notification_id": message.id, "template": template_of(message.params), "channel": channel}
