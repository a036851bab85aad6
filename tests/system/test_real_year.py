"""A real year of a web shop through the running system, held against sums made without it, to the cent.

Looks for the Online Retail file beside the project, or where ONLINE_RETAIL names it; says so where it is not.
"""

import json
import os
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any

import pytest
import pytest_asyncio
import yaml
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from pymongo import AsyncMongoClient

from deploy.cli import kafka, retail
from deploy.cli.replaying import replay
from deploy.cli.source import Input, Tally
from deploy.local.system import System
from services.turnover import rules, views
from shared.contracts.coherence import parse_programme
from shared.contracts.partition import partition_of
from shared.contracts.topics import PURCHASES, dead_letters_topic, events_topic
from shared.rulebook.programme import Programme
from shared.runtime.log import Codec
from tests.faults.waiting import until
from tests.turnover.oracle import Account, accounts, online_retail

FILE = Path(os.environ.get("ONLINE_RETAIL", Path(__file__).parents[3] / "shared" / "data" / "online-retail.csv.xz"))
TERMS = yaml.safe_load((Path(__file__).parents[2] / "deploy" / "programme.yaml").read_text())
PROGRAMME = Programme([parse_programme(TERMS)])
PARTITIONS = 12

pytestmark = [
    pytest.mark.skipif(not FILE.exists(), reason=f"there is no {FILE.name} beside the project; ONLINE_RETAIL names it"),
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.timeout(300),
]


@pytest.fixture(scope="module")
def year() -> list[dict[str, Any]]:
    """The records of the file, read without any code of the project."""
    return list(online_retail(FILE))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def consumer(system: System) -> AsyncIterator[AIOKafkaConsumer]:
    async with _started(AIOKafkaConsumer(**system.stack.kafka_options(), enable_auto_commit=False)) as found:
        yield found


async def test_every_customer_of_a_real_year_ends_with_what_plain_sums_say_and_a_second_replay_changes_nothing(
    system: System, consumer: AIOKafkaConsumer, year: list[dict[str, Any]]
) -> None:
    assert await replay(system.stack.kafka_options(), str(FILE))
    await _taken(system, consumer)
    first = await _views(system)
    _compare(first, accounts(year, [TERMS]))
    events = await _ends(consumer, events_topic("turnover"))

    assert await replay(system.stack.kafka_options(), str(FILE))
    await _taken(system, consumer)
    assert await _views(system) == first
    assert await _ends(consumer, events_topic("turnover")) == events
    assert sum((await _ends(consumer, dead_letters_topic("turnover"))).values()) == 0


async def test_the_year_shuffled_repeated_and_mixed_with_garbage_ends_the_same_and_garbage_is_in_the_dead_letters(
    system: System, consumer: AIOKafkaConsumer, year: list[dict[str, Any]]
) -> None:
    random = Random(2011)
    good = [_renamed(json.loads(value)) for value in _file()]
    sent = [*good, *random.sample(good, len(good) // 10)]
    random.shuffle(sent)
    garbage = list(_garbage())
    before = await _ends(consumer, dead_letters_topic("turnover"))
    async with _started(AIOKafkaProducer(**system.stack.kafka_options(), linger_ms=20)) as producer:
        every = len(sent) // len(garbage)
        for at, record in enumerate(sent):
            value, key = json.dumps(record).encode(), record["customer_id"]
            headers = [("ce_source", b"\xff\xfe till")] if at % 7 == 0 else []
            await producer.send(PURCHASES, value, key.encode(), partition_of(key, PARTITIONS), headers=headers)
            if at % every == 0 and at // every < len(garbage):
                bad, _ = garbage[at // every]
                await producer.send(PURCHASES, bad, b"x-0", at % PARTITIONS, headers=[("x", b"\xff\xfe")])
        await producer.flush()
    await _taken(system, consumer)

    expected = accounts([_renamed(record) for record in year], [TERMS])
    _compare({customer: view for customer, view in (await _views(system)).items() if customer in expected}, expected)
    letters = [
        dict(letter.headers)
        async for letter in kafka.read(system.stack.kafka_options(), dead_letters_topic("turnover"))
        if letter.offset >= before[letter.partition]
    ]
    reasons = sorted(letter["reason"].decode() for letter in letters)
    assert len(reasons) == len(garbage)
    for _, beginning in garbage:
        assert any(reason.startswith(beginning) for reason in reasons), f"no dead letter says {beginning}: {reasons}"
        reasons.remove(next(reason for reason in reasons if reason.startswith(beginning)))
    assert all(letter["topic"] == PURCHASES.encode() for letter in letters)


def _file() -> Iterator[bytes]:
    with Input(str(FILE)) as source:
        for block in retail.records(source, Tally()):
            yield from (record.value for record in block)


def _renamed(record: Mapping[str, Any]) -> dict[str, Any]:
    """The same purchase of another customer, so that both tests can use one system."""
    return {**record, "customer_id": f"x{record['customer_id']}"}


def _garbage() -> Iterator[tuple[bytes | None, str]]:
    """Values that are no records, and how the reason begins."""
    sale: dict[str, Any] = {
        "type": "PurchaseCompleted.v1", "purchase_id": "g-1", "store_id": "web", "customer_id": "garbage",
        "occurred_at": "2011-03-01T10:00:00Z", "currency": "EUR", "total_minor": 500,
    }  # fmt: skip
    back = {**sale, "type": "PurchaseReturned.v1", "return_id": "g-2", "amount_minor": 500}

    def made(record: Mapping[str, Any], **changed: Any) -> bytes:
        return json.dumps({k: v for k, v in {**record, **changed}.items() if v is not ...}).encode()

    yield b"{not json", "record: is no JSON"
    yield b"\xff\xfe{}", "record: is no UTF-8"
    yield b"[1, 2]", "record: is no object"
    yield None, "record: is null"
    yield b"", "record: is no JSON"
    yield (
        made(sale, lines=[{"sku": "a" * 60, "quantity": 1, "amount_minor": 0, "name": "n" * 900}] * 512),
        "record: is larger",
    )
    yield made(sale, total_minor="500"), "total_minor:"
    yield made(sale, total_minor=5.0), "total_minor:"
    yield made(sale, total_minor=-1), "total_minor:"
    yield made(sale, customer_id=17850), "customer_id:"
    yield made(sale, store_id=...), "store_id: is missing"
    yield made(sale, customer_id="no spaces"), "customer_id:"
    yield made(sale, occurred_at="2011-03-01T10:00:00"), "occurred_at:"
    yield made(sale, occurred_at=1298973600), "occurred_at:"
    yield made(sale, occurred_at="2199-01-01T00:00:00Z"), "occurred_at:"
    yield made(sale, occurred_at="2009-12-31T00:00:00Z"), "occurred_at:"
    yield made(sale, currency="EURO"), "currency:"
    yield made(sale, currency="USD"), "fx_rate:"
    yield made(sale, lines=[{"sku": "a", "quantity": 1, "amount_minor": 499}]), "lines:"
    yield made(back, amount_minor=0), "amount_minor:"
    yield made(back, return_id=...), "return_id: is missing"
    yield made(sale, type="PurchaseStolen.v1"), "type"
    yield made(sale, type=...), "type"


async def _ends(consumer: AIOKafkaConsumer, topic: str) -> dict[int, int]:
    ends = await consumer.end_offsets([TopicPartition(topic, n) for n in range(PARTITIONS)])
    return {place.partition: end for place, end in ends.items()}


async def _taken(system: System, consumer: AIOKafkaConsumer) -> None:
    """Wait until all purchases are taken, and all that they led to is on Kafka."""
    ends = await _ends(consumer, PURCHASES)
    async with AsyncMongoClient[Any](system.stack.mongo_url()) as mongo:

        async def done() -> bool:
            found = {each["_id"]: each async for each in mongo["turnover"]["partitions"].find()}
            return all(found.get(n, {"next": {}})["next"].get(PURCHASES) == end for n, end in ends.items())

        await until(done, "turnover to take every purchase", 200)
        published = 0

        async def settled() -> bool:
            nonlocal published
            before, published = published, sum((await _ends(consumer, events_topic("turnover"))).values())
            newest = mongo["turnover"]["log"].aggregate(
                [{"$unwind": "$entries"}, {"$match": {"entries.event": {"$exists": True}}}, {"$count": "n"}]
            )
            logged = [each["n"] async for each in await newest]
            return before == published == (logged[0] if logged else 0)

        await until(settled, "every event of the log to be on Kafka", 60)


async def _views(system: System) -> dict[str, dict[str, Any]]:
    """What HTTP shows of every customer, folded from what is stored."""
    codec, found = Codec(rules), dict[str, dict[str, Any]]()
    async with AsyncMongoClient[Any](system.stack.mongo_url()) as mongo:
        async for document in mongo["turnover"]["log"].find({}, {"entries": 0}).sort("_id", 1):
            customer = document["_id"].split("/")[1]
            state, version = codec.load(document), document["version"]
            found[customer] = {"state": state, "version": version}
    for customer, each in found.items():
        state = each["state"]
        found[customer] = views.turnover(customer, state, each["version"], PROGRAMME, None, state.clock)
    return found


def _compare(found: Mapping[str, Mapping[str, Any]], expected: Mapping[str, Account]) -> None:
    assert found.keys() == expected.keys()
    wrong: Sequence[str] = [
        customer
        for customer, account in expected.items()
        for view in [found[customer]]
        if {int(y): (each["purchases_minor"], each["returns_minor"]) for y, each in view["years"].items()}
        != account.years
        or (view["year"], view["turnover_minor"], view["tier"]) != (account.year, account.turnover, account.tier)
    ]
    assert not wrong, f"{len(wrong)} of {len(expected)} customers differ, the first: {wrong[:3]}"


@asynccontextmanager
async def _started(client: Any) -> AsyncGenerator[Any, None]:
    try:
        await client.start()
        yield client
    finally:
        await client.stop()
