"""Purchases that are encoded before anything is measured, so that the load generator is never what is measured."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from aiokafka import AIOKafkaProducer

from shared.contracts.partition import partition_of
from shared.contracts.topics import PURCHASES

PARTITIONS: Final = 12
REQUEST_BYTES: Final = 900_000  # of a batch; Kafka takes 1 MiB
EVERY: Final = 100  # one in so many purchases is sent twice
AT_ONCE: Final = 100_000  # purchases encoded at a time where the number is large
_BEGIN: Final = datetime(datetime.now(UTC).year - 1, 1, 2, tzinfo=UTC)


@dataclass
class Load:
    """Records ready to be sent: `batches` by partition, each as Kafka stores it. `records` counts duplicates too."""

    ids: list[str]
    records: int
    batches: dict[int, list[Any]] = field(repr=False)


class Till:
    """Makes purchases: each with an id of its own, and a second after the one before."""

    def __init__(self, producer: AIOKafkaProducer, seed: int) -> None:
        self.producer: Any = producer  # aiokafka types its batches only in part
        self._random = random.Random(seed)
        self._made = 0
        self._home: dict[str, int] = {}

    @property
    def now(self) -> datetime:
        """The business time of the next purchase."""
        return _BEGIN + timedelta(seconds=self._made)

    def drawn(self, count: int, customers: int, prefix: str = "c") -> Iterator[str]:
        """That many customers, drawn evenly."""
        return (f"{prefix}-{self._random.randrange(customers):07d}" for _ in range(count))

    def purchase(self, customer: str) -> tuple[str, bytes]:
        """The id and the record of the customer's next purchase: about 300 bytes, one line, 10.00 to 16.99."""
        self._made += 1
        identity, minor = f"p-{self._made:08x}", 1_000 + self._made % 700
        at = (_BEGIN + timedelta(seconds=self._made)).isoformat()[:-6]
        record = (
            f'{{"type":"PurchaseCompleted.v1","purchase_id":"{identity}","store_id":"s-01","terminal_id":"t-3",'
            f'"customer_id":"{customer}","occurred_at":"{at}Z","currency":"EUR","total_minor":{minor},'
            f'"tax_minor":{minor // 7},"lines":[{{"sku":"85123A","name":"White hanging heart","quantity":6,'
            f'"amount_minor":{minor}}}]}}'
        )
        return identity, record.encode()

    def home(self, customer: str) -> int:
        """The partition of a customer."""
        number = self._home.get(customer)
        if number is None:
            number = self._home[customer] = partition_of(customer, PARTITIONS)
        return number

    def load(self, customers: Sequence[str] | Iterator[str]) -> Load:
        """A purchase for each of these customers, in this order, one in a hundred sent twice."""
        made = Load([], 0, {})
        for customer in customers:
            identity, value = self.purchase(customer)
            made.ids.append(identity)
            for _ in range(2 if len(made.ids) % EVERY == 0 else 1):
                self._append(made, self.home(customer), customer.encode(), value)
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
