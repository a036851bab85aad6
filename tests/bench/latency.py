"""Latency from produce to published, at a fixed rate that does not wait for answers."""

import asyncio
import gc
import time
from collections.abc import Sequence
from typing import Any, Final

import msgspec
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from deploy.local.errors import StackError
from shared.contracts.topics import PURCHASES
from tests.bench.figures import Latency
from tests.bench.ground import EVENTS, Ground
from tests.bench.purchases import PARTITIONS, Purchase

WARM_UP_S: Final = 3
_LATE_S: Final = 30  # after the last purchase, until its event is missed


class _Event(msgspec.Struct):
    purchase_id: str = ""


async def measure(ground: Ground, part: str, rate: int, customers: Sequence[str], large: str | None = None) -> Latency:
    """Produce a purchase for each of these customers, `rate` a second, and watch for the events in the same process.

    The clock of a purchase starts when it was to be produced, even when the producer is late: so a stall counts against
    every purchase that falls into it. Not counted: the first seconds, and the purchases of the customer `large`.
    """
    made = [ground.till.purchase(customer) for customer in customers]
    options = ground.stack.kafka_options()
    producer: Any = AIOKafkaProducer(**options, linger_ms=0)
    consumer: Any = AIOKafkaConsumer(**options, enable_auto_commit=False)
    await producer.start()
    await consumer.start()
    gc.collect()
    gc.disable()
    try:
        places = [TopicPartition(EVENTS, number) for number in range(PARTITIONS)]
        consumer.assign(places)
        await consumer.seek_to_end()
        await consumer.getmany(timeout_ms=200)
        seen: dict[str, tuple[float, int]] = {}
        began = time.monotonic() + 0.1
        watching = asyncio.create_task(_watch(consumer, len(made), seen))
        stored = await _produce(ground, producer, PURCHASES, made, rate, began)
        try:
            await asyncio.wait_for(watching, _LATE_S)
        except TimeoutError:
            raise StackError(f"{len(made) - len(seen):,} of {len(made):,} purchases led to no event") from None
    finally:
        gc.enable()
        await consumer.stop()
        await producer.stop()
    whole: list[float] = []
    service: list[float] = []
    for number, (identity, customer, _) in enumerate(made):
        if customer != large and number >= rate * WARM_UP_S:
            at, published = seen[identity]
            whole.append((at - began) * 1000 - number * 1000 / rate)
            service.append(published - stored[number])
    return Latency.of(part, whole, service)


async def stream(ground: Ground, topic: str, made: Sequence[Purchase], rate: int, began: float) -> list[int]:
    """Produce these from then on, `rate` a second; the broker's time of each, in milliseconds since 1970.

    `began`: on the monotonic clock; the n-th is to be produced `n / rate` seconds later.
    """
    producer: Any = AIOKafkaProducer(**ground.stack.kafka_options(), linger_ms=0)
    await producer.start()
    try:
        return await _produce(ground, producer, topic, made, rate, began)
    finally:
        await producer.stop()


async def _produce(
    ground: Ground, producer: Any, topic: str, made: Sequence[Purchase], rate: int, began: float
) -> list[int]:
    sent: list[asyncio.Future[Any]] = []
    for number, (_, customer, value) in enumerate(made):
        if (wait := began + number / rate - time.monotonic()) > 0:
            await asyncio.sleep(wait)
        home = ground.till.home(customer)
        sent.append(await producer.send(topic, value, customer.encode(), partition=home))
    return [delivered.timestamp for delivered in await asyncio.gather(*sent)]


async def _watch(consumer: Any, count: int, seen: dict[str, tuple[float, int]]) -> None:
    decode = msgspec.json.Decoder(_Event).decode
    while len(seen) < count:
        found = await consumer.getmany(timeout_ms=500)
        now = time.monotonic()
        for records in found.values():
            for record in records:
                identity = decode(record.value).purchase_id
                if identity:
                    seen.setdefault(identity, (now, record.timestamp))
