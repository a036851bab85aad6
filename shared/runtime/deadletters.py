"""Tries dead letters again: each goes to the service's own commands, and is decided as if it came now."""

# aiokafka's types are partial.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from collections.abc import Mapping
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from pydantic import ValidationError

from shared.contracts.partition import partition_of
from shared.contracts.records import Input, UnreadableError, read
from shared.contracts.topics import commands_topic, dead_letters_topic
from shared.mongo import Document
from shared.runtime.batch import Letter, Part
from shared.runtime.inbox import STRAY, Raw
from shared.runtime.log import json_bytes
from shared.runtime.owned import Owned
from shared.runtime.rules import Service
from shared.runtime.source import Place, Source

_AT_ONCE: Final = 500


class DeadLetters:
    """The dead letters of one service."""

    def __init__(self, service: Service, partitions: int, options: Mapping[str, Any], source: Source) -> None:
        self._service, self._partitions, self._options, self._source = service, partitions, dict(options), source

    async def retry(self, part: Part, owned: Owned, chore: Document) -> Document | None:
        """One step: some letters since the last retry; when there are no more, how many were tried and skipped.

        A letter that still is no record of its topic stays what it is: it is counted as `skipped`.
        """
        place = TopicPartition(dead_letters_topic(self._service.name), owned.number)
        consumer = AIOKafkaConsumer(**self._options, enable_auto_commit=False, auto_offset_reset="earliest")
        await consumer.start()
        try:
            consumer.assign([place])
            first = (await consumer.beginning_offsets([place]))[place]
            end = chore.setdefault("end", (await consumer.end_offsets([place]))[place])
            at = max(first, owned.retried)
            taken = 0
            while at < end and taken < _AT_ONCE:
                consumer.seek(place, at)
                found = await consumer.getmany(place, timeout_ms=2_000, max_records=min(_AT_ONCE, end - at))
                records = found.get(place, [])
                if not records:
                    break
                places = [self._lying(record) for record in records]
                lying = await self._source.read([each for each in places if each is not None])
                for record in records:
                    letter = self._again(record, lying)
                    chore["retried" if letter else "skipped"] = chore.get("retried" if letter else "skipped", 0) + 1
                    if letter is not None:
                        part.letters.append(letter)
                taken += len(records)
                at = records[-1].offset + 1
            owned.retried = at
        finally:
            await consumer.stop()
        if at < end:
            return None
        return {"retried": chore.get("retried", 0), "skipped": chore.get("skipped", 0)}

    def _lying(self, record: Raw) -> Place | None:
        """Where the record of a letter lies that has no value."""
        headers = _headers(record)
        if record.value is not None or headers.get("topic") not in self._service.inputs:
            return None
        try:
            return headers["topic"], int(headers["partition"]), int(headers["offset"])
        except (KeyError, ValueError):
            return None

    def _again(self, record: Raw, lying: Mapping[Place, bytes | None]) -> Letter | None:
        headers = _headers(record)
        adapter = self._service.inputs.get(headers.get("topic", ""))
        place = self._lying(record)
        value = record.value if place is None else lying[place]
        if adapter is None or value is None:
            return None
        try:
            message: Input = read(adapter, value)
            stray = {
                "type": STRAY,
                "topic": headers["topic"],
                "partition": int(headers["partition"]),
                "offset": int(headers["offset"]),
                "recorded_at": headers["recorded_at"],
                "value": None if record.value is None else value.decode(),
            }
        except (UnreadableError, ValidationError, KeyError, ValueError):
            return None
        home = partition_of(message.customer_id, self._partitions)
        return Letter(commands_topic(self._service.name), home, message.customer_id.encode(), json_bytes(stray), [])


def _headers(record: Raw) -> dict[str, str]:
    return {name: value.decode("utf-8", "replace") for name, value in record.headers}
