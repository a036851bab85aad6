"""Turnover from a full topic to the last event published."""

import asyncio
import time
from collections.abc import AsyncGenerator, Collection, Iterable, Mapping
from contextlib import asynccontextmanager
from types import MappingProxyType
from typing import Final

from deploy.local import ports
from deploy.local.errors import StackError
from shared.contracts.topics import CLOCK
from tests.bench import raw
from tests.bench.figures import ONE, TWO, Run
from tests.bench.fleet import Fleet
from tests.bench.ground import SOURCES, Ground
from tests.bench.meter import Meter
from tests.bench.purchases import PARTITIONS, Load

NOTHING: Final = MappingProxyType[str, str]({})
FILL_WITHIN_S: Final = 6  # what is frozen for longer than its session with Kafka (10 s) loses its partitions


async def measure(ground: Ground, running: Fleet, load: Load, part: str, counted: Collection[str] | None = None) -> Run:
    """Freeze the processes, fill the topic, let them go on, and count until the last event is published.

    They are ready, hold their partitions and have nothing to do when they are frozen, so that all of what the load
    needs is measured, and nothing of their start. The end is the broker's time of the last event. `counted`: the
    purchases that this is about, where the load has others beside them.
    """
    since = await ground.ends()
    began, meter = await let_go(ground, running, load)
    await ground.published(running)
    cost = meter.read()
    published = await ground.events(load, since)
    ended = max(published.times[identity] for identity in counted or load.ids)
    return Run.of(part, len(counted) if counted else load.records, ended - began, cost)


async def let_go(ground: Ground, running: Fleet, load: Load) -> tuple[float, Meter]:
    """Freeze the processes, fill the topic that they read, and let them go on: since when, and what it costs."""
    running.freeze()
    try:
        async with asyncio.timeout(FILL_WITHIN_S):
            await ground.till.send(load, SOURCES[running.service])
    except TimeoutError:
        raise StackError(f"the broker did not take {load.records:,} records within {FILL_WITHIN_S} s") from None
    finally:
        ground.before = raw.newest(ground.mongo)
        meter = Meter({"service": running.pids, **ground.servers})
        began = time.time()
        running.thaw()
    return began, meter


async def send(ground: Ground, running: Fleet, loads: Iterable[Load]) -> None:
    """Put these through the service as fast as it goes, without measuring; no more than two of them wait."""
    for load in loads:
        await ground.published(running, behind=load.records)
        await ground.till.send(load, SOURCES[running.service])
    await ground.published(running)


async def tick(ground: Ground) -> None:
    """Set the clock to the business time that the purchases have reached."""
    record = b'{"type":"Tick.v1","now":"%s"}' % ground.till.now.isoformat().encode()
    for number in range(PARTITIONS):
        await ground.till.producer.send_and_wait(CLOCK, record, partition=number)


@asynccontextmanager
async def fresh(ground: Ground, processes: int, service: str = "turnover") -> AsyncGenerator[Fleet, None]:
    """So many processes, ready, on an empty database and empty topics."""
    await ground.clear()
    async with started(ground, processes, service) as running:
        await tick(ground)
        yield running


@asynccontextmanager
async def started(
    ground: Ground, processes: int, service: str, beside: Mapping[str, str] = NOTHING
) -> AsyncGenerator[Fleet, None]:
    """So many processes, ready, on what there is. `beside`: settings beside those that every installation has."""
    numbers = [ground.ports[service], *ports.choose(processes - 1)]
    running = Fleet(service, numbers, ground.environment(service) | dict(beside), ground.stack.folder / "logs")
    try:
        await running.start()
        yield running
    finally:
        await running.stop()


async def from_full_topic(ground: Ground, processes: int, records: int, customers: int) -> Run:
    """So many processes on a database that holds no more than a warm-up: a purchase of every customer.

    The warm-up is for connections, caches and Python's own optimisation.
    """
    load = ground.till.load(ground.till.drawn(records, customers))
    async with fresh(ground, processes) as running:
        await send(ground, running, [ground.till.load(ground.till.everybody(customers))])
        run = await measure(ground, running, load, ONE if processes == 1 else TWO)
    return run.with_memory(running.peak)
