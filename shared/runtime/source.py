"""Reads records again where they lie: those of which only the place may be kept, because they hold personal data."""

# aiokafka's types are partial.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from collections.abc import Collection, Mapping
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import OffsetOutOfRangeError

_PATIENCE_MS: Final = 5_000
Place = tuple[str, int, int]  # topic, partition, offset


class Source:
    """Records by their places, without a group."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        self._options = dict(options)

    async def read(self, places: Collection[Place]) -> dict[Place, bytes | None]:
        """The values at these places; `None` where Kafka keeps no record any more. Raises what aiokafka raises."""
        found: dict[Place, bytes | None] = dict.fromkeys(places)
        if not found:
            return found
        consumer = AIOKafkaConsumer(**self._options, enable_auto_commit=False, auto_offset_reset="none")
        await consumer.start()
        try:
            topics = sorted({TopicPartition(topic, partition) for topic, partition, _ in places})
            consumer.assign(topics)
            first = await consumer.beginning_offsets(topics)
            for topic, partition, offset in sorted(places):
                place = TopicPartition(topic, partition)
                if offset < first[place]:
                    continue
                consumer.seek(place, offset)
                try:
                    records = (await consumer.getmany(place, timeout_ms=_PATIENCE_MS, max_records=1)).get(place, [])
                except OffsetOutOfRangeError:
                    continue
                if records and records[0].offset == offset:
                    found[topic, partition, offset] = records[0].value
        finally:
            await consumer.stop()
        return found
