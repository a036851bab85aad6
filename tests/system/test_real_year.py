"""A real year of a web shop through the running system, held against sums made without it, to the cent and the point.

Looks for the Online Retail file beside the project, or where ONLINE_RETAIL names it; says so where it is not.
"""

import json
import os
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest
import pytest_asyncio
import yaml
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from pymongo import AsyncMongoClient

from deploy.cli import kafka, retail
from deploy.cli.kafka import started
from deploy.cli.replaying import replay
from deploy.cli.source import Input, Tally
from deploy.local.system import System
from services.ledger import rules as ledger_rules
from services.ledger import views as ledger_views
from services.turnover import rules as turnover_rules
from services.turnover import views as turnover_views
from shared.contracts.coherence import parse_programme
from shared.contracts.partition import partition_of
from shared.contracts.topics import PURCHASES, dead_letters_topic, events_topic
from shared.rulebook.programme import Programme
from shared.runtime.log import Codec
from tests.faults.waiting import until
from tests.ledger import plain
from tests.system.garbage import garbage
from tests.turnover.oracle import Account, accounts, online_retail

FILE = Path(os.environ.get("ONLINE_RETAIL", Path(__file__).parents[3] / "shared" / "data" / "online-retail.csv.xz"))
TERMS = yaml.safe_load((Path(__file__).parents[2] / "deploy" / "programme.yaml").read_text())
PROGRAMME = Programme([parse_programme(TERMS)])
PARTITIONS = 12
SERVICES = ("turnover", "ledger")  # each reads what the one before publishes

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
async def system(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[System]:
    async with System.start(tmp_path_factory.mktemp("year") / "up", names=SERVICES) as system:
        yield system


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def consumer(system: System) -> AsyncIterator[AIOKafkaConsumer]:
    async with started(AIOKafkaConsumer(**system.stack.kafka_options(), enable_auto_commit=False)) as found:
        yield found


async def test_every_customer_of_a_real_year_ends_with_what_plain_sums_say_and_a_second_replay_changes_nothing(
    system: System, consumer: AIOKafkaConsumer, year: list[dict[str, Any]]
) -> None:
    assert await replay(system.stack.kafka_options(), str(FILE))
    await _taken(system, consumer)
    first = await _views(system)
    _compare(first, accounts(year, [TERMS]))
    points = await _balances(system)
    _compare_points(points, plain.accounts(year, TERMS))
    await _the_books_balance(system, plain.accounts(year, TERMS))
    events = [await _ends(consumer, events_topic(name)) for name in SERVICES]

    assert await replay(system.stack.kafka_options(), str(FILE))
    await _taken(system, consumer)
    assert await _views(system) == first
    assert await _balances(system) == points
    assert [await _ends(consumer, events_topic(name)) for name in SERVICES] == events
    for name in SERVICES:
        assert sum((await _ends(consumer, dead_letters_topic(name))).values()) == 0


async def test_the_year_shuffled_repeated_and_mixed_with_garbage_ends_the_same_and_garbage_is_in_the_dead_letters(
    system: System, consumer: AIOKafkaConsumer, year: list[dict[str, Any]]
) -> None:
    random = Random(2011)
    good = [_renamed(json.loads(value)) for value in _file()]
    sent = [*good, *random.sample(good, len(good) // 10)]
    random.shuffle(sent)
    bad_ones = list(garbage())
    before = await _ends(consumer, dead_letters_topic("turnover"))
    async with started(AIOKafkaProducer(**system.stack.kafka_options(), linger_ms=20)) as producer:
        every = len(sent) // len(bad_ones)
        for at, record in enumerate(sent):
            value, key = json.dumps(record).encode(), record["customer_id"]
            headers = [("ce_source", b"\xff\xfe till")] if at % 7 == 0 else []
            await producer.send(PURCHASES, value, key.encode(), partition_of(key, PARTITIONS), headers=headers)
            if at % every == 0 and at // every < len(bad_ones):
                bad, _ = bad_ones[at // every]
                await producer.send(PURCHASES, bad, b"x-0", at % PARTITIONS, headers=[("x", b"\xff\xfe")])
        await producer.flush()
    await _taken(system, consumer)

    expected = accounts([_renamed(record) for record in year], [TERMS])
    _compare({customer: view for customer, view in (await _views(system)).items() if customer in expected}, expected)
    points = await _balances(system)
    _compare_points({customer: points[customer] for customer in expected}, plain.accounts(sent, TERMS))
    letters = [
        dict(letter.headers)
        async for letter in kafka.read(system.stack.kafka_options(), dead_letters_topic("turnover"))
        if letter.offset >= before[letter.partition]
    ]
    reasons = sorted(letter["reason"].decode() for letter in letters)
    assert len(reasons) == len(bad_ones)
    for _, beginning in bad_ones:
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


async def _ends(consumer: AIOKafkaConsumer, topic: str) -> dict[int, int]:
    ends = await consumer.end_offsets([TopicPartition(topic, n) for n in range(PARTITIONS)])
    return {place.partition: end for place, end in ends.items()}


async def _taken(system: System, consumer: AIOKafkaConsumer) -> None:
    """Wait until all purchases are taken, and all that they led to, and it is on Kafka."""
    async with AsyncMongoClient[Any](system.stack.mongo_url()) as mongo:
        for source, name in zip((PURCHASES, events_topic("turnover")), SERVICES, strict=True):
            ends = await _ends(consumer, source)
            await until(partial(_has_read, mongo, name, source, ends), f"{name} to take all of {source}", 200)
            logged = await _logged(mongo, name)
            await until(partial(_published, consumer, name, logged), f"{name} to publish its log", 60)


async def _has_read(mongo: AsyncMongoClient[Any], name: str, topic: str, ends: Mapping[int, int]) -> bool:
    found = {each["_id"]: each["next"].get(topic) async for each in mongo[name]["partitions"].find()}
    return all(found.get(number) == end for number, end in ends.items())


async def _logged(mongo: AsyncMongoClient[Any], name: str) -> int:
    """How many events a service has logged."""
    steps = [{"$unwind": "$entries"}, {"$match": {"entries.event": {"$exists": True}}}, {"$count": "n"}]
    found = [each["n"] async for each in await mongo[name]["log"].aggregate(steps)]
    return found[0] if found else 0


async def _published(consumer: AIOKafkaConsumer, name: str, logged: int) -> bool:
    return sum((await _ends(consumer, events_topic(name))).values()) == logged


async def _views(system: System) -> dict[str, dict[str, Any]]:
    """What HTTP shows of every customer's turnover, folded from what is stored."""
    return {
        customer: turnover_views.turnover(customer, state, version, PROGRAMME, None, state.clock)
        for customer, (state, version) in (await _states(system, turnover_rules)).items()
    }


async def _balances(system: System) -> dict[str, dict[str, Any]]:
    """The same of every customer's points."""
    return {
        customer: ledger_views.balance(state, version)
        for customer, (state, version) in (await _states(system, ledger_rules)).items()
    }


async def _states(system: System, rules: Any) -> dict[str, tuple[Any, int]]:
    codec, name = Codec(rules), rules.__name__.split(".")[1]
    async with AsyncMongoClient[Any](system.stack.mongo_url()) as mongo:
        stored = mongo[name]["log"].find({}, {"entries": 0}).sort("_id", 1)
        newest = {each["_id"].split("/")[1]: each async for each in stored}
    return {customer: (codec.load(each), each["version"]) for customer, each in newest.items()}


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


def _compare_points(found: Mapping[str, Mapping[str, Any]], expected: Mapping[str, plain.Account]) -> None:
    assert found.keys() == expected.keys()
    wrong = [
        f"{customer} has {view}, not {account}"
        for customer, account in expected.items()
        for view in [found[customer]]
        if [view[name] for name in ("pending", "available", "held", "owed")]
        != [account.pending, account.available, 0, account.owed]
        or [(each["points"], datetime.fromisoformat(each["expires_at"])) for each in view["expiring"]]
        != account.expiring
    ]
    assert not wrong, f"{len(wrong)} of {len(expected)} customers differ, the first: {wrong[0]}"


async def _the_books_balance(system: System, expected: Mapping[str, plain.Account]) -> None:
    """The trial balance is zero, and every account of it is what the customers have together."""
    headers = {"Authorization": f"Bearer {system.stack.token('ops')}"}
    async with httpx.AsyncClient(base_url=system.services["ledger"].url, headers=headers, verify=False) as http:
        found = (await http.get("/trial-balance")).json()
    every = expected.values()
    assert found["sum"] == 0
    assert found["customers"] == len(expected)
    assert found["accounts"] == {
        "programme": -sum(one.given for one in every),
        "pending": sum(one.pending for one in every),
        "available": sum(one.available for one in every),
        "held": 0,
        "redeemed": 0,
        "expired": sum(one.expired for one in every),
        "owed": -sum(one.owed for one in every),
    }
    months = sum((one.liability(ZoneInfo(TERMS["time_zone"])) for one in every), Counter[str]())
    assert {each["month"]: each["points"] for each in found["liability"]} == months
