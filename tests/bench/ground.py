"""What every measurement stands on: one stack, and clients that send purchases and look at what came of them."""

import asyncio
import os
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from bson import Timestamp
from pymongo import MongoClient

from deploy.cli import programme
from deploy.local import jars, ports
from deploy.local.errors import StackError
from deploy.local.stack import Stack
from deploy.local.system import PROGRAMME, settings
from shared.contracts.topics import CUSTOMERS, PURCHASES, events_topic
from shared.settings import PREFIX
from tests.bench import fleet, raw
from tests.bench.purchases import PARTITIONS, REQUEST_BYTES, Load, Till

EVENTS: Final = events_topic("turnover")
# What a service is measured on.
SOURCES: Final = {
    "turnover": PURCHASES,
    "ledger": EVENTS,
    "profile": CUSTOMERS,
    "notifier": EVENTS,
    "portal": EVENTS,
}
POLL_S: Final = 0.1
STUCK_S: Final = 60
_RECORDED: Final = "TurnoverRecorded.v1"


class _Event(msgspec.Struct):
    type: str
    customer_id: str
    version: int
    purchase_id: str = ""


@dataclass(frozen=True)
class Published:
    """What came of a load. `times`: the broker's time of each purchase's event, in seconds since 1970, by purchase."""

    times: dict[str, float]
    events: int


@dataclass
class Ground:
    """The stack, a till, and a consumer that belongs to no group."""

    stack: Stack
    till: Till
    consumer: AIOKafkaConsumer
    mongo: MongoClient[dict[str, Any]]
    before: Timestamp
    """MongoDB's newest operation before the last measured load."""
    ports: dict[str, int]
    """At which the first process of a service answers, by its name; and `mail` and `sms`, where
    servers of the benchmark may."""

    @staticmethod
    @asynccontextmanager
    async def laid(folder: Path, seed: int) -> AsyncGenerator["Ground", None]:
        """A stack without any data, for the length of an `async with`."""
        async with Stack.start(folder, wipe=True) as stack:
            options = stack.kafka_options()
            producer = AIOKafkaProducer(**options, max_batch_size=REQUEST_BYTES, max_request_size=2 * REQUEST_BYTES)
            consumer = AIOKafkaConsumer(**options, enable_auto_commit=False, fetch_max_wait_ms=50)
            with MongoClient[dict[str, Any]](stack.mongo_url()) as mongo:
                await producer.start()
                await consumer.start()
                try:
                    await programme.publish(options, PROGRAMME)
                    names = [*SOURCES, "mail", "sms"]
                    numbers = dict(zip(names, ports.choose(len(names)), strict=True))
                    yield Ground(stack, Till(producer, seed), consumer, mongo, raw.newest(mongo), numbers)
                finally:
                    await consumer.stop()
                    await producer.stop()

    async def clear(self) -> None:
        """Begin again without records or documents. No service may be running."""
        self.consumer.unsubscribe()
        await self.stack.clear()
        await programme.publish(self.stack.kafka_options(), PROGRAMME)

    def versions(self) -> dict[str, str]:
        """Of the servers."""
        kafka = {} if not self.stack.brokers else {"kafka": jars.ROOTS.split("+")[0].rpartition(":")[2]}
        return kafka | {"mongod": self.mongo.server_info()["version"]}

    def environment(self, role: str) -> dict[str, str]:
        """The whole environment of a process that is measured."""
        inherited = {key: value for key, value in os.environ.items() if not key.startswith(PREFIX)}
        urls = {name: f"http://127.0.0.1:{port}" for name, port in self.ports.items()}
        return inherited | settings(self.stack, role, urls, self.ports["mail"]) | {f"{PREFIX}LOG_FORMAT": "json"}

    @property
    def servers(self) -> dict[str, list[int]]:
        """Process ids of the servers that run as our children."""
        return {"mongod": fleet.pids(self.stack.mongod), "broker": fleet.pids(self.stack.brokers)}

    async def ends(self, topic: str = EVENTS) -> dict[TopicPartition, int]:
        """The offsets after the newest records of a topic."""
        places = [TopicPartition(topic, number) for number in range(PARTITIONS)]
        return await self.consumer.end_offsets(places)

    async def published(self, running: fleet.Fleet, behind: int = 0) -> None:
        """Return when all that it reads is stored but for so many records, and all that they led to is published."""
        source = SOURCES[running.service]
        want = sum((await self.ends(source)).values()) - behind
        before, moved = -1, time.monotonic()
        while (stored := self._stored(running.service, source)) < want or not (behind or await running.idle()):
            running.check()
            if stored > before:
                before, moved = stored, time.monotonic()
            elif time.monotonic() - moved > STUCK_S:
                raise StackError(f"{running.service} does not go on: {stored:,} of {want:,} records are stored")
            await asyncio.sleep(POLL_S)

    def _stored(self, service: str, source: str) -> int:
        found = self.mongo[service]["partitions"].find({}, {"next": 1})
        return sum(document["next"].get(source, 0) for document in found)

    async def records(self, topic: str, since: dict[TopicPartition, int] | None = None) -> list[Any]:
        """What there is on a topic, or what came since; by partition in order."""
        ends, found = await self.ends(topic), list[Any]()
        self.consumer.assign(list(ends))
        for place, end in ends.items():
            at = since[place] if since else 0
            self.consumer.seek(place, at)
            while at < end:
                some = (await self.consumer.getmany(place, timeout_ms=5_000)).get(place, [])
                found += some
                at += len(some)
        self.consumer.unsubscribe()
        return found

    async def events(self, load: Load, since: dict[TopicPartition, int]) -> Published:
        """The events of a load, checked: one for each purchase, and no version twice or left out."""
        missing = set(load.ids)
        times: dict[str, float] = {}
        versions: dict[str, int] = {}
        count = 0
        self.consumer.assign(list(since))
        for place, offset in since.items():
            self.consumer.seek(place, offset)
        while missing:
            found = await self.consumer.getmany(timeout_ms=5_000)
            if not found:
                raise StackError(f"{len(missing):,} of {len(load.ids):,} purchases led to no event")
            for records in found.values():
                for record in records:
                    event = msgspec.json.decode(record.value or b"", type=_Event)
                    count += 1
                    if versions.setdefault(event.customer_id, event.version - 1) != event.version - 1:
                        raise StackError(f"{event.customer_id}: {versions[event.customer_id]} then {event.version}")
                    versions[event.customer_id] = event.version
                    if event.type == _RECORDED:
                        times[event.purchase_id] = record.timestamp / 1000
                        missing.discard(event.purchase_id)
        self.consumer.unsubscribe()  # or it would go on fetching beside what is measured next
        if len(times) > len(load.ids):
            raise StackError(f"{len(times) - len(load.ids):,} events of purchases that were not in the load")
        return Published(times, count)
