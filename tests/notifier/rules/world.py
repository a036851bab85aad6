"""Customers on plain values: given what sister services said before, when something comes, then these messages follow.

The sender's part is played here: `report` says what became of a message that is queued.
"""

import json
from datetime import UTC, datetime
from typing import Any, Self

import msgspec

from services.notifier import rules, views
from services.notifier.reports import Outcome
from services.notifier.state import State
from shared.contracts.clock import TICK
from shared.contracts.records import Cause, Envelope, wire
from shared.rulebook.entry import Entry, Note
from shared.rulebook.programme import Programme
from shared.runtime.rules import Command, Heard
from tests.turnover.world import programme_of, terms

CUSTOMER = "c-1"
BERLIN = "Europe/Berlin"
LABEL = {"en": "x", "de": "x", "ru": "x"}
Raw = dict[str, Any]
_ENVELOPE = ("type", "customer_id", "version", "occurred_at", "recorded_at", "cause", "programme_version")


def the_programme(**changes: Any) -> Programme:
    """Bronze, silver and gold in Berlin; two fields, two benefits; reminders every week at 10:00."""
    fields = [{"id": name, "kind": "text", "label": LABEL} for name in ("email", "phone")]
    perks = [
        {"id": name, "kind": "perk", "label": LABEL, "requires": {"fields": ["email"]}} for name in ("alpha", "beta")
    ]
    return programme_of(terms() | {"profile": {"fields": fields}, "benefits": perks} | changes)


def at(text: str) -> datetime:
    """A UTC time from text; a bare day is its noon in UTC."""
    return datetime.fromisoformat(text if "T" in text else f"{text}T12:00:00Z").astimezone(UTC)


def said(service: str, kind: str, when: str, /, **fields: Any) -> Raw:
    """A sister's event, without its version, which the world counts."""
    return {
        "service": service,
        "type": f"{kind}.v1",
        "customer_id": CUSTOMER,
        "occurred_at": at(when).isoformat(),
        "recorded_at": at(when).isoformat(),
        "cause": {"type": "Something.v1", "id": "1"},
        "programme_version": 1,
        **fields,
    }


def preferences(
    when: str = "2010-01-01",
    *,
    consent: bool = True,
    reminders: bool = False,
    known: str = "email push",
    off: str = "",
    zone: str = BERLIN,
) -> Raw:
    """Profile says how the customer wants to be spoken to. `known`, `off`: channels, separated by blanks."""
    channels = {
        name: {"known": name in known.split(), "on": name in known.split() and name not in off.split()}
        for name in ("email", "sms", "push", "telegram")
    }
    consents = {"programme": consent, "marketing": False, "profiling": False}
    return said(
        "profile",
        "PreferencesChanged",
        when,
        locale="de",
        time_zone=zone,
        channels=channels,
        reminders=reminders,
        consents=consents,
    )


def completion(*missing: str, when: str = "2010-01-01") -> Raw:
    """Profile says what is missing."""
    return said(
        "profile",
        "CompletionChanged",
        when,
        percent=100 if not missing else 50,
        complete=not missing,
        filled=[],
        missing=[{"field": name, "unlocks": ["alpha"]} for name in missing],
    )


def erasure(when: str = "2010-06-01") -> Raw:
    return said("profile", "ErasureAccepted", when, receipt_id="r-1")


def erased(when: str = "2010-06-02") -> Raw:
    return said("profile", "CustomerErased", when, receipt_id="r-1")


TIERS = ("bronze", "silver", "gold")


def tier(before: str, after: str, when: str = "2010-03-01") -> Raw:
    """Turnover says that another tier is held."""
    standing = {
        "year": 2010,
        "turnover_minor": 600_00,
        "tier": after,
        "valid_until": None,
        "next_tier": None,
        "to_next_minor": None,
        "to_keep_minor": 0,
    }
    direction = "up" if TIERS.index(after) > TIERS.index(before) else "down"
    return said(
        "turnover",
        "TierChanged",
        when,
        **{"from": before, "to": after, "direction": direction, "reason": "turnover", "standing": standing},
    )


def unlocked(benefit: str, when: str = "2010-03-01", kind: str = "Unlocked") -> Raw:
    """The ledger says that a benefit may be used."""
    return said("ledger", f"Benefit{kind}", when, benefit=benefit, kind="perk", reasons=[], period=None)


def locked(benefit: str, when: str = "2010-03-01") -> Raw:
    return unlocked(benefit, when, "Locked")


def _totals(available: int) -> Raw:
    return {"pending": 0, "available": available, "held": 0, "owed": 0}


def expiring(points: int, expires: str, when: str, days: int = 30) -> Raw:
    return said(
        "ledger",
        "PointsExpiring",
        when,
        points=points,
        expires_at=at(expires).isoformat(),
        last_day=expires[:10],
        days=days,
    )


def redeemed(points: int, left: int, when: str = "2010-03-01") -> Raw:
    return said(
        "ledger",
        "PointsRedeemed",
        when,
        entry_id="1",
        points=points,
        totals=_totals(left),
        postings=[],
        redemption_id="00-1",
        lots=[],
        expires_at=at(when).isoformat(),
        reason="capture",
        store_id=None,
        purchase_id=None,
    )


def tick(when: str) -> Raw:
    return {"type": "Tick.v1", "now": at(when).isoformat()}


class Customer:
    """A customer as the runtime keeps them: a state, a log, and the documents of the sender's queue."""

    def __init__(self, programme: Programme) -> None:
        self.programme = programme
        self.state: State = rules.initial(CUSTOMER)
        self.log: list[Entry] = []
        self.queue: dict[str, Raw] = {}
        self.tick: datetime | None = None
        self.now: datetime | None = None
        self._versions: dict[str, int] = {}

    def take(self, raw: Raw) -> list[Entry]:
        """What a message leads to; it has taken effect afterwards."""
        return self.decide(self._message(raw))

    def decide(self, message: Any) -> list[Entry]:
        """The same of one that was read already."""
        self.now = now = rules.now(self.state, message, self.tick)
        if not isinstance(message, Heard | Command):
            self.tick = now if self.tick is None else max(self.tick, now)
        before, state = self.state, self.state
        entries = rules.decide(state, message, self.programme, now)
        for entry in entries:
            state = rules.evolve(state, entry)
        for view in views.deliveries(CUSTOMER, before, state):
            if view.document is None:
                del self.queue[view.id]
            else:
                self.queue[view.id] = dict(view.document)
        self.state = state
        self.log += entries
        due = rules.due_at(state, self.programme)
        assert due is None or due > now, "what was due is settled"
        return entries

    def report(self, template: str, channel: str = "email", outcome: Outcome = "sent", **more: Any) -> list[Entry]:
        """The sender says what became of the message that is queued."""
        found = [one for one in self.queue.items() if (one[1]["template"], one[1]["channel"]) == (template, channel)]
        assert found, f"nothing is queued: {template}, {channel}"
        (identity, document), *_ = found
        return self.decide(self.outcome(identity, document, outcome, **more))

    def outcome(self, identity: str, document: Raw, outcome: Outcome, **more: Any) -> Command:
        """A report of what became of a document that was taken from the queue."""
        body = {
            "notification_id": identity,
            **{name: document[name] for name in ("template", "channel", "attempt", "params")},
            "outcome": outcome,
            "at": (self.now or at("2010-01-01")).isoformat(),
            "ref": "ref-1",
            **more,
        }
        read = rules.COMMANDS["DeliveryReported.v1"].validate_json(msgspec.json.encode(body))
        return Command(f"00-{identity}", "DeliveryReported.v1", CUSTOMER, "notifier", read)

    def _message(self, raw: Raw) -> Any:
        if raw["type"] == "Tick.v1":
            return TICK.validate_json(json.dumps(raw))
        service = raw["service"]
        version = self._versions[service] = self._versions.get(service, 0) + 1
        text = json.dumps(raw | {"version": version})
        return Heard(service, Envelope.model_validate_json(text), rules.SISTERS[service].validate_json(text))

    def rebuilt(self) -> State:
        """The state folded anew from the log as it lies in the database: bytes."""
        state = rules.initial(CUSTOMER)
        for version, entry in enumerate(self.log, 1):
            text = stored(entry, version)
            memo = msgspec.json.decode(msgspec.json.encode(entry.memo), type=rules.Memo | None)
            read, fact = Envelope.model_validate_json(text), rules.FACTS.validate_json(text)
            state = rules.evolve(state, Entry(fact, read.occurred_at, read.cause, read.programme_version, memo))
        return state

    def reread(self) -> State:
        """The state as it is read back from where it is stored."""
        return msgspec.json.decode(msgspec.json.encode(self.state), type=State)


def stored(entry: Entry, version: int) -> bytes:
    """An entry as the log keeps it."""
    envelope = Envelope(
        type=entry.fact.type,  # type: ignore[union-attr]
        customer_id=CUSTOMER,
        version=version,
        occurred_at=entry.occurred_at,
        recorded_at=entry.occurred_at,
        cause=Cause(type=entry.cause.type, id=entry.cause.id),
        programme_version=entry.programme,
    )
    return wire(envelope, entry.fact)  # type: ignore[arg-type]  # a note is encoded like a fact


class Given:
    """`given(…).when(…).then(…)`."""

    def __init__(self, customer: Customer) -> None:
        self.customer = customer
        self.entries: list[Entry] = []

    def __call__(self, *raws: Raw | str) -> Self:
        """What came before; as `when` has it."""
        return self.when(*raws)

    def when(self, *raws: Raw | str) -> Self:
        """What comes now; a text is an outcome: `tier_changed/email` or `tier_changed/email retry`."""
        self.entries = [entry for raw in raws for entry in self._take(raw)]
        return self

    def _take(self, raw: Raw | str) -> list[Entry]:
        if isinstance(raw, str):
            name, _, outcome = raw.partition(" ")
            template, _, channel = name.partition("/")
            return self.customer.report(template, channel, outcome or "sent")  # type: ignore[arg-type]
        return self.customer.take(raw)

    def then(self, *expected: str) -> Self:
        """Exactly these events follow, in this order, such as `suppressed tier_changed/push no_consent`."""
        assert [told(entry) for entry in self.entries if not isinstance(entry.fact, Note)] == list(expected)
        return self

    def queues(self, *expected: str) -> Self:
        """Exactly these messages are queued, in any order: `tier_changed/email`."""
        found = sorted(f"{one['template']}/{one['channel']}" for one in self.customer.queue.values())
        assert found == sorted(expected)
        return self

    def says(self, template: str, channel: str = "email", **expected: Any) -> Self:
        """A message that is queued says this."""
        name = (template, channel)
        found = [one for one in self.customer.queue.values() if (one["template"], one["channel"]) == name]
        assert len(found) == 1
        says = json.loads(json.dumps(found[0]["params"]))
        assert {field: says.get(field) for field in expected} == expected
        return self

    def due(self, when: str | None) -> Self:
        """The clock alone changes something next at that time."""
        assert rules.due_at(self.customer.state, self.customer.programme) == (None if when is None else at(when))
        return self


def told(entry: Entry) -> str:
    """An event in one line."""
    fact: Any = entry.fact
    status = fact.type.removeprefix("Notification").removesuffix(".v1").lower()
    words = f"{status} {fact.template}/{fact.channel}"
    return f"{words} {fact.reason}" if fact.reason else words
