"""Time as records: ticks on the topic `clock`, one to every partition, because nothing else moves the time."""

from datetime import UTC, datetime
from typing import Any, Final

from deploy.cli import kafka
from deploy.cli.trouble import Trouble, notes
from shared.contracts.clock import TICK, Tick
from shared.contracts.records import UnreadableError, canonical, read
from shared.contracts.topics import CLOCK

RECENT: Final = 100  # ticks of a partition among which the newest is: they may be late or out of order


def moment(text: str) -> datetime:
    """A time of RFC 3339 with an offset, in UTC."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise Trouble(f"{text}: no time; write it as 2011-01-01T00:00:00Z") from None
    if at.tzinfo is None:
        raise Trouble(f"{text}: lacks an offset; write it as 2011-01-01T00:00:00Z or 2011-01-01T00:00:00+01:00")
    return at.astimezone(UTC)


def written(at: datetime) -> str:
    """A time as records carry it."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


async def newest_tick(options: dict[str, Any]) -> datetime | None:
    """The latest time among the last ticks of all partitions; `None` when no clock ever ran."""
    newest: datetime | None = None
    async for record in kafka.read(options, CLOCK, newest=RECENT):
        try:
            at = read(TICK, record.value).now
        except UnreadableError:
            continue  # what is no tick moves no clock
        newest = at if newest is None else max(newest, at)
    return newest


async def tick(options: dict[str, Any], at: datetime) -> int:
    """Publish a tick to every partition; returns how many. Late or twice is fine: time never goes back."""
    before = await newest_tick(options)
    value = canonical(Tick(now=at))
    async with kafka.publisher(options) as publisher:
        partitions = publisher.partitions(CLOCK)
        for number in range(partitions):
            await publisher.send(CLOCK, None, value, partition=number)
    if before is not None and at < before:
        notes.print(
            f"note: the clock already stands at {written(before)}, an earlier tick changes nothing",
            style="yellow",
            soft_wrap=True,
        )
    return partitions
