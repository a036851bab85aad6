"""The sender's side of the queue: documents that the rules wrote, and the marks by which one sender takes each.

A document is `queued` as the rules wrote it; `sending` once a sender has taken it; `done` with the report of what
became of it, until the rules have heard that. The mark is set by one atomic update, so one sender takes each; and it
names the epoch of the partition, so who has lost the partition finds nothing to take of what was there when it did.
What the rules write later names no epoch: who does not know yet that it has lost the partition may take that first.
So an owner takes over more than once.
"""

from collections.abc import Collection, Mapping
from datetime import datetime
from secrets import token_hex
from typing import Any

from msgspec import Struct
from pymongo import DeleteOne, UpdateOne

from services.notifier.delivery.together import Together
from services.notifier.views import DELIVERIES
from shared.mongo import Document, Mongo
from shared.runtime.owned import view_id


class Delivery(Struct, frozen=True):
    """A message to hand over; see `views.deliveries`. `repeats`: how often it was found half-way."""

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
    repeats: int

    @property
    def place(self) -> str:
        """The document's `_id`."""
        return view_id(self.partition, self.id)


class Outbox:
    """The queue in MongoDB. Raises pymongo's errors."""

    def __init__(self, mongo: Mongo) -> None:
        self._documents = mongo.collection(DELIVERIES)
        self._begun, self._ended, self._heard = (Together(self._documents) for _ in range(3))

    async def take_over(self, partition: int, epoch: int, flying: Collection[str]) -> int:
        """Make a partition's queue ours; how many its last owner left half-way, which are queued again.

        `flying`: `_id`s of what this process itself is sending.
        """
        mine = _range(partition)
        await self._documents.update_many(
            {"_id": mine, "status": "queued", "epoch": {"$not": {"$gte": epoch}}}, {"$set": {"epoch": epoch}}
        )
        left = await self._documents.update_many(
            {"_id": {**mine, "$nin": list(flying)}, "status": "sending", "epoch": {"$lt": epoch}},
            {"$set": {"status": "queued", "epoch": epoch}, "$inc": {"repeats": 1}},
        )
        return left.modified_count

    async def due(
        self, channel: str, owned: Mapping[int, int], now: datetime, limit: int, busy: Collection[str]
    ) -> list[Delivery]:
        """What may be sent now in these partitions (with their epochs), in the order of what led to it.

        `busy`: customers who get something at the moment; what else there is for them comes after it.

        What was never put off and what is due again are two stretches of one index, so that neither the length of the
        queue nor all that is due later is read.
        """
        ours: list[Document] = [{"_id": _range(n), "epoch": {"$in": [None, epoch]}} for n, epoch in owned.items()]
        mine: Document = {"status": "queued", "channel": channel, "customer": {"$nin": [*busy]}, "$or": ours}
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
        token = token_hex(8)
        queued = {
            "_id": delivery.place,
            "status": "queued",
            "attempt": delivery.attempt,
            "change": delivery.change,
            "epoch": {"$in": [None, epoch]},
        }
        mark = {"$set": {"status": "sending", "epoch": epoch, "token": token}}
        return await self._begun.write(UpdateOne(queued, mark), {"_id": delivery.place, "token": token})

    async def put_back(self, delivery: Delivery, epoch: int) -> None:
        """It was not sent, and waits as before."""
        await self._documents.update_one(
            {"_id": delivery.place, "status": "sending", "attempt": delivery.attempt, "epoch": epoch},
            {"$set": {"status": "queued"}},
        )

    async def end(self, delivery: Delivery, epoch: int, report: Mapping[str, Any]) -> bool:
        """Keep what became of it, so that a crash from here on sends nothing twice; False where it is not ours now."""
        sending = {"_id": delivery.place, "status": "sending", "attempt": delivery.attempt, "epoch": epoch}
        over = {"$set": {"status": "done", "report": dict(report)}}
        holds = {"_id": delivery.place, "status": "done", "attempt": delivery.attempt}
        return await self._ended.write(UpdateOne(sending, over), holds)

    async def reports(self, partitions: Collection[int], limit: int, flying: Collection[str]) -> list[dict[str, Any]]:
        """Reports that nobody may have heard; those of `flying` are being told."""
        query: Document = {"status": "done", "$and": [_in(partitions), {"_id": {"$nin": [*flying]}}]}
        found = self._documents.find(query).limit(limit)
        return [document["report"] async for document in found]

    async def heard(self, partition: int, identity: str, attempt: int) -> None:
        """The rules know of that attempt; what they did not take away themselves goes."""
        over = {"_id": view_id(partition, identity), "status": "done", "attempt": attempt}
        await self._heard.write(DeleteOne(over))


def _range(partition: int) -> dict[str, str]:
    return {"$gte": f"{partition:02d}/", "$lt": f"{partition:02d}0"}


def _in(partitions: Collection[int]) -> Document:
    return {"$or": [{"_id": _range(partition)} for partition in partitions]}


def _delivery(document: Document) -> Delivery:
    partition, _, identity = document["_id"].partition("/")
    names = ("customer", "template", "channel", "params", "locale", "attempt", "change", "avoid")
    return Delivery(
        partition=int(partition),
        id=identity,
        repeats=document.get("repeats", 0),
        **{name: document[name] for name in names},
    )
