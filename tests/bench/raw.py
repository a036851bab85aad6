"""The bound that MongoDB sets: the very transactions that turnover has written, written again by one bare thread."""

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from bson import Timestamp
from pymongo import MongoClient, WriteConcern
from pymongo.read_concern import ReadConcern

from deploy.local.provision import COLLECTIONS
from shared.runtime.owned import PARTITIONS
from tests.bench.figures import RAW, Run
from tests.bench.meter import Meter

Document = dict[str, Any]
_TURNOVER: Final = "turnover."
_DATABASE: Final = "bench_raw"


@dataclass(frozen=True)
class Transaction:
    """What one wrote: the partitions that it swapped, and what it inserted, by collection, in order."""

    swapped: list[int]
    inserted: dict[str, list[Document]]


def newest(mongo: MongoClient[Document]) -> Timestamp:
    """The place of MongoDB's newest operation."""
    return mongo["local"]["oplog.rs"].find_one(sort=[("$natural", -1)])["ts"]  # pyright: ignore[reportOptionalSubscript]


def transactions(mongo: MongoClient[Document], after: Timestamp) -> list[Transaction]:
    """The transactions of turnover since then, out of MongoDB's own log; a large one has several entries there."""
    query = {"ts": {"$gt": after}, "ns": "admin.$cmd", "o.applyOps.ns": {"$regex": "^turnover\\."}}
    found: list[Transaction] = []
    open_: dict[tuple[Any, ...], list[Document]] = {}
    for entry in mongo["local"]["oplog.rs"].find(query).sort("$natural", 1):
        key = (entry["lsid"]["id"], entry["txnNumber"])
        open_.setdefault(key, []).extend(entry["o"]["applyOps"])
        if not entry["o"].get("partialTxn"):
            found.append(_transaction(open_.pop(key)))
    return [one for one in found if one.inserted]


def _transaction(operations: Sequence[Document]) -> Transaction:
    made = Transaction([], {})
    for operation in operations:
        collection = operation["ns"].removeprefix(_TURNOVER)
        match operation["op"]:
            case "u" if collection == PARTITIONS:
                made.swapped.append(operation["o2"]["_id"])
            case "i":
                made.inserted.setdefault(collection, []).append(operation["o"])
            case kind:
                raise ValueError(f"turnover has written {kind} in {collection}, which this does not write again")
    return made


def measure(
    mongo: MongoClient[Document], written: Sequence[Transaction], records: int, servers: Mapping[str, list[int]]
) -> Run:
    """Write them to a database of their own, with the same indexes, guarantees and order. Nothing is encoded ahead."""
    shape = {document["_id"]: {**document, "epoch": 1} for document in mongo["turnover"][PARTITIONS].find()}
    mongo.drop_database(_DATABASE)
    database = mongo[_DATABASE]
    for name, indexes in COLLECTIONS.items():
        database.create_collection(name)
        if indexes:
            database[name].create_indexes(indexes)
    batches = dict.fromkeys(shape, 0)
    database[PARTITIONS].insert_many([{**document, "batch": 0} for document in shape.values()])
    meter, began = Meter({"service": [os.getpid()], "mongod": servers["mongod"]}), time.monotonic()
    with mongo.start_session() as session:
        for one in written:
            with session.start_transaction(ReadConcern("snapshot"), WriteConcern("majority", j=True)):
                updates: list[Document] = []
                for number in one.swapped:
                    query = {"_id": number, "epoch": 1, "batch": batches[number]}
                    batches[number] += 1
                    updates.append({"q": query, "u": {**shape[number], "batch": batches[number]}})
                reply = database.command({"update": PARTITIONS, "updates": updates}, session=session)
                if reply["n"] != len(updates):
                    raise AssertionError("a swap did not match")
                for name, documents in one.inserted.items():
                    database[name].insert_many(documents, session=session)
    seconds = time.monotonic() - began
    cost = meter.read()
    mongo.drop_database(_DATABASE)
    return Run.of(RAW, records, seconds, cost)
