"""Which partitions are ours: what Kafka assigns, and what MongoDB lets us claim."""

# aiokafka's types are partial.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Final

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition

from shared import log as logs
from shared.mongo import Transient, Unavailable
from shared.runtime import metrics
from shared.runtime.health import Health
from shared.runtime.loader import Loader
from shared.runtime.owned import Owned
from shared.runtime.publisher import Publisher
from shared.runtime.store import Store

log = logs.get("claims")
PATIENCE: Final = 7.0  # seconds until what somebody else has claimed is claimed again: two heartbeats and a bit


class MissingRecordsError(Exception):
    """Kafka no longer has records that were not read. Nothing is skipped silently: the service stops."""


class Listener(ConsumerRebalanceListener):
    """Pauses what is assigned, and nothing else: a callback is no fence."""

    def __init__(self) -> None:
        self.consumer: Callable[[], AIOKafkaConsumer] | None = None
        self.changed = asyncio.Event()
        self.joined = False

    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:  # type: ignore[override]
        self.changed.set()

    async def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:  # type: ignore[override]
        assert self.consumer is not None
        # Before anything is awaited: records would be handed out from wherever the group's offset stands.
        self.consumer().pause(*assigned)
        self.joined = True
        self.changed.set()


class Claims:
    """The partitions that this process owns, by number."""

    def __init__(
        self,
        topics: Sequence[str],
        consumer: AIOKafkaConsumer,
        listener: Listener,
        store: Store,
        loader: Loader,
        publisher: Publisher,
        health: Health,
    ) -> None:
        self.owned: dict[int, Owned] = {}
        self.flowing: list[TopicPartition] = []
        self._topics, self._consumer, self._listener = tuple(topics), consumer, listener
        self._store, self._loader, self._publisher, self._health = store, loader, publisher, health
        self._not_before: dict[int, float] = {}

    async def keep(self) -> None:
        """Drop what is assigned elsewhere, claim what is assigned here as a whole: one number, on all topics."""
        if self._listener.changed.is_set():
            self._listener.changed.clear()
            await self._rebalanced()
        assigned = self._assigned()
        self._health.assigned = len(assigned) if self._listener.joined else None
        now = time.monotonic()
        ready = [n for n in assigned if n not in self.owned and self._not_before.get(n, 0) <= now]
        if ready:
            await self._take(ready)
        self._health.owned = len(self.owned)
        metrics.OWNED.set(len(self.owned))

    def epochs(self) -> dict[int, int]:
        """The partitions that are ours, with the epoch of our claim."""
        return {number: owned.epoch for number, owned in self.owned.items()}

    def pause(self, place: TopicPartition) -> None:
        """Read no more of it for now."""
        if place in self.flowing:
            self.flowing.remove(place)
        if place in self._consumer.assignment():
            self._consumer.pause(place)

    def resume(self, place: TopicPartition, offset: int) -> None:
        """Read on from there."""
        if place in self._consumer.assignment():
            self._consumer.seek(place, offset)
            self._consumer.resume(place)
            if place not in self.flowing:
                self.flowing.append(place)

    def block(self, place: TopicPartition, offset: int, reason: str) -> None:
        """What is there cannot be taken now: its partition waits for an operator, nothing is skipped."""
        self.pause(place)
        self.owned[place.partition].next[place.topic] = offset
        self._health.block(place.topic, place.partition, reason)
        log.error("a partition waits", topic=place.topic, partition=place.partition, offset=offset, reason=reason)

    async def drop_all(self) -> None:
        """Forget everything that was prepared, and find out who owns what. What is still ours is claimed at once."""
        try:
            ours = await self._store.still_ours(self.owned.values())
        except (Transient, Unavailable):
            ours = set(self.owned)  # the next claim tells
        for number in list(self.owned):
            if number not in ours:
                log.warning("somebody else has claimed a partition", partition=number)
                metrics.FENCES.inc()
                self._health.fences += 1
                self._not_before[number] = time.monotonic() + PATIENCE
            self._drop(number)

    def _assigned(self) -> list[int]:
        here = self._consumer.assignment()
        numbers = sorted({place.partition for place in here})
        return [n for n in numbers if all(TopicPartition(topic, n) in here for topic in self._topics)]

    async def _rebalanced(self) -> None:
        assigned = set(self._assigned())
        self.flowing.clear()
        self._not_before.clear()
        for number in list(self.owned):
            if number not in assigned:
                self._drop(number)
        # A new generation forgets positions. What is still ours needs no new claim: had somebody had it in between,
        # the swap would say so.
        for owned in self.owned.values():
            self._flow(owned)
        log.info("assigned", partitions=sorted(assigned))

    def _drop(self, number: int) -> None:
        del self.owned[number]
        self._loader.drop(number)
        self._health.unblock(number)
        for topic in self._topics:
            self.pause(TopicPartition(topic, number))

    async def _take(self, numbers: Sequence[int]) -> None:
        """Claim these, then read them from where they stand.

        All are asked for together: the broker answers no question before the fetch that waits on the same connection.
        """
        claimed = [await self._claim(number) for number in numbers]
        places = [TopicPartition(topic, number) for number in numbers for topic in self._topics]
        first, last = await asyncio.gather(self._consumer.beginning_offsets(places), self._consumer.end_offsets(places))
        if self._listener.changed.is_set():
            return  # assigned anew meanwhile; claim again when that is settled
        for owned in claimed:
            for topic in self._topics:
                place = TopicPartition(topic, owned.number)
                stored = owned.next.setdefault(topic, first[place])
                if not first[place] <= stored <= last[place]:
                    raise MissingRecordsError(
                        f"{topic}, partition {owned.number}: the next record to read is {stored}, "
                        f"but Kafka has {first[place]} to {last[place]}"
                    )
            self.owned[owned.number] = owned
            self._flow(owned)

    async def _claim(self, number: int) -> Owned:
        owned = await self._store.claim(number)
        shares = await self._store.unpublished(owned)
        if shares:
            await self._publisher.publish(shares)
        owned.published = owned.batch
        self._health.turned()
        log.info("claimed", partition=number, epoch=owned.epoch, republished=sum(len(share[1]) for share in shares))
        return owned

    def _flow(self, owned: Owned) -> None:
        for topic in self._topics:
            place = TopicPartition(topic, owned.number)
            self.resume(place, owned.next[topic])
        if owned.settling is not None:
            self.pause(TopicPartition("clock", owned.number))
