"""The loop of a service: fetch, decide in memory, commit, publish; one for all partitions of the process.

In a backlog the three stages overlap: the next batch is prepared while one commits and the one before is published.
Without one they do not, for latency. Whatever goes wrong with a commit ends the same way: forget what was prepared,
claim again, read again from the stored offsets.
"""

# aiokafka's types are partial.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError
from msgspec import Struct

from shared import log as logs
from shared.contracts.partition import partition_of
from shared.contracts.records import MAX_ID
from shared.contracts.topics import CLOCK
from shared.mongo import Transient, Unavailable
from shared.runtime import metrics
from shared.runtime.batch import Batch, Blocked, Documents
from shared.runtime.chores import Chores
from shared.runtime.claims import Claims
from shared.runtime.commands import Waiting
from shared.runtime.health import Health
from shared.runtime.inbox import Bad, Broken, Elsewhere, Inbox, Noticed, Raw, Read
from shared.runtime.intake import BACKLOG, Fetched, Intake
from shared.runtime.keyring import Keyring
from shared.runtime.loader import Loader
from shared.runtime.log import Codec
from shared.runtime.lookout import Lookout
from shared.runtime.owned import Owned
from shared.runtime.programmes import Programmes
from shared.runtime.publisher import Publisher, Share
from shared.runtime.rules import Service
from shared.runtime.source import Place, Source
from shared.runtime.store import Lost, Store

log = logs.get("loop")
UNPUBLISHED: Final = 4  # batches that may wait for Kafka before the loop does
# Records that are read and folded before the next: what is made of them on the way goes while a core still caches it.
SLICE: Final = 100
_PAUSES: Final = (0.05, 0.1, 0.2, 0.5, 1.0)  # seconds before a server that is away is asked again
_NOTE: Final = 1.0  # seconds of idleness after which it is stored what has been published


class Astray(Struct, frozen=True, gc=False):
    """A message on a partition that is not its customer's, and the one that is."""

    read: Read
    home: int


Item = Read | Astray | Bad | Broken | Noticed


class Loop:
    """Everything between a service's topics and its database."""

    def __init__(
        self,
        service: Service,
        partitions: int,
        consumer: AIOKafkaConsumer,
        claims: Claims,
        store: Store,
        loader: Loader,
        codec: Codec,
        publisher: Publisher,
        programmes: Programmes,
        chores: Chores,
        waiting: Waiting,
        health: Health,
        source: Source,
        keyring: Keyring | None,
    ) -> None:
        self._service, self._partitions, self._claims = service, partitions, claims
        self._intake, self._lookout = Intake(consumer, claims), Lookout(consumer, claims)
        self._store, self._loader, self._codec, self._publisher = store, loader, codec, publisher
        self._programmes, self._chores, self._waiting, self._health = programmes, chores, waiting, health
        self._inbox, self._source, self._keyring = Inbox(service), source, keyring
        self._committing: asyncio.Task[None] | None = None
        self._publishing: asyncio.Queue[tuple[Batch, list[Share]]] = asyncio.Queue(UNPUBLISHED)
        self._answering: set[str] = set()
        self._beside: list[asyncio.Task[None]] = []
        self._stopping = asyncio.Event()
        self._noted_at = time.monotonic()

    def stop(self) -> None:
        """Take nothing new; `run` returns when what is under way is stored and published."""
        self._stopping.set()

    async def run(self) -> bool:
        """Until `stop`; whether all that was under way has ended. Raises what only an operator can mend."""
        self._beside = [asyncio.create_task(self._publish()), asyncio.create_task(self._lookout.run())]
        failures = 0
        try:
            while not self._stopping.is_set():
                self._health.turned()
                self._check_beside()
                try:
                    await self.turn()
                    failures = 0
                    self._health.outage = None
                except (Lost, Transient, Unavailable, KafkaError) as error:
                    failures += 1
                    await self._start_over(error, failures)
            return await self._finish()
        finally:
            for task in self._beside:
                task.cancel()

    async def turn(self) -> None:
        """One batch, or a wait for something to do."""
        if self._keyring is not None:
            self._keyring.sweep()
        await self._claims.keep()
        overlapping = self._committing is not None
        busy = overlapping or self._chores.waiting(self._claims.owned.values())
        fetched = await self._intake.fetch(overlapping=overlapping, busy=busy)
        batch = await self._prepare(fetched)
        if batch is None:
            await self._idle()
            return
        documents = batch.documents()
        await self._committed()
        if self._loader.cache.full:
            self._loader.cache.shrink({customer for part in batch.parts.values() for customer in part.touched})
        self._committing = asyncio.create_task(self._commit(batch, documents))
        if batch.size < BACKLOG:
            await self._committed()

    async def _prepare(self, fetched: list[Fetched]) -> Batch | None:
        """Fold what was fetched, and a share of what takes more than one batch; `None` where there was nothing."""
        programme = self._programmes.current
        assert programme is not None
        owned = self._claims.owned
        batch = Batch(self._service, programme, self._loader, self._codec, self._keyring)
        await self._chores.choose(batch, owned, self._committed)
        await self._loader.load(owned, {**self._named(fetched), **self._chores.customers}, ())
        known: set[str] = set()
        for place, records in fetched:
            for start in range(0, len(records), SLICE):
                some = records[start : start + SLICE]
                items = await self._read(place, some)
                if place.partition not in owned:
                    break
                reads = [item for item in items if isinstance(item, Read)]
                await self._loader.load(owned, {read.customer_id: place.partition for read in reads}, reads)
                known |= await self._known_commands(reads)
                if not self._fold(batch, owned[place.partition], place, items, some, known):
                    break
                await asyncio.sleep(0)
        await self._chores.work(batch, owned)
        return batch if batch.parts else None

    def _named(self, fetched: list[Fetched]) -> dict[str, int]:
        """The customers whom records name by their key, with their partition: nearly always those that they are about,
        so that what is stored of all of them is asked for at once."""
        found: dict[str, int] = {}
        for place, records in fetched:
            keys = {record.key for record in records if record.key and len(record.key) <= MAX_ID}
            for name in [key.decode("ascii", "replace") for key in keys]:
                if self._home(name) == place.partition:
                    found[name] = place.partition
        return found

    def _home(self, customer_id: str) -> int:
        head = self._loader.cache.heads.get(customer_id)
        return partition_of(customer_id, self._partitions) if head is None else head.partition

    async def _read(self, place: TopicPartition, records: Sequence[Raw]) -> list[Item]:
        read, number = self._inbox.read, place.partition
        items: list[Item] = []
        some = [read(record) for record in records]
        lying = [_place(item) for item in some if isinstance(item, Elsewhere)]
        values = await self._source.read(lying) if lying else {}
        for item in some:
            found = self._inbox.found(item, values[_place(item)]) if isinstance(item, Elsewhere) else item
            if isinstance(found, Read) and (home := self._home(found.customer_id)) != number:
                items.append(Astray(found, home))
            else:
                items.append(found)
        return items

    def _fold(
        self,
        batch: Batch,
        owned: Owned,
        place: TopicPartition,
        items: list[Item],
        records: Sequence[Raw],
        known: set[str],
    ) -> bool:
        """Whether the partition's records go on: not beyond one that blocks it, or a tick that is not settled yet."""
        part = batch.part(owned)
        for item, record in zip(items, records, strict=True):
            match item:
                case Read():
                    if item.command is not None and item.command.command_id in known:
                        batch.counts[place.topic, "duplicate"] += 1
                    else:
                        if item.command is not None:
                            known.add(item.command.command_id)
                        try:
                            batch.take(part, item)
                        except Blocked as blocked:
                            self._claims.block(place, record.offset, str(blocked))
                            return False
                case Astray(read, home):
                    batch.forward(part, read.origin, read.customer_id, home)
                    batch.size += 1
                    metrics.STRAYS.labels(place.topic).inc()
                case Bad():
                    batch.bury(part, item.origin, item.reason)
                    batch.size += 1
                    batch.counts[place.topic, "dead"] += 1
                case Broken():
                    self._claims.block(place, record.offset, item.reason)
                    return False
                case Noticed():
                    owned.next[place.topic] = self._chores.notice(owned, item, known)
                    batch.size += 1
                    if owned.settling is not None and place.topic == CLOCK:
                        return False  # the rest of the clock is read again when this tick is done with
                    continue
            owned.next[place.topic] = record.offset + 1
        if records and place.topic != CLOCK:
            at = datetime.fromtimestamp(records[0].timestamp / 1000, UTC)
            part.oldest = at if part.oldest is None else min(part.oldest, at)
        return True

    async def _known_commands(self, reads: list[Read]) -> set[str]:
        ids = [read.command.command_id for read in reads if read.command is not None]
        if not ids:
            return set()
        stored = await self._store.answers(ids)
        return {identity for identity, answer in stored.items() if answer["status"] is not None} | self._answering

    async def _commit(self, batch: Batch, documents: Documents) -> None:
        answering = {answer["_id"] for answer in documents.answers}
        self._answering |= answering
        attempt = 0
        began = time.monotonic()
        try:
            while True:
                self._health.turned()
                try:
                    await self._store.commit(documents)
                    break
                except (Transient, Unavailable) as error:
                    # Nothing was written, or the swap will say that it was.
                    self._health.outage = f"mongodb: {error}" if isinstance(error, Unavailable) else None
                    await asyncio.sleep(_PAUSES[min(attempt, len(_PAUSES) - 1)])
                    attempt += 1
        finally:
            self._answering -= answering
        self._stored(batch, documents, time.monotonic() - began)
        share: list[Share] = [
            (number, [event for touched in part.touched.values() for event in touched.events], part.letters)
            for number, part in batch.parts.items()
        ]
        while self._publishing.full() and not self._stopping.is_set():
            self._health.turned()  # Kafka is away or slow: the loop waits, it does not hang
            self._check_beside()
            await asyncio.sleep(0.02)
        await self._publishing.put((batch, share))
        self._unpublished(1)

    def _unpublished(self, more: int) -> None:
        self._health.unpublished += more
        metrics.UNPUBLISHED.set(self._health.unpublished)

    def _check_beside(self) -> None:
        """Outages are waited for; whatever else ends the publishing or the lookout ends the process, too."""
        for task in self._beside:
            if task.done():
                task.result()

    def _stored(self, batch: Batch, documents: Documents, took: float) -> None:
        now = datetime.now(UTC)
        for part in batch.parts.values():
            if part.flush is not None:
                self._loader.pages.update(part.owned.number, part.owned.flushing)
                part.owned.flushing = {}
            if part.oldest is not None:
                metrics.PROJECTION.observe((now - part.oldest).total_seconds())
        for document in documents.archive:
            self._loader.chunks.pop(document["_id"], None)
        if self._keyring is not None:
            self._keyring.stored(documents.keyed)
        self._waiting.answered(documents.answers)
        self._health.committed_at = time.monotonic()
        metrics.LAST_COMMIT.set_to_current_time()
        metrics.COMMIT.observe(took)
        metrics.BATCH.observe(batch.size)
        for (topic, outcome), count in batch.counts.items():
            metrics.RECORDS.labels(topic, outcome).inc(count)
            if outcome in ("dead", "bug"):
                metrics.DEAD_LETTERS.labels(topic).inc(count)

    async def _publish(self) -> None:
        while True:
            batch, shares = await self._publishing.get()
            await self._publisher.publish(shares)
            now = datetime.now(UTC)
            for part in batch.parts.values():
                part.owned.published = part.before + 1
                if part.oldest is not None:
                    metrics.PUBLISHED.observe((now - part.oldest).total_seconds())
            metrics.EVENTS.inc(sum(len(events) for _, events, _ in shares))
            self._publishing.task_done()
            self._unpublished(-1)

    async def _committed(self) -> None:
        """Wait for the commit that is under way; raises what it raised."""
        task, self._committing = self._committing, None
        if task is not None:
            await task

    async def _idle(self) -> None:
        await self._committed()
        if time.monotonic() - self._noted_at > _NOTE:
            self._noted_at = time.monotonic()
            await self._note()

    async def _note(self) -> None:
        """Store how far publishing has come, where nothing is left to publish."""
        waiting = [each for each in self._claims.owned.values() if each.noted < each.published == each.batch]
        if not waiting:
            return
        programme = self._programmes.current
        assert programme is not None
        batch = Batch(self._service, programme, self._loader, self._codec, self._keyring)
        for owned in waiting:
            batch.part(owned)
        documents = batch.documents()
        await self._store.commit(documents)
        for part in batch.parts.values():
            part.owned.published = part.owned.noted = part.before + 1

    async def _start_over(self, error: Exception, failures: int) -> None:
        """Forget what was prepared; the next turn claims and reads again."""
        kind = type(error).__name__
        log.warning("starting over", error=kind, detail=str(error), failures=failures)
        if isinstance(error, Unavailable | KafkaError):
            self._health.outage = kind
        await asyncio.sleep(_PAUSES[min(failures - 1, len(_PAUSES) - 1)])
        with suppress(Lost, Transient, Unavailable, KafkaError):
            await self._committed()
        self._loader.forget_recalled()
        await self._claims.drop_all()

    async def _finish(self) -> bool:
        """What is under way is stored and published, as far as the servers let us: whether they did."""
        self._health.stopping = True
        try:
            async with asyncio.timeout(10):
                await self._committed()
                await self._publishing.join()
                await self._note()
                await self._lookout.look()
        except (Lost, Transient, Unavailable, KafkaError, TimeoutError) as error:
            log.warning("stopped before all was published; the next owner does that", error=type(error).__name__)
            return False
        return True


def _place(item: Elsewhere) -> Place:
    return item.origin.topic, item.origin.partition, item.origin.offset
