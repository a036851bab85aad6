"""Purchases that are encoded before anything is measured, so that the load generator is never what is measured."""

import random
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any, Final, NamedTuple

from aiokafka import AIOKafkaProducer

from shared.contracts.partition import partition_of
from shared.contracts.topics import PURCHASES

PARTITIONS: Final = 12
REQUEST_BYTES: Final = 900_000  # of a batch; Kafka takes 1 MiB
TWICE: Final = 100  # one in so many purchases is sent twice
AT_ONCE: Final = 100_000  # purchases encoded at a time where there are many
_BEGIN: Final = datetime(datetime.now(UTC).year - 1, 1, 2, tzinfo=UTC)


class Purchase(NamedTuple):
    """A purchase and the record that says so."""

    identity: str
    customer: str
    value: bytes


@dataclass
class Load:
    """Records ready to be sent: `batches` by partition, as Kafka stores them. `ids`: of the purchases that will count;
    `records`: all, with those that are sent twice."""

    ids: list[str] = field(default_factory=list[str])
    records: int = 0
    batches: dict[int, list[Any]] = field(default_factory=dict[int, list[Any]], repr=False)


class Till:
    """Makes purchases: each with an id of its own, and a second after the one before."""

    def __init__(self, producer: AIOKafkaProducer, seed: int) -> None:
        self.producer: Any = producer  # aiokafka types its batches only in part
        self._random = random.Random(seed)
        self._made = 0
        self._home: dict[str, int] = {}

    @property
    def now(self) -> datetime:
        """The business time that purchases have reached."""
        return _BEGIN + timedelta(seconds=self._made)

    def everybody(self, customers: int) -> list[str]:
        """All of so many customers, in any order."""
        return self._random.sample([f"c-{number:07d}" for number in range(customers)], customers)

    def drawn(self, count: int, customers: int) -> list[str]:
        """That many of so many customers, drawn evenly."""
        return [f"c-{self._random.randrange(customers):07d}" for _ in range(count)]

    def numbers(self, count: int, among: int) -> list[int]:
        """That many of the numbers from 0 to below `among`, drawn evenly."""
        return [self._random.randrange(among) for _ in range(count)]

    def later(self) -> datetime:
        """A business time of its own, a second after the one before."""
        self._made += 1
        return self.now

    def home(self, customer: str) -> int:
        """The partition of a customer."""
        number = self._home.get(customer)
        if number is None:
            number = self._home[customer] = partition_of(customer, PARTITIONS)
        return number

    def purchase(self, customer: str, minor: int | None = None) -> Purchase:
        """The customer's next purchase: about 300 bytes, one line, of so many cents, or 10.00 to 16.99 euros."""
        self._made += 1
        minor = minor or 1_000 + self._made % 700
        identity, at = f"p-{self._made:08x}", self.now.isoformat()[:-6]
        record = (
            f'{{"type":"PurchaseCompleted.v1","purchase_id":"{identity}","store_id":"s-01","terminal_id":"t-3",'
            f'"customer_id":"{customer}","occurred_at":"{at}Z","currency":"EUR","total_minor":{minor},'
            f'"tax_minor":{minor // 7},"lines":[{{"sku":"85123A","name":"White hanging heart","quantity":6,'
            f'"amount_minor":{minor}}}]}}'
        )
        return Purchase(identity, customer, record.encode())

    def load(self, customers: Iterable[str]) -> Load:
        """A purchase for each of these customers, in this order."""
        return self.pack([self.purchase(customer) for customer in customers])

    def loads(self, customers: Iterable[str]) -> Iterator[Load]:
        """The same, some at a time."""
        rest = iter(customers)
        while some := list(islice(rest, AT_ONCE)):
            yield self.load(some)

    def pack(self, purchases: Sequence[Purchase], known: Collection[str] = ()) -> Load:
        """These purchases, one in a hundred sent twice. `known`: those which have been sent before."""
        made = Load()
        for identity, customer, value in purchases:
            home, key = self.home(customer), customer.encode()
            if identity not in known:
                made.ids.append(identity)
                if len(made.ids) % TWICE == 0:
                    self._append(made, home, key, value)
            self._append(made, home, key, value)
        return made

    def again(self, records: Iterable[Any]) -> Load:
        """Records of Kafka as they are, on their partitions."""
        made = Load()
        for record in records:
            self._append(made, record.partition, record.key, record.value)
        return made

    def _append(self, made: Load, partition: int, key: bytes, value: bytes) -> None:
        made.records += 1
        batches = made.batches.setdefault(partition, [])
        if not batches or batches[-1].append(key=key, value=value, timestamp=None) is None:
            batches.append(self.producer.create_batch())
            batches[-1].append(key=key, value=value, timestamp=None)

    async def send(self, load: Load, topic: str = PURCHASES) -> None:
        """Put it all on the topic; returns when the broker has it."""
        sent = [
            await self.producer.send_batch(batch, topic, partition=partition)
            for partition, batches in load.batches.items()
            for batch in batches
        ]
        for delivered in sent:
            await delivered
