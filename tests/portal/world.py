"""A customer of the portal on plain values: what the other services say, and what the page then shows."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

import yaml

from services.portal import history, model, rules, status, views
from services.portal.account import Account
from services.portal.texts import Say, language_of
from shared.contracts.coherence import parse_programme
from shared.contracts.ledger import LEDGER
from shared.contracts.notifier import NOTIFIER
from shared.contracts.profile import PROFILE
from shared.contracts.records import Envelope
from shared.contracts.turnover import TURNOVER
from shared.rulebook.entry import Entry
from shared.rulebook.programme import Programme
from shared.runtime.rules import Heard, View

CUSTOMER = "c-1"
ADAPTERS: Mapping[str, Any] = {"profile": PROFILE, "turnover": TURNOVER, "ledger": LEDGER, "notifier": NOTIFIER}
DEFAULT = Path(__file__).parents[2] / "deploy" / "programme.yaml"
PROGRAMME = Programme([parse_programme(yaml.safe_load(DEFAULT.read_text(encoding="utf-8")))])


def at(text: str) -> datetime:
    """A UTC time from text; a bare day is its noon."""
    return datetime.fromisoformat(text if "T" in text else f"{text}T12:00:00Z").astimezone(UTC)


class Customer:
    """Hears events, and keeps state, log and documents as the runtime would."""

    def __init__(self, customer_id: str = CUSTOMER, programme: Programme = PROGRAMME) -> None:
        self.customer_id = customer_id
        self.programme = programme
        self.state: Account = rules.initial(customer_id)
        self.log: list[Entry] = []
        self.views: dict[tuple[str, str], View] = {}
        self._versions: dict[str, int] = {}

    def hears(self, service: str, event: str, when: str = "2026-03-01", /, **fields: Any) -> Self:
        """An event of a sister service, with the next version."""
        version = self._versions[service] = self._versions.get(service, 0) + 1
        moment = at(when).isoformat()
        record = {
            "type": event,
            "customer_id": self.customer_id,
            "version": version,
            "occurred_at": moment,
            "recorded_at": moment,
            "cause": {"type": "Test.v1", "id": "1"},
            "programme_version": 1,
            **fields,
        }
        text = json.dumps(record)
        heard = Heard(service, Envelope.model_validate_json(text), ADAPTERS[service].validate_json(text))
        before = self.state
        entries = rules.decide(self.state, heard, self.programme, rules.now(self.state, heard, None))
        for entry in entries:
            self.state = rules.evolve(self.state, entry)
        self.log += entries
        shown = views.accounts(self.customer_id, before, self.state)
        for view in [*shown, *(line for entry in entries for line in views.lines(self.customer_id, entry))]:
            self.views[view.collection, view.id] = view
        return self

    def lines(self) -> list[views.Line]:
        """The history, newest first, as the database gives it."""
        found = sorted(
            ((view.id, view.document) for view in self.views.values() if view.collection == views.HISTORY), reverse=True
        )
        return [views.line_of(dict(document or {})) for _, document in found]

    def shows(self, tag: str = "en", now: str | None = None) -> model.MyBonus:
        """What the page says."""
        moment = at(now) if now else self.state.clock or at("2026-03-01")
        zone = self.state.preferences.time_zone if self.state.preferences else None
        say = Say(language_of(tag) or "en", self.programme, self.programme.versions[-1], tag, zone)
        items = history.items(self.lines(), say)
        shown = model.History(items=items, next=None)
        return status.my_bonus(self.customer_id, self.state, self.programme, moment, say, shown)

    def say(self, tag: str = "en") -> Say:
        """How the page speaks."""
        zone = self.state.preferences.time_zone if self.state.preferences else None
        return Say(language_of(tag) or "en", self.programme, self.programme.versions[-1], tag, zone)
