"""The ledger on what turnover publishes: from a full topic to the last event, and from a request to its answer."""

import asyncio
import gc
import time
from typing import Any, Final

import httpx
import msgspec

from deploy.local.errors import StackError
from shared.contracts.topics import PURCHASES, events_topic
from tests.bench import latency, throughput
from tests.bench.figures import HOLD, LEDGER, ONE, Latency, Run
from tests.bench.ground import EVENTS, Ground

TILLS: Final = 25  # requests a second
HOLDERS: Final = 200  # customers who have points to hold
_LEDGER_EVENTS: Final = events_topic("ledger")


class _Event(msgspec.Struct):
    type: str
    customer_id: str
    version: int


async def throughput_of_both(ground: Ground, records: int, customers: int) -> list[Run]:
    """Turnover on so many purchases, then the ledger, by itself, on what turnover published of them: one process each.

    Both have been warmed up by a purchase of every customer.
    """
    till = ground.till
    async with throughput.fresh(ground, 1) as running:
        await throughput.send(ground, running, [till.load(till.everybody(customers))])
        warm = await ground.records(EVENTS)
        since = await ground.ends(EVENTS)
        load = till.load(till.drawn(records, customers))
        found = [await throughput.measure(ground, running, load, ONE)]
        published = await ground.records(EVENTS, since)
    found[0] = found[0].with_memory(running.peak)
    async with throughput.fresh(ground, 1, "ledger") as running:
        await throughput.send(ground, running, [till.again(warm)])
        since = await ground.ends(_LEDGER_EVENTS)
        began, meter = await throughput.let_go(ground, running, till.again(published))
        await ground.published(running)
        cost = meter.read()
        ended = _check(await ground.records(_LEDGER_EVENTS, since), len(load.ids))
        found.append(Run.of(LEDGER, len(published), ended - began, cost))
    found[1] = found[1].with_memory(running.peak)
    return found


def _check(events: list[Any], purchases: int) -> float:
    """One entry for each purchase, and no version twice or left out; the broker's time of the last, in seconds."""
    earned, versions = 0, dict[str, int]()
    for record in events:
        event = msgspec.json.decode(record.value, type=_Event)
        earned += event.type == "PointsEarned.v1"
        if versions.setdefault(event.customer_id, event.version - 1) != event.version - 1:
            raise StackError(f"{event.customer_id}: {versions[event.customer_id]} then {event.version}")
        versions[event.customer_id] = event.version
    if earned != purchases:
        raise StackError(f"{purchases:,} purchases led to {earned:,} entries of points")
    return max(record.timestamp for record in events) / 1000


async def holds(ground: Ground, rate: int, seconds: int, customers: int) -> Latency:
    """Tills ask for points, `TILLS` a second, while so many purchases a second go through turnover and the ledger.

    The clock of a request starts when it was to be sent, and stops with the whole answer.
    """
    till = ground.till
    async with (
        throughput.fresh(ground, 1) as turnover,
        throughput.started(ground, 1, "ledger") as ledger,
        httpx.AsyncClient(base_url=ledger.urls[0], timeout=30, verify=False) as http,
    ):
        await throughput.send(ground, turnover, [till.load(till.everybody(customers))])
        await ground.published(ledger)
        names = [f"h-{number}" for number in range(HOLDERS)]
        await asyncio.gather(*(_give(http, ground, name) for name in names))
        made = [till.purchase(name) for name in till.drawn(rate * (latency.WARM_UP_S + seconds), customers)]
        streaming = asyncio.create_task(latency.stream(ground, PURCHASES, made, rate, time.monotonic()))
        found = await _ask(http, ground.stack.token("pos"), names, seconds)
        await streaming
        await ground.published(turnover)
        await ground.published(ledger)
    return Latency.of(f"{HOLD}, beside {rate:,} purchases a second", found)


async def _give(http: httpx.AsyncClient, ground: Ground, name: str) -> None:
    headers = {"Authorization": f"Bearer {ground.stack.token('staff')}"}
    body = {"points": 1_000_000, "reason": "bench"}
    (await http.post(f"/customers/{name}/adjustments", json=body, headers=headers)).raise_for_status()


async def _ask(http: httpx.AsyncClient, token: str, names: list[str], seconds: int) -> list[float]:
    """Milliseconds of each request, but for the first seconds."""
    headers = {"Authorization": f"Bearer {token}"}
    count, warm = TILLS * (latency.WARM_UP_S + seconds), TILLS * latency.WARM_UP_S
    began = time.monotonic()

    async def one(number: int) -> float:
        due = began + number / TILLS
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        path = f"/customers/{names[number % len(names)]}/redemptions"
        answer = await http.post(path, json={"points": 1}, headers=headers)
        while answer.status_code == 202:  # it took longer than a till is made to wait
            await asyncio.sleep(0.05)
            answer = await http.get(answer.headers.get("Location") or answer.request.url.path, headers=headers)
        if answer.status_code != 201:
            raise StackError(f"a hold was answered with {answer.status_code}: {answer.text}")
        return (time.monotonic() - due) * 1000

    gc.collect()
    gc.disable()
    try:
        return (await asyncio.gather(*(one(number) for number in range(count))))[warm:]
    finally:
        gc.enable()
