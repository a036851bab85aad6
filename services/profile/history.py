"""What a customer's log holds: the events, and beside them every value and consent that was ever kept. Pure."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from services.profile.state import Memo
from services.profile.views import held, held_consent

Stored = Mapping[str, str]  # an entry as `shared.runtime.log` stores it
_NOTHING = Memo()


def events(entries: Sequence[Stored]) -> list[dict[str, Any]]:
    """The events among some entries (oldest first), newest first."""
    return [json.loads(entry["event"]) for entry in reversed(entries) if "event" in entry]


class Changes:
    """What entries changed of a person, read from the newest to the oldest. Values are sealed."""

    def __init__(self, customer_id: str) -> None:
        self._customer_id = customer_id
        self._later: dict[str, str] = {}  # by path, when the value that took the place of the next one was said

    def of(self, entries: Sequence[Stored]) -> list[dict[str, Any]]:
        """Those of some entries (oldest first), newest first; an event that says everything itself is none.

        Each with the record or request that it came of. `until`: since when another value holds; null for the last.
        """
        return [
            self._change(json.loads(entry.get("event") or entry["note"]), entry.get("memo"))
            for entry in reversed(entries)
            if "event" not in entry or "memo" in entry
        ]

    def _change(self, said: Mapping[str, Any], text: str | None) -> dict[str, Any]:
        memo = _NOTHING if text is None else msgspec.json.decode(text, type=Memo)
        return {
            **{name: said.get(name) for name in ("type", "version", "occurred_at", "recorded_at", "cause", "refused")},
            "values": [self._value(held(self._customer_id, path, kept)) for path, kept in sorted(memo.kept.items())],
            "consents": {purpose: held_consent(one) for purpose, one in sorted(memo.consents.items())},
            "reminders": memo.reminders,
            "switched_off": memo.off,
        }

    def _value(self, value: dict[str, Any]) -> dict[str, Any]:
        until = self._later.get(value["field"])
        self._later[value["field"]] = value["at"]
        return value | {"until": until}
