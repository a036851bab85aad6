"""Reads of HTTP: a customer as stored, and their log, newest first, without the owner's help."""

from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

from shared.contracts.partition import partition_of
from shared.http.reads import Head, Logged
from shared.mongo import Document, Mongo
from shared.runtime.log import Codec, log_id
from shared.runtime.owned import LOG, PARTITIONS, view_id

_TOGETHER: Final = 100  # customers in one question


class DatabaseReader:
    """Implements `shared.http.reads.Reader` for any service."""

    def __init__(self, partitions: int, mongo: Mongo, codec: Codec) -> None:
        self._partitions, self._mongo, self._codec = partitions, mongo, codec

    async def head(self, customer_id: str) -> Head[Any]:
        """The customer, known or not."""
        number = partition_of(customer_id, self._partitions)
        query = {"_id": _within(number, customer_id)}
        found = await self._mongo.find(LOG, query, fields={"entries": 0}, sort=[("_id", -1)], limit=1)
        partition = await self._mongo.find(PARTITIONS, {"_id": number}, fields={"tick": 1})
        tick = partition[0]["tick"] if partition else None
        if not found:
            return Head(None, 0, tick)
        return Head(self._codec.load(found[0]), found[0]["version"], tick, _revision(found[0]))

    async def since(self, customer_id: str, version: int) -> Any:
        """The customer as they were when that version, their newest, came; `None` where it never did."""
        number = partition_of(customer_id, self._partitions)
        query = {"_id": _within(number, customer_id), "version": {"$lt": version}}
        before = await self._mongo.find(LOG, query, fields={"_id": 1}, sort=[("_id", -1)], limit=1)
        first = _revision(before[0]) + 1 if before else 1
        found = await self._mongo.find(LOG, {"_id": log_id(number, customer_id, first)}, fields={"entries": 0})
        return self._codec.load(found[0]) if found else None

    async def states(self, customer_ids: Sequence[str]) -> dict[str, Any]:
        """Of these customers, those who are known; many in one question, which costs a quarter of one for each."""
        found: dict[str, Any] = {}
        for at in range(0, len(customer_ids), _TOGETHER):
            first, *others = (self._last(each) for each in customer_ids[at : at + _TOGETHER])
            unions = [{"$unionWith": {"coll": LOG, "pipeline": other}} for other in others]
            for document in await self._mongo.aggregate(LOG, [*first, *unions]):
                found[document["_id"].split("/")[1]] = self._codec.load(document)
        return found

    def _last(self, customer_id: str) -> list[Document]:
        within = _within(partition_of(customer_id, self._partitions), customer_id)
        return [{"$match": {"_id": within}}, {"$sort": {"_id": -1}}, {"$limit": 1}, {"$project": {"entries": 0}}]

    async def view(self, collection: str, identity: str) -> dict[str, Any] | None:
        """A document beside the log; an `identity` that begins with no partition number and a dash has none."""
        number, dash, _ = identity.partition("-")
        if not dash or not number.isdecimal():
            return None
        found = await self._mongo.find(collection, {"_id": view_id(int(number), identity)})
        return found[0] if found else None

    async def totals(self) -> dict[str, int]:
        """The service's sums over all customers, as of the last batch of each partition."""
        sums: Counter[str] = Counter()
        for partition in await self._mongo.find(PARTITIONS, {}, fields={"totals": 1}):
            sums.update(partition["totals"])
        return dict(sums)

    async def log(self, customer_id: str, before_rev: int | None, limit: int) -> Sequence[Logged]:
        """At most `limit` log documents with a revision below `before_rev`, newest first."""
        query = {"_id": _within(partition_of(customer_id, self._partitions), customer_id, before_rev)}
        found = await self._mongo.find(LOG, query, fields={"entries": 1}, sort=[("_id", -1)], limit=limit)
        return [
            Logged(
                _revision(document),
                [entry["event"].encode() for entry in document["entries"] if "event" in entry],
                document["entries"],
            )
            for document in found
        ]


def _revision(document: Document) -> int:
    return int(document["_id"].rsplit("/")[2])


def _within(number: int, customer_id: str, before_rev: int | None = None) -> Document:
    """Where a customer's log documents lie, all or those below a revision."""
    # "0" is what follows "/".
    end = f"{number:02d}/{customer_id}0" if before_rev is None else log_id(number, customer_id, before_rev)
    return {"$gte": log_id(number, customer_id, 0), "$lt": end}
