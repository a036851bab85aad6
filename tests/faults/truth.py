"""What must be true of a service after any fault. Each check says in its message which promise was broken."""

import json
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from pymongo.asynchronous.database import AsyncDatabase

from shared.contracts.partition import partition_of
from shared.runtime.log import Codec
from shared.runtime.owned import LOG, PARTITIONS
from tests.faults.subject import Outcome, Record, Subject


def offsets(stored: Mapping[int, Any], ends: Mapping[tuple[str, int], int]) -> None:
    """Every record was taken, and nothing that is not there."""
    for (topic, number), end in ends.items():
        at = stored[number]["next"][topic]
        assert at == end, f"offsets: {topic}, partition {number}: the next record is {at}, Kafka has {end}"


def events(published: Sequence[Record], outcome: Outcome, partitions: int) -> None:
    """Readers that drop what they have seen get each event once, in order, and what it says is right."""
    seen: dict[str, Record] = {}
    got: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for record in sorted(published, key=lambda record: (record.partition, record.offset)):
        headers = dict(record.headers)
        identity = headers["ce_id"].decode()
        first = seen.setdefault(identity, record)
        if first is not record:
            same = (first.key, first.value, first.headers) == (record.key, record.value, record.headers)
            assert same, f"events: {identity} came again with other bytes"
            continue
        event = json.loads(record.value or b"")
        customer = event["customer_id"]
        assert record.partition == partition_of(customer, partitions), f"events: {identity} is on a wrong partition"
        assert event["version"] == len(got[customer]) + 1, f"events: {identity} is not the next version"
        assert event.pop("recorded_at")
        got[customer].append(event)
    for customer in outcome.events.keys() | got.keys():
        wanted, found = outcome.events.get(customer, []), got[customer]
        assert found == wanted, f"events: {customer} has others than an undisturbed run: {_difference(found, wanted)}"


async def log(database: AsyncDatabase[Any], published: Sequence[Record]) -> None:
    """The log and Kafka hold the same events, to the byte; revisions have no gaps."""
    logged: set[bytes] = set()
    revisions: dict[str, int] = defaultdict(int)
    async for document in database[LOG].find().sort("_id", 1):
        _, customer, revision = document["_id"].split("/")
        revisions[customer] += 1
        assert int(revision) == revisions[customer], f"log: {document['_id']} is not the next revision"
        logged |= {entry["event"].encode() for entry in document["entries"] if "event" in entry}
    there = {record.value for record in published}
    assert not logged - there, f"log: {len(logged - there)} events never came to Kafka, as {min(logged - there)}"
    assert not there - logged, f"log: Kafka has {len(there - logged)} events that the log does not have"


def letters(published: Sequence[Record], outcome: Outcome) -> None:
    """Each bad record became a dead letter, and no other."""
    found: set[tuple[str, int, int]] = set()
    for record in published:
        headers = dict(record.headers)
        found.add((headers["topic"].decode(), int(headers["partition"]), int(headers["offset"])))
    assert found == outcome.dead, f"letters: only Kafka: {found - outcome.dead}; missing: {outcome.dead - found}"


async def states(database: AsyncDatabase[Any], subject: Subject, outcome: Outcome) -> None:
    """The state of every customer is that of an undisturbed run, and what plain sums say."""
    codec = Codec(subject.service.rules)
    found: dict[str, Any] = {}
    async for document in database[LOG].find({}, {"entries": 0}).sort("_id", 1):
        found[document["_id"].split("/")[1]] = codec.load(document)
    sums = {customer: subject.sums(state) for customer, state in found.items()}
    assert sums == outcome.sums, f"sums: {_difference(sums, outcome.sums)}"
    for customer, state in outcome.states.items():
        assert found[customer] == state, f"states: {customer} is {found[customer]}, not {state}"
    assert found.keys() == outcome.states.keys(), f"states: of {found.keys() ^ outcome.states.keys()}"


async def totals(database: AsyncDatabase[Any], subject: Subject, outcome: Outcome) -> None:
    """The sums over all customers that partitions keep are those of the states."""
    if subject.service.totals is None:
        return
    found, wanted = Counter[str](), Counter[str]()
    async for document in database[PARTITIONS].find():
        found.update(document["totals"])
    for state in outcome.states.values():
        wanted.update(subject.service.totals(subject.service.rules.initial("c-1"), state))
    assert found == wanted, f"totals: {_difference(found, wanted)}"


def keys(subject: Subject, outcome: Outcome, stored: Collection[str]) -> None:
    """Everybody has a key but those who are forgotten. That it opens what is theirs, `states` tells."""
    forgotten = subject.service.forgotten
    if forgotten is not None:
        wanted = {customer for customer, state in outcome.states.items() if not forgotten(state)}
        assert set(stored) == wanted, f"keys: of {set(stored) ^ wanted}"


async def customers(database: AsyncDatabase[Any]) -> set[str]:
    """Whom the log knows."""
    return {identity.split("/")[1] for identity in await database[LOG].distinct("_id")}


def _difference(found: Any, wanted: Any) -> str:
    pairs: list[tuple[Any, Any]]
    if isinstance(found, Mapping):
        pairs = [(found.get(key), wanted.get(key)) for key in sorted(found.keys() | wanted.keys())]
    else:
        pairs = [*zip(found, wanted, strict=False), (len(found), len(wanted))]
    return next((f"{one}, not {other}" for one, other in pairs if one != other), "none")
