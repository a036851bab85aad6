"""Customers of the ledger on plain values: given what came before, when something comes, then these events follow.

Purchases and returns go through the rules of turnover, as they do outside; what profile says is given as its facts.
"""

from collections.abc import Mapping
from datetime import datetime
from itertools import count
from typing import Any, Self

import msgspec
from msgspec import Raw
from msgspec.structs import replace

from services.ledger import rules
from services.ledger.points.commands import AdjustPoints, CapturePoints, HoldPoints, ReleaseHold
from services.ledger.rules import Message, State
from services.ledger.totals import totals
from shared.contracts.clock import TICK, Tick
from shared.contracts.records import Cause, Envelope, Fact, wire
from shared.rulebook.entry import Entry, Note
from shared.rulebook.memory import unpacked
from shared.rulebook.programme import Programme
from shared.runtime.rules import Command, Heard, Reply
from tests.turnover import world as turnover
from tests.turnover.world import CUSTOMER, LABEL, at, programme_of, purchase, returned, tick

__all__ = ["CUSTOMER", "LABEL", "at", "programme_of", "purchase", "returned", "tick"]

STAFF = "staff-7"
FIELDS = {"email": "email", "phone": "phone", "birthday": "date", "address": "text"}


def terms(version: int = 1, effective_from: str = "2005-01-01", **changes: Any) -> dict[str, Any]:
    """A programme document as that of tests.turnover.world, with multipliers, points, fields and benefits.

    `multipliers`: by tier. `points`: what differs. `fields`: kinds by id. `benefits`: without labels.
    """
    document = turnover.terms(version, effective_from, **changes)
    multipliers = changes.get("multipliers", {"bronze": "1", "silver": "1.25", "gold": "1.5"})
    for tier in document["tiers"]:
        tier["earn_multiplier"] = multipliers.get(tier["id"], "1")
    document["points"] |= changes.get("points", {})
    fields = changes.get("fields", FIELDS)
    document["profile"] = {"fields": [{"id": name, "kind": kind, "label": LABEL} for name, kind in fields.items()]}
    document["benefits"] = [{"label": LABEL} | benefit for benefit in changes.get("benefits", [])]
    return document


class Customer:
    """A customer of the ledger, kept as the runtime keeps them; `turnover` is the same customer there."""

    def __init__(self, programme: Programme) -> None:
        self.programme = programme
        self.turnover = turnover.Customer(programme)
        self.state: State = rules.initial(CUSTOMER)
        self.log: list[Entry] = []
        self.archive: dict[str, Raw] = {}  # the newest copy of what has spilled
        self.tick: datetime | None = None
        self.seen: dict[str, int] = {}
        self.said: dict[str, int] = {}
        self.views: dict[str, Any] = {}
        self.reply: Reply | None = None

    def take(self, what: dict[str, Any] | Message) -> list[Entry]:
        """What a raw record or a message leads to in the ledger; it has taken effect afterwards."""
        if not isinstance(what, dict):
            return self.take_message(what)
        if what["type"] != "Tick.v1":
            return [entry for heard in self.through_turnover(what) for entry in self.take_message(heard)]
        heard = self.through_turnover(what)
        found = self.take_message(TICK.validate_python(what | {"now": at(what["now"])}))
        return found + [entry for one in heard for entry in self.take_message(one)]

    def through_turnover(self, raw: dict[str, Any]) -> list[Heard]:
        """What turnover says to a raw record."""
        entries = self.turnover.take(raw)
        return [self.said_by("turnover", one) for one in entries if one.public]

    def said_by(self, service: str, entry: Entry) -> Heard:
        """An event of a sister service, with its next version, as it is read from Kafka."""
        self.said[service] = self.said.get(service, 0) + 1
        assert isinstance(entry.fact, Fact)
        head = envelope(entry, self.said[service])
        value = wire(head, entry.fact)
        return Heard(service, Envelope.model_validate_json(value), type(entry.fact).model_validate_json(value))

    @property
    def totals(self) -> Mapping[str, int]:
        """What the customer adds to the sums over all."""
        return totals(rules.initial(CUSTOMER), self.state)

    def profile(self, fact: Fact, when: str) -> Heard:
        """What profile says next."""
        return self.said_by("profile", Entry(fact, at(when), Cause(type="CustomerUpserted.v1", id="x")))

    def take_message(self, message: Message) -> list[Entry]:
        """What a message leads to; an event that was seen is dropped as the runtime drops it."""
        if isinstance(message, Heard):
            if message.envelope.version <= self.seen.get(message.service, 0):
                return []
            self.seen[message.service] = message.envelope.version
        before = self._recalled(message)
        now = rules.now(before, message, self.tick)
        if isinstance(message, Tick):
            self.tick = message.now if self.tick is None else max(self.tick, message.now)
        entries, state = rules.decide(before, message, self.programme, now), before
        for entry in entries:
            state = rules.evolve(state, entry)
        assert not entries or entries[-1].after == state  # the runtime does not fold them again
        if isinstance(message, Command):
            self.reply = rules.answer(state, message, entries, now)
        for view in [line for entry in entries for line in rules.lines(CUSTOMER, entry)]:
            self.views[f"{view.collection}/{view.id}"] = view.document
        for _, chunk in state.memory.spilled:
            self.archive |= unpacked(chunk)
        self.state = replace(state, memory=state.memory.settled())
        self.log += entries
        if isinstance(message, Tick):
            due = rules.due_at(self.state, self.programme)
            assert due is None or due > message.now, f"still due at {due}"
        return entries

    def _recalled(self, message: Message) -> State:
        recalled = {key: self.archive[key] for key in rules.keys(message) if key in self.archive}
        return replace(self.state, memory=replace(self.state.memory, recalled=recalled))

    def rebuilt(self) -> State:
        """The state folded anew from the log as it lies in the database: bytes."""
        state = rules.initial(CUSTOMER)
        for version, entry in enumerate(self.log):
            text = turnover.stored(entry, version)
            memo = msgspec.json.decode(msgspec.json.encode(entry.memo), type=rules.Memo | None)
            read = Envelope.model_validate_json(text)
            fact = rules.FACTS.validate_json(text)
            state = rules.evolve(state, Entry(fact, read.occurred_at, read.cause, read.programme_version, memo))
            state = replace(state, memory=state.memory.settled())
        return state

    @property
    def balance(self) -> dict[str, int]:
        """Pending, available, held, owed."""
        return self.state.points.accounts.totals.model_dump()


_commands = count(1)


def command(kind: str, body: Any, sender: str = STAFF) -> Command:
    """A command with an id of its own."""
    return Command(f"00-{next(_commands):032x}", kind, CUSTOMER, sender, body)


def hold(redemption_id: str, points: int, when: str = "2010-01-01", **fields: Any) -> Command:
    """A till asks for points."""
    return command("HoldPoints.v1", HoldPoints(redemption_id=redemption_id, points=points, at=at(when), **fields))


def capture(redemption_id: str, points: int | None = None, when: str = "2010-01-01") -> Command:
    """A till spends what it holds."""
    return command("CapturePoints.v1", CapturePoints(redemption_id=redemption_id, points=points, at=at(when)))


def release(redemption_id: str, when: str = "2010-01-01") -> Command:
    """A till lets go of what it holds."""
    return command("ReleaseHold.v1", ReleaseHold(redemption_id=redemption_id, at=at(when)))


def adjust(points: int, reason: str = "goodwill", when: str = "2010-01-01") -> Command:
    """Staff give or take points."""
    return command("AdjustPoints.v1", AdjustPoints(points=points, reason=reason, at=at(when)))


def envelope(entry: Entry, version: int) -> Envelope:
    """The envelope of an event of a sister service."""
    return turnover.envelope(entry, version - 1)


class Given:
    """`given(…).when(…).then(…)`. What comes is a raw record, a message, or what makes one of the customer."""

    def __init__(self, customer: Customer) -> None:
        self.customer = customer
        self.entries: list[Entry] = []

    def __call__(self, *came: Any) -> Self:
        """What came before."""
        for one in came:
            self._take(one)
        return self

    def when(self, *comes: Any) -> Self:
        """What comes now."""
        self.entries = [entry for one in comes for entry in self._take(one)]
        return self

    def then(self, *expected: dict[str, Any]) -> Self:
        """Exactly these events follow, in this order; of each the fields that are named."""
        events = self.events
        assert [_part(event, wanted) for event, wanted in zip(events, expected, strict=False)] == list(expected)
        assert len(events) == len(expected), [event["type"] for event in events]
        return self

    @property
    def events(self) -> list[dict[str, Any]]:
        """What followed, as published; with `occurred_at`, `cause` (its id) and `programme`."""
        return [
            {"occurred_at": one.occurred_at, "cause": one.cause.id, "programme": one.programme}
            | one.fact.model_dump(mode="json")
            for one in self.entries
            if not isinstance(one.fact, Note)
        ]

    def only(self, *types: str) -> Self:
        """Look at events of these types alone from here on."""
        self.entries = [one for one in self.entries if one.fact.model_dump()["type"].partition(".")[0] in types]
        return self

    def balance(self, **expected: int) -> Self:
        """The customer's points; those not named are zero."""
        assert self.customer.balance == {"pending": 0, "available": 0, "held": 0, "owed": 0} | expected
        return self

    def answered(self, status: int, /, **expected: Any) -> Self:
        """The last command got this answer; of its body the fields that are named."""
        reply = self.customer.reply
        assert reply is not None
        assert (reply.status, _part(dict(reply.body or {}), expected)) == (status, expected)
        return self

    def _take(self, one: Any) -> list[Entry]:
        what: Any = one(self.customer) if callable(one) else one
        return self.customer.take(what)


def profile(fact: Fact, when: str = "2010-01-01") -> Any:
    """Profile says this."""
    return lambda customer: customer.profile(fact, when)


def _part(whole: Any, wanted: Any) -> Any:
    if isinstance(whole, dict) and isinstance(wanted, dict):
        return {key: _part(whole.get(key, "absent"), part) for key, part in wanted.items()}
    if isinstance(whole, list | tuple) and isinstance(wanted, list) and len(whole) == len(wanted):
        return [_part(one, other) for one, other in zip(whole, wanted, strict=True)]
    return whole


def event(name: str, points: int | None = None, **fields: Any) -> dict[str, Any]:
    """An event of version 1, with its points where they are given."""
    return {"type": f"{name}.v1"} | ({} if points is None else {"points": points}) | fields
