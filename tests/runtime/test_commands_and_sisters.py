"""What turnover does not need of the runtime, and its sisters will: commands with answers, and each other's events."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
import pytest_asyncio
from aiokafka import AIOKafkaProducer

from deploy.cli import programme
from deploy.cli.kafka import started
from deploy.local import ports
from deploy.local.service import Service
from deploy.local.stack import Stack
from deploy.local.system import PROGRAMME
from shared.contracts.partition import partition_of
from shared.contracts.topics import events_topic
from tests.faults.stack import passing
from tests.faults.waiting import until

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(180)]


class Counting:
    """The running service, seen from outside."""

    def __init__(self, stack: Stack, url: str, http: httpx.AsyncClient, producer: AIOKafkaProducer) -> None:
        self.url, self._http, self._producer = url, http, producer
        self._staff = {"Authorization": f"Bearer {stack.token('staff')}"}

    async def add(self, customer: str, points: int, key: str | None = None) -> httpx.Response:
        headers = self._staff | ({"Idempotency-Key": key} if key else {})
        return await self._http.post(f"{self.url}/customers/{customer}/add", json={"points": points}, headers=headers)

    async def count(self, customer: str) -> dict[str, int]:
        return (await self._http.get(f"{self.url}/customers/{customer}/count", headers=self._staff)).json()

    async def ready(self) -> dict[str, Any]:
        body = (await self._http.get(f"{self.url}/readyz")).json()
        return body.get("details", body)

    async def say(self, customer: str, version: int, amount: int = 5, type_: str = "TurnoverReduced.v1") -> None:
        """Publish an event of turnover, as its runtime would."""
        standing = {"year": 2010, "turnover_minor": 0, "tier": "bronze", "valid_until": None, "next_tier": None}
        standing |= {"to_next_minor": None, "to_keep_minor": 0}
        event = {
            "type": type_, "customer_id": customer, "version": version, "occurred_at": "2010-12-01T08:26:00Z",
            "recorded_at": "2010-12-01T08:26:00Z", "cause": {"type": "x", "id": "y"}, "return_id": f"r-{version}",
            "store_id": "s", "purchase_id": None, "purchase_store_id": None, "amount_minor": amount,
            "purchase_remaining_minor": None, "year": 2010, "tier": "bronze", "standing": standing,
        }  # fmt: skip
        place = partition_of(customer, 12)
        await self._producer.send_and_wait(
            events_topic("turnover"), json.dumps(event).encode(), customer.encode(), partition=place
        )


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def counting(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Counting]:
    # A stack of its own: an event of turnover that another test made up would stop a partition.
    async with passing(tmp_path_factory.mktemp("counting") / "stack") as stack, _running(stack) as found:
        yield found


@asynccontextmanager
async def _running(stack: Stack) -> AsyncGenerator[Counting, None]:
    await programme.publish(stack.kafka_options(), PROGRAMME)
    log = stack.folder / "log"
    service = Service("ledger", "tests.runtime.counting", stack.environment("ledger"), ports.choose(1)[0], log)
    supervisor = asyncio.create_task(service.supervise())
    try:
        await service.ready()
        async with started(AIOKafkaProducer(**stack.kafka_options())) as producer, httpx.AsyncClient() as http:
            yield Counting(stack, service.url, http, producer)
    finally:
        supervisor.cancel()
        await asyncio.gather(supervisor, return_exceptions=True)


async def test_a_command_is_answered_with_the_state_after_it(counting: Counting) -> None:
    assert (await counting.add("k-1", 5)).json() == {"total": 5}
    assert (await counting.add("k-1", 7)).json() == {"total": 12}
    assert await counting.count("k-1") == {"total": 12, "heard": 0, "version": 2}


async def test_the_same_key_gets_the_first_answer_and_another_body_under_it_is_a_conflict(counting: Counting) -> None:
    first = await counting.add("k-2", 5, key="once")
    again = await counting.add("k-2", 5, key="once")
    assert first.json() == again.json() == {"total": 5}
    other = await counting.add("k-2", 6, key="once")
    assert (other.status_code, other.json()["type"]) == (409, "conflict")
    assert (await counting.count("k-2"))["total"] == 5


async def test_many_at_once_with_one_key_count_once(counting: Counting) -> None:
    answers = await asyncio.gather(*(counting.add("k-3", 5, key="race") for _ in range(20)))
    assert {answer.text for answer in answers} == {'{"total":5}'}
    assert (await counting.count("k-3"))["total"] == 5


async def test_a_refusal_is_an_answer(counting: Counting) -> None:
    refused = await counting.add("k-4", -1)
    assert (refused.status_code, refused.json()["type"]) == (409, "insufficient-points")
    wrong = await counting.add("k-4", 0)
    assert (wrong.status_code, wrong.json()["type"]) == (422, "validation")


async def test_an_event_of_a_sister_counts_once_and_a_type_of_no_interest_is_noted(counting: Counting) -> None:
    await counting.say("k-5", 1)
    await counting.say("k-5", 1)
    await counting.say("k-5", 2, type_="SomethingElse.v1")
    await counting.say("k-5", 3, amount=7)
    await counting.say("k-5", 3, amount=7)
    await _until(counting, "k-5", heard=12)
    assert (await counting.ready())["blocked"] == {}


async def test_a_gap_in_a_sisters_events_stops_its_partition_and_the_neighbours_go_on(counting: Counting) -> None:
    blocked = partition_of("k-6", 12)
    neighbour = next(name for n in range(100) if partition_of(name := f"n-{n}", 12) != blocked)
    await counting.say("k-6", 1)
    await counting.say("k-6", 3)
    await counting.say(neighbour, 1)
    await _until(counting, neighbour, heard=5)
    await _until(counting, "k-6", heard=5)
    expected = {f"turnover.events/{blocked}": "turnover.events: version 2 is missing before 3"}

    async def is_blocked() -> bool:
        return (await counting.ready())["blocked"] == expected

    await until(is_blocked, "the partition to be blocked")
    assert (await counting.add("k-6", 5)).json() == {"total": 5}


async def _until(counting: Counting, customer: str, heard: int) -> None:
    async def has_heard() -> bool:
        return (await counting.count(customer))["heard"] == heard

    await until(has_heard, f"{customer} to have heard {heard}")
