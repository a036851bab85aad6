"""Customers on plain values: given what came before, when a message comes, then these events follow."""

import json
from datetime import UTC, datetime
from typing import Any, Self

import msgspec
from msgspec import Raw
from msgspec.structs import replace

from services.turnover import rules, views
from services.turnover.rules import Message, State
from shared.contracts.clock import TICK
from shared.contracts.coherence import parse_programme
from shared.contracts.pos import POS
from shared.contracts.profile import ERASURE
from shared.contracts.records import Cause, Envelope, canonical, wire
from shared.rulebook.entry import Entry, Note
from shared.rulebook.memory import unpacked
from shared.rulebook.programme import Programme
from shared.runtime.rules import Heard

CUSTOMER = "c-1"
LABEL = {"en": "x", "de": "x", "ru": "x"}


def terms(version: int = 1, effective_from: str = "2005-01-01", **changes: Any) -> dict[str, Any]:
    """A programme document: bronze, silver from 500.00, gold from 2,000.00, in Berlin, unless `changes` say otherwise.

    `tiers`: thresholds by id. `window`, `basis`, `validity`, `returns`: as in the document.
    """
    window = changes.get("window", "calendar_year")
    validity = changes.get("validity", "none" if window == "rolling_12_months" else "end_of_next_year")
    thresholds = changes.get("tiers", {"bronze": 0, "silver": 500_00, "gold": 2000_00})
    return {
        "version": version,
        "effective_from": effective_from,
        "currency": changes.get("currency", "EUR"),
        "time_zone": changes.get("time_zone", "Europe/Berlin"),
        "turnover": {"window": window, "status_validity": validity, "basis": changes.get("basis", "gross")},
        "returns": {"window": changes.get("returns", "P2Y")},
        "tiers": [
            {"id": tier, "label": LABEL, "from_minor": minor, "earn_multiplier": "1"}
            for tier, minor in thresholds.items()
        ],
        "points": {"per_minor": 100, "pending": "P14D", "expiry": "P12M", "value_minor": 1, "hold": "PT15M"},
        "profile": {"fields": []},
        "benefits": [],
        "reminders": {"every": "P7D", "at": "10:00"},
    }


def programme_of(*documents: dict[str, Any]) -> Programme:
    """All those versions."""
    return Programme([parse_programme(one) for one in documents])


def at(text: str) -> datetime:
    """A UTC time from text; a bare day is its noon."""
    found = datetime.fromisoformat(text if "T" in text else f"{text}T12:00:00Z")
    return found.astimezone(UTC)


def purchase(purchase_id: str, minor: int, when: str = "2010-03-01", **fields: Any) -> dict[str, Any]:
    """The raw record of a purchase."""
    return {
        "type": "PurchaseCompleted.v1",
        "purchase_id": purchase_id,
        "store_id": "s-1",
        "customer_id": CUSTOMER,
        "occurred_at": at(when).isoformat(),
        "currency": "EUR",
        "total_minor": minor,
    } | fields


def returned(
    return_id: str, minor: int, of: str | None = None, when: str = "2010-05-01", **fields: Any
) -> dict[str, Any]:
    """The raw record of a return, of purchase `of`."""
    return {
        "type": "PurchaseReturned.v1",
        "return_id": return_id,
        "store_id": "s-1",
        "purchase_id": of,
        "customer_id": CUSTOMER,
        "occurred_at": at(when).isoformat(),
        "currency": "EUR",
        "amount_minor": minor,
    } | fields


def tick(when: str) -> dict[str, Any]:
    """The raw record of a tick."""
    return {"type": "Tick.v1", "now": at(when).isoformat()}


def erasure(accepted: bool = True, when: str = "2010-06-01") -> dict[str, Any]:
    """The raw event of profile: the erasure is accepted, or done."""
    return {
        "type": "ErasureAccepted.v1" if accepted else "CustomerErased.v1",
        "receipt_id": "x",
        "customer_id": CUSTOMER,
        "version": 1 if accepted else 2,
        "occurred_at": at(when).isoformat(),
        "recorded_at": at(when).isoformat(),
        "cause": {"type": "CustomerErasureRequested.v1", "id": CUSTOMER},
    }


def message_of(raw: dict[str, Any]) -> Message:
    """A raw record as a service reads it."""
    text = json.dumps(raw)
    if "receipt_id" in raw:
        return Heard("profile", Envelope.model_validate_json(text), ERASURE.validate_json(text))
    return TICK.validate_json(text) if raw["type"] == "Tick.v1" else POS.validate_json(text)


class Customer:
    """A customer with a log, a head and an archive, kept as the runtime keeps them, in plain dictionaries."""

    def __init__(self, programme: Programme) -> None:
        self.programme = programme
        self.state: State = rules.initial(CUSTOMER)
        self.log: list[Entry] = []
        self.archive: dict[int, dict[str, Raw]] = {}
        self.tick: datetime | None = None

    def take(self, raw: dict[str, Any]) -> list[Entry]:
        """What one message leads to; it has taken effect afterwards."""
        message = message_of(raw)
        state = self._recalled(message)
        now = rules.now(state, message, self.tick)
        if raw["type"] == "Tick.v1":
            self.tick = now if self.tick is None else max(self.tick, at(raw["now"]))
        entries = rules.decide(state, message, self.programme, now)
        for entry in entries:
            # The rules make facts without checking them.
            assert rules.FACTS.validate_json(canonical(entry.fact)) == entry.fact
            state = rules.evolve(state, entry)
        self.archive |= {number: unpacked(chunk) for number, chunk in state.memory.spilled}
        self.state = replace(state, memory=state.memory.settled())
        self.log += entries
        return entries

    def _recalled(self, message: Message) -> State:
        wanted = rules.keys(message)
        recalled: dict[str, Raw] = {}
        for number in sorted(self.archive):  # the newest copy wins
            recalled |= {key: item for key, item in self.archive[number].items() if key in wanted}
        return replace(self.state, memory=replace(self.state.memory, recalled=recalled))

    def view(self, today: str = "2030-01-01") -> dict[str, Any]:
        """What `GET /customers/{id}/turnover` answers."""
        version = sum(entry.public for entry in self.log)
        return views.turnover(CUSTOMER, self.state, version, self.programme, self.tick, at(today))

    def rebuilt(self) -> State:
        """The state folded anew from the log as it lies in the database: bytes."""
        state = rules.initial(CUSTOMER)
        for version, entry in enumerate(self.log):
            text = stored(entry, version)
            memo = msgspec.json.decode(msgspec.json.encode(entry.memo), type=rules.Memo | None)
            read = Envelope.model_validate_json(text)
            fact = rules.FACTS.validate_json(text)
            state = rules.evolve(state, Entry(fact, read.occurred_at, read.cause, read.programme_version, memo))
            state = replace(state, memory=state.memory.settled())
        return state


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

    def __call__(self, *raws: dict[str, Any]) -> Self:
        """What came before."""
        for raw in raws:
            self.customer.take(raw)
        return self

    def when(self, *raws: dict[str, Any]) -> Self:
        """What comes now."""
        self.entries = [entry for raw in raws for entry in self.customer.take(raw)]
        return self

    def then(self, *expected: dict[str, Any]) -> Self:
        """Exactly these events follow, in this order; of each the fields that are named."""
        events = [
            {"occurred_at": one.occurred_at, "cause": one.cause.id, "programme": one.programme}
            | one.fact.model_dump(mode="json")
            for one in self.entries
            if not isinstance(one.fact, Note)
        ]
        assert [_part(event, wanted) for event, wanted in zip(events, expected, strict=False)] == list(expected)
        assert len(events) == len(expected), [event["type"] for event in events]
        return self

    def shows(self, **expected: Any) -> Self:
        """The view shows this."""
        assert _part(self.customer.view(), expected) == expected
        return self


def _part(whole: Any, wanted: Any) -> Any:
    if isinstance(whole, dict) and isinstance(wanted, dict):
        return {key: _part(whole.get(key, "absent"), part) for key, part in wanted.items()}
    return whole


def recorded(minor: int, **fields: Any) -> dict[str, Any]:
    """A purchase counted."""
    return {"type": "TurnoverRecorded.v1", "amount_minor": minor} | fields


def reduced(minor: int, **fields: Any) -> dict[str, Any]:
    """A return counted."""
    return {"type": "TurnoverReduced.v1", "amount_minor": minor} | fields


def refused(reason: str, excess: int, **fields: Any) -> dict[str, Any]:
    """A return refused, or a part of it."""
    return {"type": "ReturnRefused.v1", "reason": reason, "excess_minor": excess} | fields


def moved(before: str, after: str, reason: str, **fields: Any) -> dict[str, Any]:
    """Another tier."""
    return {"type": "TierChanged.v1", "from": before, "to": after, "reason": reason} | fields


def turned(closed: tuple[int, int] | None, **standing: Any) -> dict[str, Any]:
    """The year turned, or days left the window."""
    found = None if closed is None else {"year": closed[0], "turnover_minor": closed[1]}
    return {"type": "YearTurned.v1", "closed": found, "standing": standing}
