"""MongoDB, by motor. No other file imports motor, so that its successor changes one file."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import UTC
from typing import Any, Final

import bson
from bson.codec_options import CodecOptions
from bson.raw_bson import RawBSONDocument
from motor.motor_asyncio import AsyncIOMotorClient, AsyncIOMotorCollection
from pymongo import WriteConcern
from pymongo.client_session import ClientSession
from pymongo.database import Database
from pymongo.errors import (
    BulkWriteError,
    ConnectionFailure,
    DuplicateKeyError,
    ExecutionTimeout,
    NetworkTimeout,
    OperationFailure,
    PyMongoError,
)
from pymongo.read_concern import ReadConcern

Document = dict[str, Any]
Encoded = RawBSONDocument
LIFETIME: Final = 5  # seconds that an owner's dead transaction may block its successor
_CODEC: Final[CodecOptions[Document]] = CodecOptions(tz_aware=True, tzinfo=UTC)
_MAJORITY: Final = WriteConcern("majority", j=True)
_SNAPSHOT: Final = ReadConcern("snapshot")
_TRANSIENT: Final = "TransientTransactionError"
_UNKNOWN: Final = "UnknownTransactionCommitResult"
_DUPLICATE: Final = 11000
_PAUSES: Final = (0.05, 0.1, 0.2, 0.5, 1.0)  # seconds before a commit whose outcome is unknown is sent again


def encoded(document: Document) -> Encoded:
    """A document as it travels, in one piece: for many that wait to be written together."""
    return RawBSONDocument(bson.encode(document))


class Unavailable(Exception):
    """MongoDB cannot be reached, or did not answer in time. Nothing is known to be wrong with the request."""


class Transient(Exception):
    """A transaction came to nothing for a reason that passes; the same one may be run again."""


class Duplicate(Exception):
    """A document with this `_id` is there already."""


class Session:
    """One open transaction: what is done through it happens whole or not at all.

    Its methods wait for MongoDB: they belong in the thread of `Mongo.transact`. Going back to the event loop after each
    took a quarter of a service's time where batches are small.
    """

    def __init__(self, session: ClientSession, database: Database[Document]) -> None:
        self._session, self._database = session, database

    def swap(self, collection: str, swaps: Sequence[tuple[Document, Document]]) -> int:
        """Replace, for each pair, the document that the first describes by the second; how many were there."""
        updates = [{"q": expected, "u": document} for expected, document in swaps]
        return self._database.command({"update": collection, "updates": updates}, session=self._session)["n"]

    def insert(self, collection: str, documents: Sequence[Document | Encoded]) -> None:
        """Insert all; a transaction with a document that exists already is lost, with `Duplicate`."""
        if documents:
            self._database[collection].insert_many(documents, session=self._session)

    def put(self, collection: str, documents: Sequence[Document]) -> None:
        """Replace or insert each by its `_id`."""
        if documents:
            updates = [{"q": {"_id": document["_id"]}, "u": document, "upsert": True} for document in documents]
            self._database.command({"update": collection, "updates": updates}, session=self._session)

    def delete(self, collection: str, first: str, last: str) -> None:
        """Delete every document with first <= `_id` <= last."""
        self.delete_where(collection, {"_id": {"$gte": first, "$lte": last}})

    def delete_where(self, collection: str, query: Document) -> None:
        """Delete whatever a query finds."""
        self._database[collection].delete_many(query, session=self._session)

    def find(self, collection: str, query: Document) -> list[Document]:
        """What a query finds in the transaction's snapshot."""
        return self._database[collection].find(query, session=self._session).to_list()

    def commit(self) -> bool:
        """Commit, unless that has happened already; whether it is known that it has."""
        try:
            self._session.commit_transaction()
        except PyMongoError as error:
            if not error.has_error_label(_UNKNOWN) or error.has_error_label(_TRANSIENT):
                raise
            return False
        return True


class Mongo:
    """One database of a cluster. Every method raises `Unavailable` when the cluster is out of reach."""

    def __init__(self, url: str, database: str) -> None:
        self._client: AsyncIOMotorClient[Document] = AsyncIOMotorClient(
            url,
            tz_aware=True,
            tzinfo=UTC,
            appname=f"perkstream-{database}",
            maxPoolSize=16,
            connectTimeoutMS=5_000,
            serverSelectionTimeoutMS=5_000,
            socketTimeoutMS=20_000,
            w="majority",
            journal=True,
        )
        self.database = self._client.get_database(database, codec_options=_CODEC)

    def collection(self, name: str) -> AsyncIOMotorCollection[Document]:
        return self.database[name]

    async def close(self) -> None:
        """Close every connection."""
        self._client.close()

    async def lifetime(self) -> int | None:
        """Seconds after which the server ends an open transaction; `None` where this user may not ask."""
        with _Translated():
            try:
                reply = await self._client.admin.command({"getParameter": 1, "transactionLifetimeLimitSeconds": 1})
            except OperationFailure:
                return None
        return reply["transactionLifetimeLimitSeconds"]

    async def find(
        self,
        collection: str,
        query: Document,
        *,
        fields: Mapping[str, int] | None = None,
        sort: Sequence[tuple[str, int]] | None = None,
        limit: int = 0,
    ) -> list[Document]:
        """What a query finds, on the primary."""
        with _Translated():
            cursor = self.collection(collection).find(query, fields, limit=limit)
            return await (cursor.sort(list(sort)) if sort else cursor).to_list(None)

    async def aggregate(self, collection: str, pipeline: Sequence[Document]) -> list[Document]:
        """What a pipeline makes of a collection."""
        with _Translated():
            return await self.collection(collection).aggregate(list(pipeline)).to_list(None)

    async def stream(
        self, collection: str, query: Document, sort: Sequence[tuple[str, int]]
    ) -> AsyncIterator[Document]:
        """The same, one after the other, for what is too much to hold."""
        with _Translated():
            async for document in self.collection(collection).find(query).sort(list(sort)):
                yield document

    async def count(self, collection: str, query: Document) -> int:
        """How many documents a query finds."""
        with _Translated():
            return await self.collection(collection).count_documents(query)

    async def insert(self, collection: str, document: Document) -> None:
        """Insert a document; raises `Duplicate` where there is one with its `_id`."""
        with _Translated():
            await self.collection(collection).insert_one(document)

    async def insert_missing(self, collection: str, document: Document) -> None:
        """Insert a document unless there is one with its `_id`."""
        with _Translated():
            rest = {name: value for name, value in document.items() if name != "_id"}
            await self.collection(collection).update_one({"_id": document["_id"]}, {"$setOnInsert": rest}, upsert=True)

    async def raise_epoch(self, collection: str, key: Any, fresh: Document) -> Document:
        """Add one to a document's `epoch`, making it from `fresh` where it is missing; the document after that.

        Waits for a transaction that is open on it, whose commit is then refused.
        """
        with _Translated():
            return await self.collection(collection).find_one_and_update(
                {"_id": key},
                {"$inc": {"epoch": 1}, "$setOnInsert": fresh},
                upsert=True,
                return_document=True,
                maxTimeMS=15_000,
            )

    async def transact(self, work: Callable[[Session], None]) -> None:
        """Run `work` in one transaction (snapshot; majority, journalled) and commit it, all of it in one thread.

        Raises `Transient` when it came to nothing, `Duplicate`, `Unavailable`, or what `work` raises. A commit whose
        outcome is unknown is sent again until it is known. Who is cancelled meanwhile does not know it.
        """
        session = self._client.delegate.start_session()
        opened = Session(session, self.database.delegate)

        def first() -> bool:
            session.start_transaction(read_concern=_SNAPSHOT, write_concern=_MAJORITY, max_commit_time_ms=10_000)
            work(opened)
            return opened.commit()

        def ending(step: Callable[[], bool]) -> bool:
            known = True
            try:
                known = step()
            finally:
                if known:
                    session.end_session()  # and a transaction that is still open, whatever that leads to
            return known

        attempt = 0
        with _Translated():
            while not await asyncio.to_thread(ending, opened.commit if attempt else first):
                await asyncio.sleep(_PAUSES[min(attempt, len(_PAUSES) - 1)])
                attempt += 1


class _Translated:
    """Turns the driver's errors into ours; a class, because a generator's context manager costs more."""

    def __enter__(self) -> None: ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _trace: object) -> None:
        match error:
            case DuplicateKeyError():
                raise Duplicate(str((error.details or {}).get("keyPattern", "_id"))) from None
            case BulkWriteError() if any(each["code"] == _DUPLICATE for each in (error.details or {})["writeErrors"]):
                raise Duplicate("_id") from None
            case PyMongoError() if error.has_error_label(_TRANSIENT):
                raise Transient(type(error).__name__) from error
            case ConnectionFailure() | ExecutionTimeout() | NetworkTimeout():
                raise Unavailable(type(error).__name__) from error
            case OperationFailure(code=112 | 11600 | 11602 | 189 | 91 | 10107 | 13435 | 50 | 262 | 290):
                raise Transient(type(error).__name__) from error
            case _:
                pass
