"""Reads the topic `programme`: to its end before anything is decided, then on as versions come."""

# aiokafka's types are partial.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from shared import log as logs
from shared.contracts.coherence import read_programme
from shared.contracts.programme import ProgrammeVersion
from shared.contracts.records import UnreadableError
from shared.contracts.topics import PROGRAMME
from shared.rulebook.programme import Programme

log = logs.get("programme")
_PAUSE: Final = 1.0  # seconds before a broken connection is made anew


class Programmes:
    """The programme as of now; `current` is `None` until its first version was published."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        self.current: Programme | None = None
        self._versions: dict[int, ProgrammeVersion] = {}
        self._options = dict(options)
        self._read = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Return when all versions that there are have been read."""
        self._task = asyncio.create_task(self._follow())
        await self._read.wait()

    async def stop(self) -> None:
        """Read no more."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def _follow(self) -> None:
        while True:
            try:
                await self._consume()
            except KafkaError as error:
                log.warning("reading again", error=type(error).__name__)
                await asyncio.sleep(_PAUSE)

    async def _consume(self) -> None:
        consumer = AIOKafkaConsumer(**self._options, auto_offset_reset="earliest", enable_auto_commit=False)
        place = TopicPartition(PROGRAMME, 0)
        await consumer.start()
        try:
            consumer.assign([place])
            await consumer.seek_to_beginning(place)
            end = (await consumer.end_offsets([place]))[place]
            while True:
                if await consumer.position(place) >= end:
                    self._read.set()
                for records in (await consumer.getmany(timeout_ms=500)).values():
                    for record in records:
                        self._take(record.value, record.offset)
        finally:
            await consumer.stop()

    def _take(self, value: bytes | None, offset: int) -> None:
        try:
            version = read_programme(value)
            versions = {**self._versions, version.version: version}
            self.current = Programme(versions.values())
        except UnreadableError as error:
            # The command that publishes checks all this; who goes around it changes nothing.
            log.error("a programme version is refused", offset=offset, reason=str(error))
            return
        if self._versions.get(version.version) != version:
            log.info("programme version", version=version.version, effective_from=version.effective_from.isoformat())
        self._versions = versions
