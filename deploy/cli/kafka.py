"""Writing to Kafka quickly and reading a topic to its end, the two things that the command needs of it."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from functools import lru_cache
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from aiokafka.partitioner import murmur2  # pyright: ignore[reportUnknownVariableType]

from deploy.cli.trouble import Trouble, notes

BATCH: Final = 128 * 1024  # bytes of one partition that are sent together; well below Kafka's limit of 1 MiB
# A record above the 256 KiB that the contract allows still goes out: whoever reads it must be able to say so.
REQUEST: Final = 1024 * 1024


@lru_cache(maxsize=200_000)
def partition_of(key: bytes, partitions: int) -> int:
    """The partition of a key as Java's client computes it (contract: "Records on Kafka")."""
    return (murmur2(key) & 0x7FFFFFFF) % partitions


class Publisher:
    """Collects records by partition and sends them in batches; a partition's records keep their order."""

    def __init__(self, producer: AIOKafkaProducer, partitions: dict[str, int]) -> None:
        self._producer: Any = producer  # aiokafka types its batches only in part
        self._partitions = partitions
        self._open: dict[tuple[str, int], Any] = {}
        self._sent: set[asyncio.Future[Any]] = set()
        self._failed: BaseException | None = None
        self.delivered = 0  # records that the broker has confirmed

    def partitions(self, topic: str) -> int:
        """How many partitions a topic has; a topic that does not exist is refused."""
        return _known(self._partitions, topic)

    async def send(self, topic: str, key: bytes | None, value: bytes | None, partition: int | None = None) -> None:
        """Take a record; it leaves when its batch is full or at `flush`. Without a partition, the key decides."""
        if partition is None:
            partition = partition_of(key or b"", self.partitions(topic))
        place = (topic, partition)
        batch = self._open.get(place)
        if batch is None:
            batch = self._open[place] = self._producer.create_batch()
        if batch.append(key=key, value=value, timestamp=None) is None:
            await self._submit(place)
            batch = self._open[place] = self._producer.create_batch()
            batch.append(key=key, value=value, timestamp=None)

    async def flush(self) -> None:
        """Wait until everything taken so far is delivered; raises what went wrong on the way."""
        await self.push()
        if self._sent:
            await asyncio.wait(self._sent)
        self._check()

    async def push(self) -> None:
        """Send what is collected, without waiting for the broker's answer."""
        for place in list(self._open):
            await self._submit(place)

    async def _submit(self, place: tuple[str, int]) -> None:
        self._check()
        batch = self._open.pop(place)
        count = batch.record_count()
        future: asyncio.Future[Any] = await self._producer.send_batch(batch, place[0], partition=place[1])
        self._sent.add(future)
        future.add_done_callback(lambda done: self._note(done, count))

    def _note(self, done: asyncio.Future[Any], count: int) -> None:
        self._sent.discard(done)
        if done.cancelled():
            return
        if error := done.exception():
            self._failed = self._failed or error
        else:
            self.delivered += count

    def _check(self) -> None:
        if self._failed is not None:
            raise self._failed


@asynccontextmanager
async def publisher(options: dict[str, Any]) -> AsyncGenerator[Publisher, None]:
    """A publisher that has delivered what it took when its block ends, also when Ctrl-C or bad input ends it."""
    producer = AIOKafkaProducer(
        **options, enable_idempotence=True, max_batch_size=BATCH, max_request_size=REQUEST, linger_ms=0
    )
    async with started(producer):
        made = Publisher(producer, await partitions(options))
        try:
            yield made
            await made.flush()
        except (asyncio.CancelledError, KafkaError, Trouble):
            with suppress(KafkaError):
                await made.flush()
            if made.delivered:
                notes.print(f"stopped: {made.delivered:,} records were published", highlight=False)
            raise


async def read(
    options: dict[str, Any], topic: str, newest: int | None = None
) -> AsyncGenerator[ConsumerRecord[Any, Any], None]:
    """The records that a topic holds now, partition by partition in order; of each partition the `newest` only.

    What arrives while reading is left out, so that reading ends.
    """
    # Nothing is waited for: what is read is there already.
    async with started(AIOKafkaConsumer(**options, enable_auto_commit=False, fetch_max_wait_ms=10)) as consumer:
        places = [TopicPartition(topic, number) for number in range(_known(await partitions(options), topic))]
        first = await consumer.beginning_offsets(places)
        last = await consumer.end_offsets(places)
        filled = [place for place in places if first[place] < last[place]]
        consumer.assign(filled)
        for place in filled:
            consumer.seek(place, first[place] if newest is None else max(first[place], last[place] - newest))
        for place in filled:
            while await consumer.position(place) < last[place]:
                for record in (await consumer.getmany(place, timeout_ms=1000)).get(place, []):
                    if record.offset < last[place]:
                        yield record


async def ends(options: dict[str, Any], topic: str) -> dict[int, int]:
    """The offset after the last record, of each partition of a topic."""
    async with started(AIOKafkaConsumer(**options, enable_auto_commit=False)) as consumer:
        places = [TopicPartition(topic, number) for number in range(_known(await partitions(options), topic))]
        return {place.partition: offset for place, offset in (await consumer.end_offsets(places)).items()}


async def partitions(options: dict[str, Any]) -> dict[str, int]:
    """How many partitions each topic has that this login may see."""
    admin = AIOKafkaAdminClient(**options)
    async with started(admin):
        return {topic["topic"]: len(topic["partitions"]) for topic in await admin.describe_topics()}


def _known(found: dict[str, int], topic: str) -> int:
    try:
        return found[topic]
    except KeyError:
        raise Trouble(f"this Kafka has no topic {topic}: is it a Perkstream system?") from None


@asynccontextmanager
async def started(client: Any) -> AsyncGenerator[Any, None]:
    """A client of aiokafka for the length of an `async with`; its own leaves one open whose start failed."""
    try:
        await client.start()
        yield client
    finally:
        await (client.close() if isinstance(client, AIOKafkaAdminClient) else client.stop())
