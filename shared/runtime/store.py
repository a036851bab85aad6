"""The runtime's transactions: the swap of the partitions' documents first, then all that a batch writes."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from shared.mongo import Document, Duplicate, Mongo, Session
from shared.runtime.batch import Documents, Letter, moved_from
from shared.runtime.keyring import may_insert
from shared.runtime.log import events
from shared.runtime.owned import (
    ANSWERS,
    ARCHIVE,
    BATCHES,
    FRESH,
    HEADS,
    KEYS,
    LOG,
    OUTBOX,
    PARTITIONS,
    Owned,
    batch_id,
)
from shared.runtime.publisher import Share

Observer = Callable[[Mapping[str, Sequence[Document]]], None]  # is told the views of a batch, by collection


class Lost(Exception):
    """A partition's document is not what its owner left: somebody else has claimed it. Nothing was written."""


class Store:
    """The documents of one service. `observers`: are told what each batch has stored, once it has."""

    def __init__(self, mongo: Mongo) -> None:
        self.observers: list[Observer] = []
        self._mongo = mongo

    async def commit(self, documents: Documents) -> None:
        """Write a batch whole or not at all; raises `Lost`, and what `Mongo.transact` raises."""

        def work(session: Session) -> None:
            # The swap is a write, and the first: only that makes an earlier owner's transaction fail.
            if session.swap(PARTITIONS, documents.swaps) != len(documents.swaps):
                raise Lost
            session.insert(LOG, documents.logs)
            session.insert(BATCHES, documents.batches)
            session.insert(OUTBOX, documents.outbox)
            session.put(ARCHIVE, documents.archive)
            session.put(HEADS, documents.heads)
            session.put(ANSWERS, documents.answers)
            if not may_insert(session, documents.keys):
                raise Lost
            session.insert(KEYS, documents.keys)
            for collection, shown in documents.views.items():
                session.put(collection, shown)
            for collection, identities in documents.gone.items():
                session.delete_where(collection, {"_id": {"$in": identities}})
            for customer in documents.forgotten:
                session.delete_where(ANSWERS, {"customer": customer})
            for collection, first, last in documents.spent:
                session.delete(collection, first, last)

        try:
            await self._mongo.transact(work)
        except Duplicate as error:
            raise Lost from error
        for observe in self.observers:
            observe(documents.views)

    async def claim(self, number: int) -> Owned:
        """Make a partition ours: whoever owned it cannot commit any more."""
        owned = Owned.of(await self._mongo.raise_epoch(PARTITIONS, number, dict(FRESH)))
        owned.moved = moved_from(await self._batches(number, owned.flushed, owned.batch))
        return owned

    async def still_ours(self, owned: Iterable[Owned]) -> set[int]:
        """Of these partitions, those that nobody else has claimed."""
        mine = {each.number: each.epoch for each in owned}
        documents = await self._mongo.find(PARTITIONS, {"_id": {"$in": list(mine)}})
        return {document["_id"] for document in documents if document["epoch"] == mine[document["_id"]]}

    async def unpublished(self, owned: Owned) -> list[Share]:
        """What a partition's batches left that may not be on Kafka yet, batch by batch."""
        shares: list[Share] = []
        for batch in await self._batches(owned.number, owned.published, owned.batch):
            ids = [
                "{:02d}/{}/{:010d}".format(owned.number, name.split("/")[0], int(name.split("/")[1]))
                for name in batch["customers"]
            ]
            found = {each["_id"]: each for each in await self._mongo.find(LOG, {"_id": {"$in": ids}})}
            letters: list[Letter] = []
            if batch["letters"]:
                query = {"_id": {"$gte": batch["_id"], "$lt": batch["_id"] + "~"}}
                letters = [_letter(each) for each in await self._mongo.find(OUTBOX, query, sort=[("_id", 1)])]
            shares.append((owned.number, [event for each in ids for event in events(found[each])], letters))
        return shares

    async def _batches(self, number: int, after: int, last: int) -> list[Document]:
        query = {"_id": {"$gt": batch_id(number, after), "$lte": batch_id(number, last)}}
        return await self._mongo.find(BATCHES, query, sort=[("_id", 1)])

    async def answers(self, ids: Iterable[str]) -> dict[str, Any]:
        """The answers that are stored for these commands."""
        found = await self._mongo.find(ANSWERS, {"_id": {"$in": list(ids)}})
        return {each["_id"]: each for each in found}


def _letter(document: Document) -> Letter:
    headers = [(name, value) for name, value in document["headers"]]
    return Letter(document["topic"], document["partition"], document["key"], document["value"], headers)
