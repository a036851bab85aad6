"""Profile in a running system, seen from outside: what the CRM, customers, tills and operators do with it."""

import json
import os
import sys
from asyncio.subprocess import PIPE, create_subprocess_exec
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from aiokafka import AIOKafkaProducer
from pymongo import AsyncMongoClient
from pymongo.asynchronous.database import AsyncDatabase

from deploy.cli import clock, kafka
from deploy.cli.kafka import started
from deploy.local.system import System
from shared.contracts.partition import partition_of
from shared.contracts.topics import CLOCK, CUSTOMERS, PURCHASES, dead_letters_topic, events_topic
from shared.settings import PREFIX
from tests.faults.waiting import until

PARTITIONS = 12
Json = dict[str, Any]


class People:
    """Clients of one system."""

    def __init__(
        self, system: System, producer: AIOKafkaProducer, http: httpx.AsyncClient, mongo: AsyncMongoClient[Any]
    ) -> None:
        self.system, self.stack, self.mongo = system, system.stack, mongo
        self.url = system.services["profile"].url
        self._producer, self._http = producer, http

    @staticmethod
    @asynccontextmanager
    async def of(system: System) -> AsyncGenerator["People", None]:
        """For the length of an `async with`."""
        async with (
            started(AIOKafkaProducer(**system.stack.kafka_options())) as producer,
            httpx.AsyncClient(timeout=20, verify=False) as http,  # no certificates to load: it is plain HTTP
            AsyncMongoClient[Any](system.stack.mongo_url(), tz_aware=True) as mongo,
        ):
            yield People(system, producer, http, mongo)

    @property
    def profile(self) -> AsyncDatabase[Any]:
        """The database of profile."""
        return self.mongo["profile"]

    async def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        scope: str = "staff",
        customer: str | None = None,
        token: str | None = None,
        headers: Mapping[str, str] | None = None,
        service: str = "profile",
    ) -> httpx.Response:
        """A request with a token of that scope (and customer), or with this `token`; an empty one is none."""
        if token is None:
            token = self.stack.token(scope, customer)
        said = {**({"Authorization": f"Bearer {token}"} if token else {}), **(headers or {})}
        url = f"{self.system.services[service].url}{path}"
        return await self._http.request(method, url, json=body, headers=said)

    async def own(self, method: str, customer: str, path: str = "", body: Any = None) -> httpx.Response:
        """A request of a customer about themselves; `path`: after `/customers/{id}`."""
        return await self.call(method, f"/customers/{customer}{path}", body, scope="customer", customer=customer)

    async def crm(self, customer: str, *, partition: int | None = None, **parts: Any) -> None:
        """A record of the CRM, on the customer's partition or on another one."""
        await self.send(CUSTOMERS, customer, upserted(customer, **parts), partition=partition)

    async def send(self, topic: str, key: str, record: Any, *, partition: int | None = None, **more: Any) -> None:
        """A record: JSON, or bytes as they are."""
        value = record if isinstance(record, bytes) else json.dumps(record).encode()
        place = partition_of(key, PARTITIONS) if partition is None else partition
        await self._producer.send_and_wait(topic, value, key.encode(), partition=place, **more)

    async def buys(self, customer: str, purchase: str, minor: int = 600_00) -> None:
        """A purchase of today."""
        record = {
            "type": "PurchaseCompleted.v1", "purchase_id": purchase, "store_id": "s-1", "customer_id": customer,
            "occurred_at": ago(), "currency": "EUR", "total_minor": minor,
        }  # fmt: skip
        await self.send(PURCHASES, customer, record)

    async def enrolled(self, customer: str, **parts: Any) -> Json:
        """The profile of a customer whom the CRM has just named."""
        await self.crm(customer, **parts)
        return await self.shown(customer)

    async def shown(self, customer: str, **expected: Any) -> Json:
        """The profile, as soon as it says this."""
        found: Json = {}

        async def there() -> bool:
            nonlocal found
            answer = await self.call("GET", f"/customers/{customer}/profile")
            found = answer.json()
            return answer.status_code == 200 and {name: found[name] for name in expected} == expected

        await until(there, f"{customer} to be shown with {expected}", 30)
        return found

    async def answers(self, customer: str, status: int) -> Json:
        """What `GET` of the profile answers, as soon as it is of that status."""
        found: Json = {}

        async def there() -> bool:
            nonlocal found
            answer = await self.call("GET", f"/customers/{customer}/profile")
            found = answer.json()
            return answer.status_code == status

        await until(there, f"{customer} to be answered with {status}", 30)
        return found

    async def events(self, customer: str, service: str = "profile") -> list[Json]:
        """The events of a customer, in order."""
        found = [json.loads(record.value) for record in await self.records(events_topic(service), customer)]
        assert [event["version"] for event in found] == list(range(1, len(found) + 1))
        return found

    async def says(self, customer: str, kind: str, service: str = "profile") -> Json:
        """The newest event of that type, as soon as there is one."""
        found: list[Json] = []

        async def there() -> bool:
            nonlocal found
            found = [event for event in await self.events(customer, service) if event["type"] == kind]
            return bool(found)

        await until(there, f"{kind} of {customer}", 30)
        return found[-1]

    async def records(self, topic: str, customer: str) -> list[Any]:
        """The records of a topic that are keyed by a customer, in order."""
        return [each async for each in kafka.read(self.stack.kafka_options(), topic) if each.key == customer.encode()]

    async def letter(self, topic: str, reason: str, service: str = "profile") -> dict[str, str]:
        """The headers of the one dead letter of a record of that topic whose reason begins like this."""
        found: list[dict[str, str]] = []

        async def there() -> bool:
            nonlocal found
            letters = [
                {name: value.decode() for name, value in each.headers}
                async for each in kafka.read(self.stack.kafka_options(), dead_letters_topic(service))
            ]
            found = [each for each in letters if each["topic"] == topic and each["reason"].startswith(reason)]
            return bool(found)

        await until(there, f"a dead letter that begins with {reason}", 30)
        assert len(found) == 1
        return found[0]

    async def tick(self, at: datetime) -> None:
        """Move the clock."""
        await clock.tick(self.stack.kafka_options(), at)

    async def settled(self, at: datetime) -> None:
        """Move the clock, and return when profile has settled whoever was due."""
        await self.tick(at)
        ends = await kafka.ends(self.stack.kafka_options(), CLOCK)

        async def done() -> bool:
            stored = {each["_id"]: each["next"].get(CLOCK) async for each in self.profile["partitions"].find()}
            return stored == ends

        await until(done, f"profile to settle the tick of {at}", 60)

    async def perkstream(self, *arguments: str) -> str:
        """What the command prints, as an operator of this system calls it; it must succeed."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
        command = [sys.executable, "-m", "deploy.cli.main", *arguments]
        running = await create_subprocess_exec(
            *command, env=inherited | self.system.variables(), stdout=PIPE, stderr=PIPE
        )
        out, err = await running.communicate()
        assert running.returncode == 0, err.decode()
        return out.decode()


def ago(**much: float) -> str:
    """The time so much before now."""
    return (datetime.now(UTC) - timedelta(**much)).isoformat()


def upserted(customer: str, **parts: Any) -> Json:
    """The raw record of the CRM that names these parts; made a day ago where it is not said when."""
    return {"type": "CustomerUpserted.v1", "customer_id": customer, "occurred_at": ago(days=1), **parts}
