"""`perkstream simulate`: traffic onto the topics, or into a file."""

import asyncio
import sys
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, BinaryIO, Final

from deploy.cli import kafka
from deploy.cli.progress import Bar
from deploy.cli.traffic import Sent
from deploy.cli.trouble import Trouble, notes, results

TURN: Final = 200  # records after which other work gets a turn
SLICE_S: Final = 0.01  # at a given rate, records leave in slices of so much time


async def publish(options: dict[str, Any], records: Iterable[Sent], rate: float | None, title: str = "simulate") -> int:
    """Publish traffic, at most `rate` records a second; returns how many. Ctrl-C ends it after what was taken."""
    loop = asyncio.get_running_loop()
    with Bar(title, None) as bar:
        async with kafka.publisher(options) as publisher:
            began = loop.time()
            for number, record in enumerate(records):
                ahead = 0 if rate is None else began + number / rate - loop.time()
                if ahead > 0:
                    await publisher.push()
                    await asyncio.sleep(max(SLICE_S, ahead))
                elif number % TURN == 0:
                    await asyncio.sleep(0)
                await publisher.send(record.topic, record.key.encode(), record.value)
                if ahead > 0 or number % TURN == 0:
                    bar.at(0, publisher.delivered)
        count, speed = publisher.delivered, bar.rate(publisher.delivered)
    results.print(f"{count:,} records published, {speed:,.0f}/s", highlight=False)
    return count


def write(path: str, records: Iterable[Sent]) -> int:
    """Write traffic as JSON lines, which `perkstream replay` takes; `-` is standard output. Returns how many."""
    with ExitStack() as stack:
        out: BinaryIO
        try:
            out = sys.stdout.buffer if path == "-" else stack.enter_context(Path(path).open("wb"))
            count = 0
            for record in records:
                out.write(record.value + b"\n")
                count += 1
            out.flush()
        except BrokenPipeError:
            raise
        except OSError as error:
            raise Trouble(f"{path}: {error.strerror}") from None
    notes.print(f"{count:,} records written to {path}", highlight=False)
    return count
