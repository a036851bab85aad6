"""The way from HTTP to the one writer of a partition and back: the commands topic, and the stored answers."""

# aiokafka's types are partial.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

import asyncio
import json
from collections.abc import Container, Iterable, Mapping
from datetime import UTC, datetime
from itertools import count
from typing import Any, Final

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from shared.contracts.partition import partition_of
from shared.contracts.topics import commands_topic
from shared.http.commands import Answer, Stored
from shared.mongo import Document, Mongo, Unavailable
from shared.runtime.log import json_bytes
from shared.runtime.owned import ANSWERS

_POLL: Final = 0.03  # seconds between questions for answers that another process stores
_ALL: Final = 16  # one in so many asks also for those of partitions that are ours: they may not have been a moment ago
_MOST: Final = 10_000  # commands that may wait at once


class Waiting:
    """Requests of this process that wait for an answer: it tells those of its own partitions, numbered in `here`; for
    the others one poll asks."""

    def __init__(self, mongo: Mongo) -> None:
        self.here: Container[int] = ()
        self._mongo = mongo
        self._futures: dict[str, list[asyncio.Future[Document]]] = {}
        self._poller: asyncio.Task[None] | None = None

    def answered(self, answers: Iterable[Document]) -> None:
        """Answers that were just stored, here or elsewhere."""
        if not self._futures:
            return
        for answer in answers:
            for future in self._futures.pop(answer["_id"], ()):
                if not future.done():
                    future.set_result(answer)

    async def wait(self, command_id: str, seconds: float) -> Document | None:
        """The answer to a command, unless it takes longer than that."""
        if len(self._futures) >= _MOST:
            raise Unavailable("too many commands wait")
        future: asyncio.Future[Document] = asyncio.get_running_loop().create_future()
        self._futures.setdefault(command_id, []).append(future)
        if self._poller is None or self._poller.done():
            self._poller = asyncio.create_task(self._poll())
        try:
            return await asyncio.wait_for(future, seconds)
        except TimeoutError:
            return None
        finally:
            left = [each for each in self._futures.get(command_id, ()) if each is not future]
            if left:
                self._futures[command_id] = left
            else:
                self._futures.pop(command_id, None)

    async def _poll(self) -> None:
        for turn in count(1):
            await asyncio.sleep(_POLL)
            if not self._futures:
                return
            asked = [each for each in self._futures if turn % _ALL == 0 or _partition(each) not in self.here]
            if asked:
                try:
                    query = {"_id": {"$in": asked}, "status": {"$ne": None}}
                    self.answered(await self._mongo.find(ANSWERS, query))
                except Unavailable:
                    await asyncio.sleep(1)


class Commands:
    """What `shared.http.commands` needs of the runtime."""

    def __init__(
        self, service: str, partitions: int, mongo: Mongo, waiting: Waiting, options: Mapping[str, Any]
    ) -> None:
        self._topic, self._partitions = commands_topic(service), partitions
        self._mongo, self._waiting = mongo, waiting
        self._producer = AIOKafkaProducer(**options, acks="all", enable_idempotence=True, request_timeout_ms=5_000)

    @property
    def partitions(self) -> int:
        """How many there are."""
        return self._partitions

    def partition(self, customer_id: str) -> int:
        """The partition of a customer."""
        return partition_of(customer_id, self._partitions)

    async def start(self) -> None:
        """Connect."""
        await self._producer.start()

    async def stop(self) -> None:
        """Disconnect."""
        await self._producer.stop()

    async def send(self, command: Mapping[str, Any], wait: float) -> Stored:
        """Publish a command and wait so many seconds for the answer; without a wait, unless its id is known already.

        Whose id is known is published again: its writer drops it, and the answer is the first one. Commands that come
        again are few, and to look for each would cost as much as the rest of its way here.
        """
        identity: str = command["command_id"]
        if wait == 0:
            known = await self.find(identity)
            if known is not None:
                return known
            await self._remember(command)
        partition = _partition(identity)
        key = command.get("customer_id")
        waiting = asyncio.create_task(self._waiting.wait(identity, wait)) if wait else None
        try:
            await self._producer.send_and_wait(
                self._topic, json_bytes(command), key.encode() if key else None, partition=partition
            )
        except KafkaError as error:
            if waiting is not None:
                waiting.cancel()
            raise Unavailable(type(error).__name__) from error
        answer = await waiting if waiting is not None else None
        if answer is not None:
            return _stored(answer)
        if wait:
            await self._remember(command)
        return Stored(command["sender"], command["fingerprint"], None)

    async def find(self, command_id: str) -> Stored | None:
        """A command that was sent, answered or not."""
        found = await self._mongo.find(ANSWERS, {"_id": command_id})
        return _stored(found[0]) if found else None

    async def _remember(self, command: Mapping[str, Any]) -> None:
        pending = {"sender": command["sender"], "fingerprint": command["fingerprint"], "status": None, "body": None}
        await self._mongo.insert_missing(ANSWERS, {"_id": command["command_id"], **pending, "at": datetime.now(UTC)})


def _partition(identity: str) -> int:
    return int(identity[: identity.index("-")])


def _stored(document: Document) -> Stored:
    answer = None
    if document["status"] is not None:
        body = document["body"]
        answer = Answer(document["status"], None if body is None else json.loads(body))
    return Stored(document["sender"], document["fingerprint"], answer)
