"""Turnover as a subject of fault tests: its traffic, and what that comes to."""

import json
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from random import Random
from typing import Any

import yaml
from msgspec.structs import replace

from deploy.local.system import PROGRAMME
from services.turnover import rules
from services.turnover.app import SERVICE
from services.turnover.rules import State
from shared.contracts.clock import Tick
from shared.contracts.coherence import parse_programme
from shared.contracts.partition import partition_of
from shared.contracts.topics import PURCHASES
from shared.rulebook.programme import Programme
from shared.rulebook.refused import Refused
from shared.runtime import log
from shared.runtime.inbox import Bad, Inbox, Noticed, Read
from tests.faults.subject import Outcome, Place, Record, Sent, Subject
from tests.turnover.oracle import accounts

_BEGIN = datetime.fromisoformat("2010-03-01T10:00:00+00:00")


class Till:
    """Purchases and returns of a few customers, in 2010; one in six comes twice, changed, late or broken."""

    def __init__(self, label: str, customers: int = 12) -> None:
        self._random = Random(label)
        self._label, self._customers = label, customers
        self._sold: list[dict[str, Any]] = []
        self._made = 0

    def next(self, count: int) -> list[Sent]:
        return [self._any() for _ in range(count)]

    def one(self, customer: str, mark: str = "") -> Sent:
        """A purchase that makes its customer silver."""
        sale = self._purchase(customer, 600_00)
        return _sent(sale | {"purchase_id": f"{sale['purchase_id']}{mark}"})

    def about(self, earlier: Sent) -> Sent:
        """A return of a third of such a purchase."""
        return _sent(self._return(json.loads(earlier.value)))

    def _any(self) -> Sent:
        customer = f"{self._label}-{self._random.randrange(self._customers)}"
        dice = self._random.random()
        before = self._random.choice(self._sold) if self._sold else None
        if before is None or dice < 0.7:
            self._sold.append(self._purchase(customer, self._random.randrange(1, 300_00)))
            return _sent(self._sold[-1])
        if dice < 0.8:
            return _sent(before)  # twice
        if dice < 0.84:
            return _sent(before | {"total_minor": before["total_minor"] + 1})  # the same, but for its content
        if dice < 0.87:
            return Sent(PURCHASES, customer, b'{"type": "PurchaseCompleted.v1", "total_minor": "much"')
        if dice < 0.9:
            self._sold.append(self._purchase(customer, 5_00))
            return _sent(self._return(self._sold[-1]))  # of a purchase that is yet to come, if ever
        return _sent(self._return(before if dice < 0.97 else {**before, "purchase_id": None}))

    def _purchase(self, customer: str, minor: int) -> dict[str, Any]:
        self._made += 1
        at = _BEGIN + timedelta(minutes=self._made, days=-self._random.randrange(3))
        return {
            "type": "PurchaseCompleted.v1",
            "purchase_id": f"p{self._made}",
            "store_id": "s-1",
            "customer_id": customer,
            "occurred_at": at.isoformat(),
            "currency": "EUR",
            "total_minor": minor,
        }

    def _return(self, of: Mapping[str, Any]) -> dict[str, Any]:
        self._made += 1
        return {
            "type": "PurchaseReturned.v1",
            "return_id": f"r{self._made}",
            "store_id": "s-1",
            "purchase_id": of["purchase_id"],
            "customer_id": of["customer_id"],
            "occurred_at": (_BEGIN + timedelta(minutes=self._made)).isoformat(),
            "currency": "EUR",
            "amount_minor": max(1, of["total_minor"] // 3),
        }


def _sent(record: Mapping[str, Any]) -> Sent:
    return Sent(PURCHASES, record["customer_id"], json.dumps(record).encode())


def undisturbed(records: Sequence[Record], partitions: int, bugs: Collection[str] = ()) -> Outcome:
    """Folds the records with the rules alone: a dictionary of heads, no archive, no batches, no servers."""
    document = yaml.safe_load(PROGRAMME.read_text())
    programme, inbox, outcome = Programme([parse_programme(document)]), Inbox(SERVICE), Outcome()
    versions: dict[str, int] = {}
    everything: dict[str, dict[str, Any]] = {}  # all keys that a customer's memory ever held
    ticks: dict[int, datetime] = {}
    counted: list[dict[str, Any]] = []

    def fold(customer: str, message: Any, at: datetime) -> None:
        number = partition_of(customer, partitions)
        memory = everything.setdefault(customer, {})
        state: State = outcome.states.get(customer) or rules.initial(customer)
        wanted = {key: memory[key] for key in rules.keys(message) if key in memory}
        state = replace(state, memory=replace(state.memory, recalled=wanted))
        entries = rules.decide(state, message, programme, rules.now(state, message, ticks.get(number)))
        for entry in entries:
            state = rules.evolve(state, entry)
            for chunk in (*(items for _, items in state.memory.spilled), state.memory.recent):
                memory |= chunk
            versions[customer] = versions.get(customer, 0) + entry.public
            if entry.public:
                event = json.loads(log.encode(entry, customer, versions[customer], log.rfc3339(at)))
                outcome.events.setdefault(customer, []).append(_without_time(event))
        if entries:
            outcome.states[customer] = replace(state, memory=state.memory.settled())

    for record in records:
        match inbox.read(record):
            case Read(customer_id=customer, message=message, origin=origin):
                value = (origin.value or b"").decode()
                if any(bug in value for bug in bugs):
                    outcome.dead.add(_place(record))
                    continue
                try:
                    fold(customer, message, origin.recorded_at)
                except Refused:
                    outcome.dead.add(_place(record))
                else:
                    counted.append(json.loads(value))
            case Noticed(message=Tick() as tick, origin=origin):
                ticks[record.partition] = max(tick.now, ticks.get(record.partition, tick.now))
                for customer in [c for c in outcome.states if partition_of(c, partitions) == record.partition]:
                    fold(customer, tick, origin.recorded_at)
            case Bad():
                outcome.dead.add(_place(record))
            case _:
                pass
    newest = max(ticks.values(), default=None)
    sums = {
        customer: (account.years, account.tier)
        for customer, account in accounts(counted, [document], newest.isoformat() if newest else None).items()
    }
    return Outcome(outcome.events, outcome.states, outcome.dead, sums)


def _place(record: Record) -> Place:
    return record.topic, record.partition, record.offset


def _without_time(event: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in event.items() if name != "recorded_at"}


def sums(state: State) -> Any:
    """What the oracle works out by itself: each year's purchases and returns, and the tier."""
    years = {int(year): (one.purchases, one.returns) for year, one in state.years.items()}
    return years, state.tier or "bronze"


TURNOVER = Subject(
    service=SERVICE,
    module="services.turnover.app",
    traffic=Till,
    undisturbed=undisturbed,
    sums=sums,
    due="2012-01-01T00:00:00+01:00",  # two years later nobody is silver any more
)
