"""`perkstream replay`: publish what a file holds, as fast as Kafka takes it."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from deploy.cli import kafka, retail
from deploy.cli.clock import moment, newest_tick, written
from deploy.cli.progress import Bar
from deploy.cli.source import Input, Outgoing, Tally, in_background, json_lines, raw_lines
from deploy.cli.trouble import Trouble, notes, results


def records(source: Input, tally: Tally, raw: bool) -> Iterator[list[Outgoing]]:
    """What the file holds, by its name: CSV is the Online Retail file, everything else JSON lines."""
    if source.name.lower().removesuffix(".xz").removesuffix(".gz").endswith(".csv"):
        return retail.records(source, tally)
    return raw_lines(source.blocks()) if raw else json_lines(source.blocks(), tally)


async def replay(options: dict[str, Any], name: str, raw: bool = False) -> bool:
    """Publish the records of a file, and say what became of them; false when lines had to be left out.

    Harmless to repeat: whoever counts a purchase knows it by its business key.
    """
    tally, oldest = Tally(), ""
    with Input(name) as source, Bar(f"replay {name}", source.size) as bar:
        async with kafka.publisher(options) as publisher:
            async for block in in_background(records(source, tally, raw)):
                for record in block:
                    await publisher.send(record.topic, record.key or None, record.value)
                await publisher.push()
                oldest = min(filter(None, (oldest, *(record.occurred_at for record in block))), default="")
                bar.at(source.position(), publisher.delivered)
        count, rate = publisher.delivered, bar.rate(publisher.delivered)
    results.print(f"{count:,} records published, {rate:,.0f}/s", highlight=False)
    for what, skipped in tally.skipped.items():
        results.print(f"{skipped:,} {what} skipped", highlight=False)
    for fault in tally.faults:
        notes.print(f"not sent: {fault}", style="red", markup=False, highlight=False, soft_wrap=True)
    if more := tally.bad - len(tally.faults):
        notes.print(f"not sent: {more:,} more lines", style="red", highlight=False)
    await _warn_of_clock(options, oldest)
    return not tally.bad


async def _warn_of_clock(options: dict[str, Any], oldest: str) -> None:
    """Records from before a tick take effect at the time of that tick (domain: "Time")."""
    tick = await newest_tick(options)
    if tick is not None and (first := _read(oldest)) is not None and first < tick:
        notes.print(
            f"warning: the clock had already reached {written(tick)}. Records from before it (the oldest: "
            f"{written(first)}) take effect as of then, not as when they were made; load history before the first tick",
            style="yellow",
            soft_wrap=True,
            highlight=False,
        )


def _read(text: str) -> datetime | None:
    try:
        return moment(text)
    except Trouble:
        return None
