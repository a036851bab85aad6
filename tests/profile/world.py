"""Customers on plain values: given what came before, when a message comes, then these events follow."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Self

import msgspec

from services.profile import rules, views
from services.profile.answers import answer
from services.profile.commands import COMMANDS
from services.profile.rules import State
from shared.contracts.clock import TICK
from shared.contracts.coherence import parse_programme
from shared.contracts.crm import CRM
from shared.contracts.notifier import NOTIFIER
from shared.contracts.records import Cause, Envelope, read, wire
from shared.rulebook.entry import Entry, Note, PartRefused
from shared.rulebook.programme import Programme
from shared.rulebook.sealed import cleared
from shared.runtime.rules import Command, Heard, Opened, Reply, View
from shared.sealing import Sealer

CUSTOMER = "c-1"
SEALER = Sealer(CUSTOMER, bytes(range(64)))
LABEL = {"en": "x", "de": "x", "ru": "x"}
FIELDS = {"email": "email", "phone": "phone", "birthday": "date", "address": "text"}
NEEDS = {
    "welcome_points": ["email"],
    "birthday_gift": ["birthday", "email"],
    "till_reminder": ["phone"],
    "catalogue": ["address"],
}
EMAIL, PHONE, BIRTHDAY, ADDRESS = "anna@example.org", "+4930123456", "1980-03-17", "Lindenstraße 1, Berlin"
WHOLE = {"email": EMAIL, "phone": PHONE, "birthday": BIRTHDAY, "address": ADDRESS}
Message = dict[str, Any] | Command | Heard


def terms(version: int = 1, effective_from: str = "2005-01-01", **changes: Any) -> dict[str, Any]:
    """A programme document in Berlin. `fields`: kinds by id; `needs`: the fields that each benefit names."""
    fields, needs = changes.get("fields", FIELDS), changes.get("needs", NEEDS)
    return {
        "version": version,
        "effective_from": effective_from,
        "currency": "EUR",
        "time_zone": "Europe/Berlin",
        "turnover": {"window": "calendar_year", "status_validity": "end_of_next_year", "basis": "gross"},
        "returns": {"window": "P2Y"},
        "tiers": [{"id": "bronze", "label": LABEL, "from_minor": 0, "earn_multiplier": "1"}],
        "points": {"per_minor": 100, "pending": "P14D", "expiry": "P12M", "value_minor": 1, "hold": "PT15M"},
        "profile": {
            "fields": [
                {"id": field, "kind": kind, "label": {"en": f"The {field}", "de": f"Das {field}", "ru": f"Это {field}"}}
                for field, kind in fields.items()
            ]
        },
        "benefits": [
            {"id": benefit, "kind": "perk", "label": LABEL, "requires": {"fields": named}}
            for benefit, named in needs.items()
        ],
        "reminders": {"every": "P7D", "at": "10:00"},
    }


def programme_of(*documents: dict[str, Any]) -> Programme:
    """All those versions."""
    return Programme([parse_programme(one) for one in documents])


def at(text: str) -> datetime:
    """A UTC time from text; a bare day is its noon."""
    found = datetime.fromisoformat(text if "T" in text else f"{text}T12:00:00Z")
    return found.astimezone(UTC)


def crm(when: str = "2010-12-01", /, fields: Any = None, **parts: Any) -> dict[str, Any]:
    """The raw record of the CRM that names these fields and parts."""
    record = {"type": "CustomerUpserted.v1", "customer_id": CUSTOMER, "occurred_at": at(when).isoformat()}
    return record | ({} if fields is None else {"fields": fields}) | parts


def wish_to_be_forgotten(when: str = "2011-01-01") -> dict[str, Any]:
    """The CRM's request to erase the customer."""
    return {"type": "CustomerErasureRequested.v1", "customer_id": CUSTOMER, "occurred_at": at(when).isoformat()}


def tick(when: str) -> dict[str, Any]:
    """The raw record of a tick."""
    return {"type": "Tick.v1", "now": at(when).isoformat()}


def asked(kind: str, when: str = "2011-02-01", **said: Any) -> Command:
    """A request as the service reads it from its own topic, after the API stamped it."""
    body = said | {"type": kind, "sent_at": at(when).isoformat()}
    identity = f"07-{sha256(json.dumps(body).encode()).hexdigest()[:32]}"
    return Command(identity, kind, CUSTOMER, CUSTOMER, COMMANDS[kind].validate_json(json.dumps(body)))


def edit(when: str = "2011-02-01", /, fields: Mapping[str, str | None] | None = None, **parts: str | None) -> Command:
    """The customer's edit, its values sealed as the API does."""
    texts: dict[str, str | None] = {f"fields.{name}": text for name, text in (fields or {}).items()} | parts
    return asked("EditProfile.v1", when, values={path: boxed(path, text) for path, text in texts.items()})


def boxed(path: str, text: str | None) -> str | None:
    """A value of the customer as it is kept."""
    return None if text is None else SEALER.seal(path, text)


def channel(name: str, on: bool, address: str | None = None, when: str = "2011-02-01") -> Command:
    """The customer switches a channel."""
    path = {"email": "fields.email", "sms": "fields.phone"}.get(name, f"channels.{name}")
    return asked("SetChannel.v1", when, channel=name, on=on, address=boxed(path, address))


def consent(purpose: str, granted: bool, text: str | None = "2011-1", when: str = "2011-02-01") -> Command:
    """The customer gives or withdraws a consent."""
    return asked("SetConsent.v1", when, purpose=purpose, granted=granted, text=text)


def notified(kind: str = "NotificationSent.v1", template: str = "erasure_receipt", when: str = "2011-01-01") -> Heard:
    """The notifier says what became of a message."""
    envelope = Envelope(
        type=kind,
        customer_id=CUSTOMER,
        version=1,
        occurred_at=at(when),
        recorded_at=at(when),
        cause=Cause(type="ErasureAccepted.v1", id="x"),
    )
    own = {"type": kind, "notification_id": "n-1", "template": template, "channel": "email"}
    own |= {"attempts": 1} if kind == "NotificationSent.v1" else {"reason": "rejected"}
    return Heard("notifier", envelope, NOTIFIER.validate_json(json.dumps(own)))


def message_of(raw: Message) -> Any:
    """A message as a service reads it."""
    if not isinstance(raw, dict):
        return raw
    value = json.dumps(raw).encode()
    return read(TICK, value) if raw["type"] == "Tick.v1" else read(CRM, value)


class Customer:
    """A customer with a log, kept as the runtime keeps them, in plain dictionaries."""

    def __init__(self, programme: Programme) -> None:
        self.programme = programme
        self.state: State = rules.initial(CUSTOMER)
        self.log: list[Entry] = []
        self.views: dict[tuple[str, str], Any] = {}
        self.tick: datetime | None = None
        self.reply: Reply | None = None

    @property
    def sealer(self) -> Sealer | None:
        return None if rules.forgotten(self.state) else SEALER

    @property
    def totals(self) -> dict[str, int]:
        """What the customer adds to the sums over all."""
        return dict(rules.totals(rules.initial(CUSTOMER), self.state))

    def take(self, raw: Message) -> list[Entry]:
        """What one message leads to; it has taken effect afterwards."""
        message, before = message_of(raw), self.state
        now = rules.now(before, message, self.tick)
        if isinstance(raw, dict) and raw["type"] == "Tick.v1":
            self.tick = now if self.tick is None else max(self.tick, at(raw["now"]))
        entries = rules.decide(before, Opened(message, self.sealer), self.programme, now)
        for entry in entries:
            self.state = rules.evolve(self.state, entry)
        self.log += entries
        for view in views.cards(CUSTOMER, before, self.state):
            self._show(view)
        due = rules.due_at(self.state, self.programme)
        if isinstance(raw, dict) and raw["type"] == "Tick.v1":
            assert due is None or due > message.now
        if isinstance(message, Command):
            self.reply = answer(self.state, message, entries, now)
        return entries

    def _show(self, view: View) -> None:
        if view.document is None:
            self.views.pop((view.collection, view.id), None)
        else:
            self.views[view.collection, view.id] = view.document

    def profile(self) -> dict[str, Any]:
        """What `GET /customers/{id}/profile` answers."""
        now = max(one for one in (self.tick, self.state.clock, at("2005-06-01")) if one is not None)
        version = self.programme.in_force(now)
        assert version is not None
        return opened(views.described(views.profile(CUSTOMER, self.state), version))

    def rebuilt(self) -> State:
        """The state folded anew from the log as it lies in the database: bytes."""
        state = rules.initial(CUSTOMER)
        for version, entry in enumerate(self.log):
            text = stored(entry, version)
            memo = msgspec.json.decode(msgspec.json.encode(entry.memo), type=rules.Memo | None)
            head = Envelope.model_validate_json(text)
            fact = rules.FACTS.validate_json(text)
            state = rules.evolve(state, Entry(fact, head.occurred_at, head.cause, head.programme_version, memo))
            state = msgspec.json.decode(msgspec.json.encode(state), type=State)
        return state

    def everything(self) -> str:
        """All that the runtime would store or publish of the customer."""
        entries = [(stored(each, 1), msgspec.json.encode(each.memo)) for each in self.log]
        reply = msgspec.json.encode(self.reply.body) if self.reply else b""
        return f"{entries}{msgspec.json.encode(self.state)}{reply}{self.views}"


def opened(document: Any) -> Any:
    """The document with values in clear, as HTTP shows it."""

    def open_box(customer: str, field: str, box: str) -> str:
        assert customer == CUSTOMER
        return SEALER.open(field, box)

    return cleared(document, open_box)


def stored(entry: Entry, version: int) -> bytes:
    """An entry as the log keeps it; an event is what Kafka carries."""
    return wire(envelope(entry, version), entry.fact)  # type: ignore[arg-type]  # a note is encoded like a fact


def envelope(entry: Entry, version: int) -> Envelope:
    return Envelope(
        type=entry.fact.model_dump()["type"],
        customer_id=CUSTOMER,
        version=version + 1,
        occurred_at=entry.occurred_at,
        recorded_at=entry.occurred_at,
        cause=Cause(type=entry.cause.type, id=entry.cause.id),
        programme_version=entry.programme,
    )


class Given:
    """`given(…).when(…).then(…)`."""

    def __init__(self, customer: Customer) -> None:
        self.customer = customer
        self.entries: list[Entry] = []

    def __call__(self, *raws: Message) -> Self:
        """What came before."""
        for raw in raws:
            self.customer.take(raw)
        return self

    def when(self, *raws: Message) -> Self:
        """What comes now."""
        self.entries = [entry for raw in raws for entry in self.customer.take(raw)]
        return self

    def then(self, *expected: dict[str, Any]) -> Self:
        """Exactly these events follow, in this order; of each the fields that are named."""
        events = [
            {"occurred_at": one.occurred_at, "cause": (one.cause.type, one.cause.id), "programme": one.programme}
            | one.fact.model_dump(mode="json")
            for one in self.entries
            if not isinstance(one.fact, Note)
        ]
        assert [event["type"] for event in events] == [wanted["type"] for wanted in expected]
        assert [_part(event, wanted) for event, wanted in zip(events, expected, strict=True)] == list(expected)
        return self

    def buried(self) -> str | None:
        """Why a part of the last record became a dead letter."""
        reasons = [one.fact.refused for one in self.entries if isinstance(one.fact, PartRefused)]
        return reasons[0] if reasons else None

    def shows(self, **expected: Any) -> Self:
        """The profile shows this."""
        shown = self.customer.profile()
        assert _part(shown, expected) == expected
        return self

    def told(self, status: int, **expected: Any) -> Self:
        """The last request was told this."""
        reply = self.customer.reply
        assert reply is not None
        body = opened(reply.body or {})
        assert (reply.status, _part(body, expected)) == (status, expected)
        return self


def _part(whole: Any, wanted: Any) -> Any:
    if isinstance(whole, dict) and isinstance(wanted, dict):
        return {key: _part(whole.get(key, "absent"), part) for key, part in wanted.items()}
    return whole


def event(kind: str, **fields: Any) -> dict[str, Any]:
    """An event of that type."""
    return {"type": f"{kind}.v1"} | fields


def completed(percent: int, *missing: str, **fields: Any) -> dict[str, Any]:
    """Another completion, with those fields missing; `filled` may be named."""
    found = event("CompletionChanged", percent=percent, complete=not missing) | fields
    return found | {"missing": [{"field": one, "unlocks": _unlocks(one)} for one in missing]}


def changed(*fields: str) -> dict[str, Any]:
    """Values changed."""
    return event("ProfileChanged", fields=list(fields))


def preferred(**fields: Any) -> dict[str, Any]:
    """Preferences changed."""
    return event("PreferencesChanged", **fields)


def _unlocks(field: str) -> list[str]:
    return [benefit for benefit, needed in NEEDS.items() if field in needed]
