"""`make demo`: the whole system at work on simulated traffic, or on a file, and what came of it as a table."""

import asyncio
import logging
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import httpx
from rich.table import Table

from deploy.cli import completion, kafka, outcome, points, replaying, simulate
from deploy.cli.outcome import SERVICE, Outcome
from deploy.cli.points import Points
from deploy.cli.progress import Bar
from deploy.cli.traffic import Shares, traffic
from deploy.cli.trouble import INTERRUPTED, Trouble, notes, results
from deploy.local.errors import StackError
from deploy.local.system import System
from shared.contracts import topics
from shared.contracts.topics import PURCHASES, events_topic
from shared.mongo import Mongo

FOLDER: Final = Path(".run") / "demo"
PURCHASES_SENT: Final = 20_000
OVER: Final = timedelta(days=500)  # so that a year turns and tiers are reached, kept and lost
BUYERS: Final = 2_000
SHARES: Final = Shares(late=0.03, duplicates=0.03, out_of_order=0.05, returns=0.1, garbage=0.002, known=0.95)
LIVE_RATE: Final = 200.0  # records a second of the phase in which latency is measured: without a backlog
LIVE_COUNT: Final = 2_000
LATENCY: Final = "perkstream_projection_seconds"
POLL_S: Final = 0.1
SETTLED_S: Final = 1.0
STUCK_S: Final = 60  # without progress for so long, something is wrong


async def demo(file: str | None) -> None:
    """Run a system of its own, load it, measure it, print the outcome, stop it."""
    if file is not None and file != "-" and not Path(file).is_file():
        raise Trouble(f"{file}: no such file")
    notes.print("Starting Kafka, MongoDB and the services")
    async with System.start(FOLDER, wipe=True) as system:
        if SERVICE not in system.services:
            raise Trouble(f"there is no service {SERVICE}")
        options = system.stack.kafka_options()
        mongo = Mongo(system.stack.mongo_url(), SERVICE)
        url = system.services[SERVICE].url
        try:
            began = time.monotonic()
            await _load(options, file)
            records = await _stored(options, mongo)
            seconds = time.monotonic() - began
            await _published(options)
            found = await outcome.outcome(options, await _metrics(url))
            earned = await _points(options, system)
            profiles = await completion.completion(system.services["profile"].url, system.stack.token("ops"))
            latency = await _latency(options, mongo, url)
        finally:
            await mongo.close()
    results.print(_table(found, completion.rows(profiles) + points.rows(earned), records, records / seconds, latency))


async def _load(options: dict[str, Any], file: str | None) -> None:
    if file is not None:
        await replaying.replay(options, file)
        return
    every = OVER / PURCHASES_SENT
    records = traffic(
        1, start=datetime.now(UTC) - OVER, every=every, customers=BUYERS, shares=SHARES, count=PURCHASES_SENT
    )
    await simulate.publish(options, records, None)


async def _stored(options: dict[str, Any], mongo: Mongo, service: str = SERVICE, topic: str = PURCHASES) -> int:
    """Wait until every record is accounted for in the service's database; returns how many records there are."""
    ends = await kafka.ends(options, topic)
    total, before, moved = sum(ends.values()), -1, time.monotonic()
    with Bar(f"counted by {service}", total) as bar:
        while before < total:
            documents = await mongo.find("partitions", {})
            done = sum(document["next"].get(topic, 0) for document in documents)
            bar.at(done, done)
            if done > before:
                moved, before = time.monotonic(), done
            elif time.monotonic() - moved > STUCK_S:
                raise Trouble(f"{service} does not go on; see {FOLDER / 'logs' / f'{service}.log'}")
            await asyncio.sleep(POLL_S)
    return total


async def _published(options: dict[str, Any], service: str = SERVICE) -> None:
    """Wait until no more events come, after all records are stored."""
    before = None
    while (ends := await kafka.ends(options, events_topic(service))) != before:
        before = ends
        await asyncio.sleep(SETTLED_S)


async def _points(options: dict[str, Any], system: System) -> Points:
    """Wait until profile and the ledger have taken everything as well; what came of that."""
    for service, sources in (
        ("profile", [topics.CUSTOMERS]),
        (points.SERVICE, [events_topic("profile"), events_topic(SERVICE)]),
    ):
        mongo = Mongo(system.stack.mongo_url(), service)
        try:
            for topic in sources:
                await _stored(options, mongo, service, topic)
        finally:
            await mongo.close()
        await _published(options, service)
    return await points.points(options, system.services[points.SERVICE].url, system.stack.token("ops"))


async def _latency(options: dict[str, Any], mongo: Mongo, url: str) -> float | None:
    """p99 in seconds from a purchase on Kafka to its projection, at a rate that leaves no backlog."""
    # What runs for the first time is slower; a second of traffic warms it up.
    for seed, count in ((2, int(LIVE_RATE)), (3, LIVE_COUNT)):
        before = outcome.buckets(await _metrics(url), LATENCY)
        every = timedelta(seconds=1 / LIVE_RATE)
        live = traffic(seed, start=datetime.now(UTC), every=every, customers=BUYERS, shares=Shares(), count=count)
        await simulate.publish(options, live, LIVE_RATE, "live traffic")
        await _stored(options, mongo)
    return outcome.quantile(before, outcome.buckets(await _metrics(url), LATENCY), 0.99)


async def _metrics(url: str) -> str:
    try:
        async with httpx.AsyncClient(timeout=10) as client:
            return (await client.get(f"{url}/metrics")).raise_for_status().text
    except httpx.HTTPError as error:
        raise Trouble(f"{url}/metrics: {type(error).__name__} {error}") from None


def _table(found: Outcome, more: list[tuple[str, str]], records: int, rate: float, latency: float | None) -> Table:
    table = Table(title="What became of it", show_header=False)
    table.add_column("")
    table.add_column("", justify="right")
    rows: list[tuple[str, str]] = [(f"customers: {tier}", f"{number:,}") for tier, number in found.tiers.items()]
    rows += [
        ("purchases counted", f"{found.purchases:,}"),
        ("duplicates dropped", f"{found.duplicates:,}"),
        ("returns that reduced turnover", f"{found.returned:,}"),
    ]
    words = {"exceeds": "returns of more than was left, excess refused", "window": "returns refused as too late"}
    rows += [
        (words.get(why, f"returns refused: {why}"), f"{number:,}") for why, number in sorted(found.refused.items())
    ]
    if found.waiting > 0:  # not known of a process that had to be started again
        rows.append(("returns that wait for their purchase", f"{found.waiting:,}"))
    rows.append(("dead letters", f"{found.dead.total():,}"))
    rows += [(f"  because of {name}", f"{number:,}") for name, number in found.dead.most_common()]
    rows += more
    rows += [
        ("records", f"{records:,}"),
        ("records a second, from the first sent to the last stored", f"{rate:,.0f}"),
        (
            f"p99 from purchase to projection, at {LIVE_RATE:.0f} a second",
            "unknown" if latency is None else f"{latency * 1000:,.0f} ms",
        ),
    ]
    for row in rows:
        table.add_row(*row)
    return table


def main() -> None:
    """`python -m deploy.cli.demo [FILE]`."""
    logging.disable()  # libraries tell what they retry; what stays wrong is raised
    try:
        asyncio.run(demo(sys.argv[1] if len(sys.argv) > 1 else None))
    except KeyboardInterrupt:
        raise SystemExit(INTERRUPTED) from None
    except (StackError, Trouble) as trouble:
        notes.print(f"demo: {trouble}", style="red", markup=False, highlight=False, soft_wrap=True)
        raise SystemExit(1) from None


if __name__ == "__main__":
    main()
