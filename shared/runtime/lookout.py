"""Beside the loop: counts what waits, tells Kafka where we are, and notices a consumer that hands out nothing more."""

# aiokafka's types are partial.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false

import asyncio
from typing import Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from shared import log as logs
from shared.runtime import metrics
from shared.runtime.claims import Claims

log = logs.get("lookout")
EVERY: Final = 5.0  # seconds
STALLED: Final = 6  # looks that find the same record waiting; then only a new consumer helps


class StalledError(Exception):
    """The Kafka client has stalled, as it may after a rebalance; only a new process helps."""


class Lookout:
    """A task of its own: the broker answers no question before the fetch that waits on the same connection, which
    would hold the loop up for a tenth of a second each time."""

    def __init__(self, consumer: AIOKafkaConsumer, claims: Claims) -> None:
        self._consumer, self._claims = consumer, claims
        self._stalls: dict[TopicPartition, tuple[int, int]] = {}

    async def run(self) -> None:
        """Look every few seconds, for ever; raises `StalledError`."""
        while True:
            await asyncio.sleep(EVERY)
            try:
                await self.look()
            except KafkaError as error:  # the loop meets it too, and says so
                log.debug("no look at what waits", error=type(error).__name__)

    async def look(self) -> None:
        """Look once. The offsets are for display: the service itself goes by those in its database."""
        here, flowing = self._consumer.assignment(), list(self._claims.flowing)
        places = {
            TopicPartition(topic, owned.number): offset
            for owned in self._claims.owned.values()
            for topic, offset in owned.next.items()
        }
        places = {place: offset for place, offset in places.items() if place in here}
        if not places:
            return
        ends: dict[TopicPartition, int] = await self._consumer.end_offsets(list(places))
        lag: dict[str, int] = {}
        for place, offset in places.items():
            lag[place.topic] = lag.get(place.topic, 0) + ends[place] - offset
            before, times = self._stalls.get(place, (offset, 0))
            stalls = place in flowing and ends[place] > offset == before
            self._stalls[place] = (offset, times + 1 if stalls else 0)
            if times > STALLED:
                raise StalledError(f"{place.topic}, partition {place.partition}: records wait, and none is handed out")
        for topic, waiting in lag.items():
            metrics.LAG.labels(topic).set(waiting)
        try:
            await self._consumer.commit(places)
        except KafkaError as error:
            log.debug("offsets not shown", error=type(error).__name__)
