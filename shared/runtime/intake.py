"""What the loop takes from Kafka: how much at once, from which partitions, and what to do where nothing can be read."""

# aiokafka's types are partial.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false

import asyncio
import time
from collections.abc import Sequence
from typing import Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import NoOffsetForPartitionError, OffsetOutOfRangeError

from shared.runtime.claims import Claims, MissingRecordsError
from shared.runtime.inbox import Raw

BATCH: Final = 2_000  # records
BACKLOG: Final = 400  # records in a batch, from which on the loop's stages overlap
POLL_MS: Final = 200
PACE_MS: Final = 8  # at least from one batch to the next without a backlog: what comes meanwhile goes together
FRESH_MS: Final = 50  # at most for what has come while the batch before was under way

Fetched = tuple[TopicPartition, Sequence[Raw]]


class Intake:
    """Reads the partitions that flow."""

    def __init__(self, consumer: AIOKafkaConsumer, claims: Claims) -> None:
        self._consumer, self._claims = consumer, claims
        self._careful: set[TopicPartition] = set()  # are read one by one
        self._fetched_at = time.monotonic()

    async def fetch(self, *, overlapping: bool, busy: bool) -> list[Fetched]:
        """What is there: in a backlog, when stages are `overlapping`, a quota from each partition.

        Waits a little where there is nothing, unless the loop is `busy` with something else.
        """
        fetched: list[Fetched] = []
        flowing, careful = self._claims.flowing, self._careful
        if overlapping or careful:
            quota = max(50, BATCH // max(1, len(self._claims.owned)))
            for place in list(flowing):
                fetched += await self._get(1 if place in careful else quota, place)
        elif flowing:
            fetched = await self._get(BATCH, *flowing)
            if fetched and sum(len(records) for _, records in fetched) < BACKLOG:
                # The client fetches no more while it holds what nobody has taken: so this came when the batch before
                # had just begun, and what came since waits at the broker. Nothing may have: then we wait no longer than
                # that batch took.
                took = int((time.monotonic() - self._fetched_at) * 1000)
                await asyncio.sleep(max(0, PACE_MS - took) / 1000)
                fresh = await self._get(BATCH, *flowing, timeout_ms=min(took, FRESH_MS))
                fetched = [] if careful else _joined(fetched, fresh)  # all is read again where a header is unreadable
        if not fetched:
            if flowing and not busy:
                fetched = await self._get(1 if careful else BATCH, *flowing, timeout_ms=POLL_MS)
            elif not flowing:
                await asyncio.sleep(POLL_MS / 1000 / 4)
        self._fetched_at = time.monotonic()
        return fetched

    async def _get(self, most: int, *places: TopicPartition, timeout_ms: int = 0) -> list[Fetched]:
        try:
            found = await self._consumer.getmany(*places, timeout_ms=timeout_ms, max_records=most)
        except NoOffsetForPartitionError:
            return []  # left from before the claim's seek
        except UnicodeDecodeError:
            return self._unreadable(places)
        except OffsetOutOfRangeError as error:
            raise MissingRecordsError(f"Kafka no longer has what was to be read next: {error}") from None
        return [(place, records) for place, records in found.items() if place.partition in self._claims.owned]

    def _unreadable(self, places: Sequence[TopicPartition]) -> list[Fetched]:
        """A header's name is no UTF-8, which the client cannot read, nor what stands before it in one fetch.

        Read again from where we are, one by one; the record itself then blocks its partition: nothing is skipped.
        """
        for place in places:
            owned = self._claims.owned.get(place.partition)
            if owned is None:
                continue
            if place in self._careful and len(places) == 1:
                self._claims.block(place, owned.next[place.topic], "headers: a name is no UTF-8")
            else:
                self._careful.add(place)
                self._claims.resume(place, owned.next[place.topic])
        return []


def _joined(first: list[Fetched], then: list[Fetched]) -> list[Fetched]:
    """All of both, each partition once."""
    found: dict[TopicPartition, Sequence[Raw]] = dict(first)
    for place, records in then:
        found[place] = [*found.get(place, ()), *records]
    return list(found.items())
