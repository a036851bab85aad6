"""A service on real servers, and what must be true of it after anything that may happen to it."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaConnectionError
from pymongo import AsyncMongoClient

from deploy.cli import kafka, programme
from deploy.local.stack import Stack
from deploy.local.system import PROGRAMME
from shared.contracts.partition import partition_of
from shared.contracts.topics import CLOCK
from shared.masterkeys.kms import connect
from shared.mongo import Mongo
from shared.runtime.inbox import Inbox
from shared.runtime.keyring import Keyring
from shared.runtime.owned import BATCHES, KEYS, PARTITIONS, batch_id
from shared.sealing import Sealer
from shared.settings import PREFIX
from tests.faults import truth
from tests.faults.launch import Fault
from tests.faults.process import Nursery, Process, end_all
from tests.faults.subject import Record, Sent, Subject
from tests.faults.waiting import until


class World:
    """The processes of one subject on one stack; `world` of conftest makes it, empty, and ends what is left of it."""

    def __init__(
        self, subject: Subject, stack: Stack, nursery: Nursery, folder: Path, mongo: AsyncMongoClient[Any]
    ) -> None:
        assert stack.layout is not None, "the fault tests need servers that are child processes"
        self.subject, self.stack = subject, stack
        self.partitions = stack.layout.partitions
        self.processes: list[Process] = []
        self.bugs: set[str] = set()
        self.database = mongo[subject.name]
        self._nursery, self._folder = nursery, folder
        self._inputs = Inbox(subject.service).topics

    def process(
        self, fault: Fault | None = None, *, armed: bool = True, environment: Mapping[str, str] | None = None
    ) -> Process:
        """Start another process of the service; `armed`: its fault may happen at once."""
        name = f"{self.subject.name}-{len(self.processes) + 1}"
        own = {f"{PREFIX}{name}": value for name, value in self.subject.settings.items()}
        settings = {**self.stack.environment(self.subject.name), **own, **(environment or {})}
        made = Process(name, self._nursery, settings, self._folder, fault or Fault(), armed=armed)
        self.processes.append(made)
        return made

    async def send(self, records: Sequence[Sent]) -> None:
        """Put records on their topics, in this order on each partition, whatever the broker goes through meanwhile."""
        options: dict[str, Any] = {"enable_idempotence": True, "request_timeout_ms": 90_000, "linger_ms": 5}
        options |= self.stack.kafka_options()
        async with _started(lambda: AIOKafkaProducer(**options)) as producer:
            sent = [
                await producer.send(one.topic, one.value, one.key.encode(), partition=self._partition(one))
                for one in records
            ]
            await asyncio.gather(*sent)

    async def tick(self, at: str) -> None:
        """Move the clock; everything sent before must have been taken."""
        value = f'{{"type": "Tick.v1", "now": "{at}"}}'.encode()
        await self.send([Sent(CLOCK, "", value, number) for number in range(self.partitions)])

    def _partition(self, one: Sent) -> int:
        return partition_of(one.key, self.partitions) if one.partition is None else one.partition

    async def stored(self) -> dict[int, Any]:
        """The documents of the partitions, by number."""
        return {each["_id"]: each for each in await self.database[PARTITIONS].find().to_list(None)}

    async def quiet(self, within: float = 60) -> None:
        """Return when all records are taken, and it is noted that all events and letters are on Kafka."""
        options: dict[str, Any] = self.stack.kafka_options() | {"enable_auto_commit": False}
        async with _started(lambda: AIOKafkaConsumer(**options)) as consumer:
            places = [TopicPartition(topic, n) for topic in self._inputs for n in range(self.partitions)]

            async def is_quiet() -> bool:
                stored, ends = await self.stored(), await consumer.end_offsets(places)
                read = {(topic, n): at for n, each in stored.items() for topic, at in each["next"].items()}
                if any(ends[place] and read.get((place.topic, place.partition)) != ends[place] for place in places):
                    return False
                for number, document in stored.items():
                    query = {"_id": {"$gt": batch_id(number, document["published"]), "$lt": batch_id(number, 10**9)}}
                    if await self.database[BATCHES].find_one(query):
                        return False
                return True

            await until(is_quiet, f"{self.subject.name} to take and publish everything", within)

    async def read(self, topic: str) -> list[Record]:
        """All records of a topic, in order of the broker's time."""
        return [record async for record in kafka.read(self.stack.kafka_options(), topic)]

    async def inputs(self) -> list[Record]:
        """All records that the service reads, in order of the broker's time."""
        found = [record for topic in self._inputs for record in await self.read(topic)]
        return sorted(found, key=lambda record: record.timestamp)

    async def no_drift(self, process: Process) -> None:
        """The state as stored is what the log folds to, the archive included."""
        answers = await process.operate("/rebuild", {"compare": True}, self.stack.token("ops"))
        assert [answer["drifted"] for answer in answers] == [0] * self.partitions, f"drift: {answers}"
        assert sum(answer["customers"] for answer in answers) == len(await truth.customers(self.database))

    async def holds(self) -> None:
        """Everything that must be true once it is quiet: see `truth`."""
        process = next((each for each in self.processes if each.running), None) or self.process()
        await process.ready()
        await self.quiet()
        await self.no_drift(process)
        await self.quiet()
        records = await self.inputs()
        sealers = await self._sealers()
        outcome = self.subject.undisturbed(records, self.partitions, self.bugs, sealers)
        ends = {(record.topic, record.partition): record.offset + 1 for record in records}
        truth.offsets(await self.stored(), ends)
        published = await self.read(f"{self.subject.name}.events")
        await truth.log(self.database, published)
        truth.events(published, outcome, self.partitions)
        truth.letters(await self.read(f"{self.subject.name}.dead-letters"), outcome)
        await truth.states(self.database, self.subject, outcome)
        await truth.totals(self.database, self.subject, outcome)
        truth.keys(self.subject, outcome, sealers.keys())

    async def _sealers(self) -> dict[str, Sealer]:
        """By customer, with the keys that are stored; none for a service that has none."""
        if self.subject.service.forgotten is None:
            return {}
        mongo = Mongo(self.stack.mongo_url(), self.subject.name)
        kms = connect(self.stack.environment(self.subject.name)[f"{PREFIX}MASTER_KEYS"])
        try:
            stored = [key["_id"].partition("/")[2] for key in await mongo.find(KEYS, {})]
            return await Keyring(mongo, kms, self.partitions).of_all(stored)
        finally:
            await mongo.close()

    async def end(self) -> None:
        """End every process."""
        await end_all(self.processes)


@asynccontextmanager
async def opened(subject: Subject, stack: Stack, nursery: Nursery, folder: Path) -> AsyncGenerator[World, None]:
    """An empty world with the default programme."""
    await stack.clear()
    await programme.publish(stack.kafka_options(), PROGRAMME)
    async with AsyncMongoClient[Any](stack.mongo_url(), tz_aware=True) as mongo:
        world = World(subject, stack, nursery, folder, mongo)
        try:
            yield world
        finally:
            await world.end()


@asynccontextmanager
async def _started(make: Callable[[], Any]) -> AsyncGenerator[Any, None]:
    """A client of Kafka that has found a broker, however long that takes."""
    while True:
        client = make()
        try:
            await client.start()
            break
        except KafkaConnectionError:
            await client.stop()
            await asyncio.sleep(0.2)
    try:
        yield client
    finally:
        await client.stop()
