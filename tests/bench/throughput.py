"""Turnover from a full topic to the last event published."""

import asyncio
import time
from typing import Final

from shared.contracts.topics import CLOCK
from tests.bench.figures import Run
from tests.bench.fleet import Fleet
from tests.bench.ground import Ground
from tests.bench.meter import Meter
from tests.bench.purchases import PARTITIONS, Load

WARM_UP: Final = 20_000  # purchases before the first that is measured: connections, caches and compiled code


async def measure(ground: Ground, running: Fleet, load: Load, part: str) -> Run:
    """Freeze the processes, fill the topic, let them go on, and count until the last event is published.

    They are ready, hold their partitions and have nothing to do when they are frozen, so that all of what they need for
    the load is measured, and nothing of their start. The end is the broker's time of the last event.
    """
    since = await ground.ends()
    running.freeze()
    try:
        async with asyncio.timeout(6):  # within the session: what was frozen for longer would have lost its partitions
            await ground.till.send(load)
    finally:
        meter = Meter({"turnover": running.pids, **ground.servers})
        began = time.time()
        running.thaw()
    await ground.published(len(load.ids), since, running)
    cost = meter.read()
    published = await ground.events(load, since)
    return Run.of(part, load.records, max(published.times.values()) - began, cost)


async def warm(ground: Ground, running: Fleet, customers: int, count: int = WARM_UP) -> None:
    """A first load that is not measured, and a first tick."""
    load = ground.till.load(ground.till.drawn(count, customers))
    since = await ground.ends()
    tick = b'{"type":"Tick.v1","now":"%s"}' % ground.till.now.isoformat().encode()
    for number in range(PARTITIONS):
        await ground.till.producer.send_and_wait(CLOCK, tick, partition=number)
    await ground.till.send(load)
    await ground.published(len(load.ids), since, running)


async def from_full_topic(ground: Ground, processes: int, records: int, customers: int) -> Run:
    """So many processes with an empty database, warmed up, then measured."""
    await ground.clear()
    load = ground.till.load(ground.till.drawn(records, customers))
    running = Fleet(ground.stack, processes)
    try:
        await running.start()
        await warm(ground, running, customers)
        run = await measure(ground, running, load, f"turnover, {processes} process" + "es" * (processes > 1))
    finally:
        await running.stop()
    return run.with_memory(running.peak)
