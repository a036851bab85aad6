"""What the notifier shows: the queue of the sender, and what a customer was sent, or not, and why."""

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

from services.notifier.state import Message, State, channel_of
from services.notifier.templates.params import stored, template_of
from shared.runtime.rules import View

DELIVERIES: Final = "deliveries"
_STATUS: Final = {
    "NotificationSent.v1": "sent",
    "NotificationFailed.v1": "failed",
    "NotificationSuppressed.v1": "suppressed",
    "NotificationWithdrawn.v1": "withdrawn",
}


def deliveries(customer_id: str, before: State, after: State) -> Iterable[View]:
    """The documents from which the sender takes messages: one for each that is queued, gone when it no longer is.

    What did not change is not written again: the sender marks what it has taken.
    """
    old, new = dict(_documents(customer_id, before)), dict(_documents(customer_id, after))
    for identity in old.keys() - new.keys():
        yield View(DELIVERIES, identity, None)
    for identity, document in new.items():
        if old.get(identity) != document:
            yield View(DELIVERIES, identity, document)


def _documents(customer_id: str, state: State) -> Iterable[tuple[str, dict[str, Any]]]:
    for key, slot in state.slots.items():
        message = slot.queued
        if message is not None:
            channel = channel_of(key)
            yield (
                message.id,
                {
                    "status": "queued",
                    "customer": customer_id,
                    "template": template_of(message.params),
                    "channel": channel,
                    "params": stored(message.params),
                    "locale": state.preferences.locale if state.preferences else "en",
                    "attempt": message.attempt,
                    "change": message.change,
                    "at": message.at,
                    "due": message.due,
                    "avoid": state.bad.get(channel),
                },
            )


def open_items(state: State) -> list[dict[str, Any]]:
    """What `GET /customers/{id}/notifications` lists of messages that are not sent yet; times in UTC (RFC 3339).

    `at`: of what led to the message. `reason`: why it waits: for the next day (`cap`), for the end of quiet hours, for
    the one before it, or for the customer's preferences; `None` once the sender may take it, `retry` after an attempt.
    """
    items: list[dict[str, Any]] = []
    for key, slot in state.slots.items():
        channel = channel_of(key)
        if slot.queued is not None:
            items.append(_item(slot.queued, channel, "retry" if slot.queued.attempt > 1 else None))
        for place, message in enumerate(slot.held):
            if state.preferences is None:
                why = "preferences"
            elif place or slot.queued is not None:
                why = "order"
            else:
                why = "cap" if message.capped else "quiet_hours"
            items.append(_item(message, channel, why))
    return sorted(items, key=lambda item: item["at"], reverse=True)


def ended_item(event: bytes) -> Mapping[str, Any]:
    """What the same list shows of an event. `at`: when it was sent, failed, was suppressed or withdrawn."""
    found = json.loads(event)
    return {
        "version": found["version"],
        **{field: found[field] for field in ("notification_id", "template", "channel")},
        "status": _STATUS[found["type"]],
        "reason": found["reason"],
        "at": found["occurred_at"],
    }


def _item(message: Message, channel: str, reason: str | None) -> dict[str, Any]:
    return {
        "version": None,
        "notification_id": message.id,
        "template": template_of(message.params),
        "channel": channel,
        "status": "queued",
        "reason": reason,
        "at": message.at.isoformat().replace("+00:00", "Z"),
    }
