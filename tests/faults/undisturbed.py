"""What a service's records lead to where nothing goes wrong: the rules alone, without batches, archive or servers."""

import json
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

import yaml
from msgspec import Raw
from msgspec.structs import replace

from deploy.local.system import PROGRAMME
from shared.contracts.clock import Tick
from shared.contracts.coherence import parse_programme
from shared.contracts.partition import partition_of
from shared.rulebook.entry import PartRefused
from shared.rulebook.memory import unpacked
from shared.rulebook.programme import Programme
from shared.rulebook.refused import Refused
from shared.runtime import log
from shared.runtime.inbox import Bad, Inbox, Noticed, Read
from shared.runtime.rules import Heard, Opened, Service
from shared.sealing import Sealer, new_key
from tests.faults.subject import Outcome, Place, Record

TERMS = yaml.safe_load(PROGRAMME.read_text())


class Undisturbed:
    """Folds records, in the order in which they came, into heads that are a dictionary.

    `outcome`: without `sums`; `counted`: the values of records that counted; `ticks`: the newest of each partition.
    """

    def __init__(self, service: Service, partitions: int, sealers: Mapping[str, Sealer]) -> None:
        """`sealers`: by customer, with the keys that are stored; whoever has none was erased, or never had any."""
        self.outcome = Outcome()
        self.counted: list[dict[str, Any]] = []
        self.ticks: dict[int, datetime] = {}
        self._service, self._partitions, self._sealers = service, partitions, dict(sealers)
        self._programme = Programme([parse_programme(TERMS)])
        self._versions: dict[str, int] = {}
        self._seen: set[str] = set()
        self._memories: dict[str, dict[str, Raw]] = {}  # all keys that a customer's memory ever held

    def take(self, records: Sequence[Record], bugs: Collection[str]) -> None:
        """All of these, with rules that raise where a record holds one of these words."""
        inbox = Inbox(self._service)
        for record in records:
            place = record.topic, record.partition, record.offset
            match inbox.read(record):
                case Read(customer_id=customer, message=message, origin=origin, command=command) as read:
                    value = (origin.value or b"").decode()
                    if self._came_before(read):
                        continue
                    if any(bug in value for bug in bugs):
                        self.outcome.dead.add(place)
                        continue
                    try:
                        self.fold(customer, message, origin.recorded_at, place)
                    except Refused:
                        if command is None:  # it is answered otherwise
                            self.outcome.dead.add(place)
                    else:
                        self.counted.append(json.loads(value))
                case Noticed(message=Tick() as tick, origin=origin):
                    number = record.partition
                    self.ticks[number] = max(tick.now, self.ticks.get(number, tick.now))
                    for customer in [c for c in self.outcome.states if self._home(c) == number]:
                        self.fold(customer, tick, origin.recorded_at, place)
                case Bad():
                    self.outcome.dead.add(place)
                case _:
                    pass

    def _home(self, customer: str) -> int:
        return partition_of(customer, self._partitions)

    def _came_before(self, read: Read) -> bool:
        """Whether this is an event of a sister, or a request, that the runtime itself knows."""
        if isinstance(read.message, Heard):
            name = f"{read.message.service}/{read.customer_id}/{read.message.envelope.version}"
        elif read.command is not None:
            name = read.command.command_id
        else:
            return False
        known = name in self._seen
        self._seen.add(name)
        return known

    def fold(self, customer: str, message: Any, at: datetime, place: Place) -> list[bytes]:
        """What one message leads to, as events; `at`: the broker's time of it. Raises `Refused`."""
        rules, outcome = self._service.rules, self.outcome
        memory = self._memories.setdefault(customer, {})
        state: Any = outcome.states.get(customer) or rules.initial(customer)
        wanted = {key: memory[key] for key in rules.keys(message) if key in memory}
        state = replace(state, memory=replace(state.memory, recalled=wanted))
        now = rules.now(state, message, self.ticks.get(self._home(customer)))
        heard, of_interest = isinstance(message, Heard), not isinstance(message, Heard) or message.fact is not None
        if self._service.forgotten is not None:
            sealer = self._sealers.setdefault(customer, Sealer(customer, new_key()))
            message = Opened(message, None if self._service.forgotten(state) else sealer)
        events: list[bytes] = []
        entries = rules.decide(state, message, self._programme, now) if of_interest else []
        for entry in entries:
            state = rules.evolve(state, entry)
            for chunk in (*(items for _, items in state.memory.spilled), state.memory.stored):
                memory |= unpacked(chunk)
            version = self._versions[customer] = self._versions.get(customer, 0) + entry.public
            if entry.public:
                events.append(log.encode(entry, customer, version, log.rfc3339(at)))
                event = json.loads(events[-1])
                event.pop("recorded_at")
                outcome.events.setdefault(customer, []).append(event)
            if isinstance(entry.fact, PartRefused):
                outcome.dead.add(place)
        if entries or heard:
            outcome.states[customer] = replace(state, memory=state.memory.settled())
        return events
