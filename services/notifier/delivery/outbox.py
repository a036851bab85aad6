"""The sender's side of the queue: what the rules have queued, and beside each message in its hands a mark of its own.

The rules alone write `deliveries`, the sender alone `marks`, so neither can wipe out what the other knows: a message
that says something else now, or is withdrawn, may be on its way for all that. A mark is `sending` once a sender has
taken the message, and `done` with the report of what became of it, until the rules have heard that. Until then nobody
takes it.

One sender takes each: only who has made the mark has taken it. And only an owner: who takes a partition over raises its
fence first and looks for marks then; who takes a message makes its mark first and looks at the fence then. So whoever
has lost the partition sees that, or its mark is found.
"""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from msgspec import Struct
from pymongo import DeleteOne, UpdateOne

from services.notifier.delivery.together import Together
from services.notifier.views import DELIVERIES
from shared.mongo import Document, Mongo
from shared.runtime.owned import view_id

MARKS: Final = "marks"


class Delivery(Struct, frozen=True):
    """A message to hand over; see `views.deliveries`."""

    partition: int
    id: str
    customer: str
    template: str
    channel: str
    params: dict[str, Any]
    locale: str
    attempt: int
    change: int
    avoid: str | None

    @property
    def place(self) -> str:
        """The `_id` of its document, and of its mark."""
        return view_id(self.partition, self.id)


class Outbox:
    """The queue in MongoDB. Raises pymongo's errors."""

    def __init__(self, mongo: Mongo) -> None:
        self._documents: Any = mongo.collection(DELIVERIES)
        self._marks: Any = mongo.collection(MARKS)
        self._begun, self._ended, self._heard = Together(self._begin), Together(self._end), Together(self._forget)

    async def take_over(self, partition: int, epoch: int) -> None:
        """Make a partition's queue ours: nobody begins anything there any more who had it before."""
        await self._marks.update_one({"_id": _fence(partition)}, {"$max": {"epoch": epoch}}, upsert=True)

    async def free(self, partition: int, epoch: int, flying: Collection[str]) -> int:
        """Let be sent again what former owners of a partition have not finished; how many messages these are.

        `flying`: `_id`s of what this process itself is sending.
        """
        left = await self._marks.delete_many(
            {"_id": {**_range(partition), "$nin": list(flying)}, "status": "sending", "epoch": {"$lt": epoch}}
        )
        return left.deleted_count

    async def due(
        self, channel: str, owned: Collection[int], now: datetime, limit: int, busy: Collection[str]
    ) -> list[Delivery]:
        """What may be sent now in these partitions, in the order of what led to it.

        `busy`: customers who get something at the moment; what else there is for them comes after it, and after what a
        former owner has begun.

        What was never put off and what is due again are two stretches of one index, so that neither the length of the
        queue nor all that is due later is read.
        """
        marks = await _all(self._marks.find({"channel": channel, **_in(owned)}, {"status": 1, "customer": 1}))
        others = {mark["customer"] for mark in marks if mark["status"] == "sending"}
        mine: Document = {"status": "queued", "channel": channel, "customer": {"$nin": [*others.union(busy)]}}
        mine |= {"_id": {"$nin": [mark["_id"] for mark in marks]}, **_in(owned)}
        first: list[Document] = [{"$match": mine | {"due": None}}, {"$sort": {"at": 1}}, {"$limit": limit}]
        again: list[Document] = [
            {"$match": mine | {"due": {"$lte": now}}},
            {"$sort": {"due": 1, "at": 1}},
            {"$limit": limit},
        ]
        both: Document = {"$unionWith": {"coll": DELIVERIES, "pipeline": again}}
        # Of one moment, what is told at once comes before what was still gathered.
        found = self._documents.aggregate([*first, both, {"$sort": {"at": 1, "due": 1}}, {"$limit": limit}])
        return [_delivery(document) async for document in found]

    async def begin(self, delivery: Delivery, epoch: int) -> bool:
        """Take it, as it was read, immediately before it is sent; False where it is not ours to send any more."""
        return await self._begun.do((delivery, epoch))

    async def put_back(self, delivery: Delivery, epoch: int) -> None:
        """It was not sent, and waits as before."""
        await self._marks.delete_one(_sending(delivery, epoch))

    async def end(self, delivery: Delivery, epoch: int, report: Mapping[str, Any]) -> bool:
        """Keep what became of it, so that a crash from here on sends nothing twice; False where it is not ours now."""
        return await self._ended.do((delivery, epoch, report))

    async def reports(self, partitions: Collection[int], limit: int, flying: Collection[str]) -> list[dict[str, Any]]:
        """Reports that nobody may have heard; those of `flying` are being told."""
        query: Document = {"status": "done", "$and": [_in(partitions), {"_id": {"$nin": [*flying]}}]}
        return [mark["report"] for mark in await _all(self._marks.find(query).limit(limit))]

    async def heard(self, partition: int, identity: str, attempt: int) -> None:
        """The rules know of that attempt, and have taken the message away or put it off."""
        await self._heard.do({"_id": view_id(partition, identity), "status": "done", "attempt": attempt})

    async def _begin(self, some: Sequence[tuple[Delivery, int]]) -> list[bool]:
        marks = [
            UpdateOne(
                {"_id": each.place},
                {
                    "$setOnInsert": {
                        "status": "sending",
                        "customer": each.customer,
                        "channel": each.channel,
                        "attempt": each.attempt,
                        "epoch": epoch,
                    }
                },
                upsert=True,
            )
            for each, epoch in some
        ]
        made: Collection[int] = (await self._marks.bulk_write(marks, ordered=False)).upserted_ids or ()
        still = await self._still_ours(some)
        back = [DeleteOne(_sending(*some[index])) for index in made if not still[index]]
        if back:
            await self._marks.bulk_write(back, ordered=False)
        return [index in made and whether for index, whether in enumerate(still)]

    async def _still_ours(self, some: Sequence[tuple[Delivery, int]]) -> list[bool]:
        as_read = [{"_id": each.place, "attempt": each.attempt, "change": each.change} for each, _ in some]
        at = {"_id": {"$in": list({_fence(each.partition) for each, _ in some})}}
        queued, raised = await asyncio.gather(
            _all(self._documents.find({"$or": as_read}, {"_id": 1})), _all(self._marks.find(at))
        )
        there = {each["_id"] for each in queued}
        epochs = {fence["_id"]: fence["epoch"] for fence in raised}
        return [each.place in there and epochs.get(_fence(each.partition), 0) <= epoch for each, epoch in some]

    async def _end(self, some: Sequence[tuple[Delivery, int, Mapping[str, Any]]]) -> list[bool]:
        over = [
            UpdateOne(_sending(delivery, epoch), {"$set": {"status": "done", "report": dict(report)}})
            for delivery, epoch, report in some
        ]
        if (await self._marks.bulk_write(over, ordered=False)).modified_count == len(some):
            return [True] * len(some)
        asked = [_sending(delivery, epoch) | {"status": "done"} for delivery, epoch, _ in some]
        kept = {mark["_id"] for mark in await _all(self._marks.find({"$or": asked}, {"_id": 1}))}
        return [delivery.place in kept for delivery, _, _ in some]

    async def _forget(self, some: Sequence[Document]) -> list[bool]:
        await self._marks.bulk_write([DeleteOne(each) for each in some], ordered=False)
        return [True] * len(some)


async def _all(found: Any) -> list[Document]:
    return await found.to_list(None)


def _fence(partition: int) -> str:
    return f"{partition:02d}"


def _sending(delivery: Delivery, epoch: int) -> Document:
    return {"_id": delivery.place, "status": "sending", "attempt": delivery.attempt, "epoch": epoch}


def _range(partition: int) -> dict[str, str]:
    return {"$gte": f"{partition:02d}/", "$lt": f"{partition:02d}0"}


def _in(partitions: Collection[int]) -> Document:
    return {"$or": [{"_id": _range(partition)} for partition in partitions]}


def _delivery(document: Document) -> Delivery:
    partition, _, identity = document["_id"].partition("/")
    names = ("customer", "template", "channel", "params", "locale", "attempt", "change", "avoid")
    return Delivery(partition=int(partition), id=identity, **{name: document[name] for name in names})
