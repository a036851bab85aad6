"""Profile: the CRM's records from a full topic to the last event, and customers' edits from request to answer."""

import asyncio
import gc
import json
import time
from collections.abc import Iterable
from typing import Any, Final

import msgspec

from deploy.local.errors import StackError
from shared.contracts.topics import CUSTOMERS, events_topic
from tests.bench import latency, throughput
from tests.bench.client import Client
from tests.bench.figures import EDIT, ENROLMENTS, UPDATES, Latency, Run
from tests.bench.fleet import Fleet
from tests.bench.ground import Ground
from tests.bench.purchases import Load, Purchase

EDITS: Final = 200  # requests a second
CONNECTIONS: Final = 64
_EVENTS: Final = events_topic("profile")


class _Event(msgspec.Struct):
    type: str
    customer_id: str
    version: int


def enrolments(ground: Ground, customers: Iterable[str]) -> Load:
    """Everything about each of these: four fields, a name, a language, a consent; about 400 bytes."""
    return ground.till.pack([_record(ground, customer, _whole(customer)) for customer in customers])


def updates(ground: Ground, customers: Iterable[str]) -> Load:
    """Another phone number and address for each of these; about 200 bytes."""
    return ground.till.pack([_record(ground, customer, {}) for customer in customers])


def _record(ground: Ground, customer: str, parts: dict[str, Any]) -> Purchase:
    at = ground.till.later()
    number = int(at.timestamp()) % 10_000_000
    fields = {"phone": f"+49 30 {number:07d}", "address": f"Lindenstraße {number}, 10115 Berlin"}
    said = {"type": "CustomerUpserted.v1", "customer_id": customer, "occurred_at": at.isoformat()}
    whole = {**said, **parts, "fields": {**parts.get("fields", {}), **fields}}
    return Purchase("", customer, json.dumps(whole, ensure_ascii=False).encode())


def _whole(customer: str) -> dict[str, Any]:
    number = int(customer.rpartition("-")[2])
    birthday = f"19{50 + number % 49}-{1 + number % 12:02d}-{1 + number % 28:02d}"
    return {
        "fields": {"email": f"anna.muster.{number}@example{number % 50}.org", "birthday": birthday},
        "name": f"Anna Muster {number}",
        "locale": ("en", "de", "ru")[number % 3],
        "consents": {"programme": {"granted": True, "text": "2026-1"}},
    }


async def ingestion(ground: Ground, records: int, customers: int) -> list[Run]:
    """Two processes: so many records of new customers, then so many about them. Warmed up by others."""
    async with throughput.fresh(ground, 2, "profile") as running:
        everybody = [f"c-{number:07d}" for number in range(customers + records)]
        await throughput.send(ground, running, [enrolments(ground, everybody[:customers])])
        new = everybody[customers:]
        found = [await _measure(ground, running, enrolments(ground, new), ENROLMENTS, "CustomerEnrolled.v1")]
        some = [f"c-{number:07d}" for number in ground.till.numbers(records, customers + records)]
        found.append(await _measure(ground, running, updates(ground, some), UPDATES, "ProfileChanged.v1"))
    return [run.with_memory(running.peak) for run in found]


async def _measure(ground: Ground, running: Fleet, load: Load, part: str, kind: str) -> Run:
    since = await ground.ends(_EVENTS)
    began, meter = await throughput.let_go(ground, running, load)
    await ground.published(running)
    cost = meter.read()
    ended = _check(await ground.records(_EVENTS, since), kind, len(load.ids))
    return Run.of(part, load.records, ended - began, cost)


def _check(events: list[Any], kind: str, expected: int) -> float:
    """So many events of that type, and no version twice or left out; the broker's time of the last, in seconds."""
    counted, versions = 0, dict[str, int]()
    for record in events:
        event = msgspec.json.decode(record.value, type=_Event)
        counted += event.type == kind
        if versions.setdefault(event.customer_id, event.version - 1) != event.version - 1:
            raise StackError(f"{event.customer_id}: {versions[event.customer_id]} then {event.version}")
        versions[event.customer_id] = event.version
    if counted != expected:
        raise StackError(f"{expected:,} records led to {counted:,} {kind}")
    return max(record.timestamp for record in events) / 1000


async def edits(ground: Ground, rate: int, seconds: int, customers: int) -> Latency:
    """Customers edit their profiles, `EDITS` a second, while so many records of the CRM a second stream in.

    The clock of a request starts when it was to be sent, and stops with the whole answer, read by a bare client.
    """
    async with throughput.fresh(ground, 1, "profile") as running:
        everybody = [f"c-{number:07d}" for number in range(customers)]
        await throughput.send(ground, running, [enrolments(ground, everybody)])
        lasting = latency.WARM_UP_S + seconds
        numbers = ground.till.numbers(rate * lasting, customers)
        made = [_record(ground, f"c-{number:07d}", {}) for number in numbers]
        streaming = asyncio.create_task(latency.stream(ground, CUSTOMERS, made, rate, time.monotonic()))
        clients = asyncio.Queue[Client]()
        for _ in range(CONNECTIONS):
            clients.put_nowait(Client(running.urls[0], f"Authorization: Bearer {ground.stack.token('staff')}"))
        numbers = ground.till.numbers(EDITS * lasting, customers)
        found = await _ask(clients, [f"c-{number:07d}" for number in numbers])
        await streaming
        await ground.published(running)
    return Latency.of(f"{EDIT}, {EDITS}/s beside {rate:,} CRM records/s", found[EDITS * latency.WARM_UP_S :])


async def _ask(clients: asyncio.Queue[Client], customers: list[str]) -> list[float]:
    """Milliseconds of each request, in order."""
    began = time.monotonic() + 0.1

    async def one(number: int, customer: str) -> float:
        due = began + number / EDITS
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        client = await clients.get()
        body = json.dumps({"fields": {"address": f"Neue Straße {number}"}}).encode()
        status, answer = await client.ask("PATCH", f"/customers/{customer}/profile", body)
        clients.put_nowait(client)
        if status != 200:
            raise StackError(f"an edit was answered with {status}: {answer.decode()}")
        return (time.monotonic() - due) * 1000

    gc.collect()
    gc.disable()
    try:
        return await asyncio.gather(*(one(number, customer) for number, customer in enumerate(customers)))
    finally:
        gc.enable()
