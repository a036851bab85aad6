"""`python -m tests.bench [PART ...]`, or `make bench`: measure, print tables, write .run/bench.json."""

import argparse
import logging
import shutil
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import uvloop

from deploy.cli.trouble import INTERRUPTED, Trouble, notes
from deploy.cli.trouble import results as output
from deploy.local.errors import StackError
from tests.bench import report
from tests.bench.ground import Ground
from tests.bench.meter import speed
from tests.bench.parts import PARTS, Results, Size

RUN = Path(".run")


async def bench(names: Sequence[str], size: Size, folder: Path) -> Results:
    """Measure these parts on one stack, which is gone afterwards."""
    found = Results()
    notes.print("Starting Kafka and MongoDB")
    async with Ground.laid(folder, seed=1) as ground:
        found.servers = ground.versions()
        for name in names:
            began = time.monotonic()
            await PARTS[name](ground, size, found)
            took, found.speeds[name] = time.monotonic() - began, round(speed(), 1)
            notes.print(f"{name} took {took:.0f} s; machine: {found.speeds[name]} M additions/s", highlight=False)
    shutil.rmtree(folder)
    return found


def _arguments(given: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; all of them by default")
    parser.add_argument("--rounds", type=int, help="of each part")
    parser.add_argument("--records", type=int, help="purchases of a measured load")
    parser.add_argument("--customers", type=int, help="who buy them, drawn evenly")
    parser.add_argument("--quick", action="store_true", help="a smoke test of everything, whose figures mean nothing")
    parser.add_argument("--folder", type=Path, default=RUN / "bench", help="for the servers' data, wiped")
    parser.add_argument("--output", type=Path, default=RUN / "bench.json", help="where the figures are written")
    found = parser.parse_args(given)
    if unknown := [name for name in found.parts if name not in PARTS]:
        parser.error(f"there is no part {unknown[0]}; there are {', '.join(PARTS)}")
    if any(number is not None and number < 1 for number in (found.rounds, found.records, found.customers)):
        parser.error("--rounds, --records and --customers are numbers above 0")
    return found


def main(given: Sequence[str]) -> None:
    """Do it; figures are shown, never asserted. Where something cannot be measured, one line says why."""
    logging.disable()  # libraries tell what they retry; what stays wrong is raised
    arguments = _arguments(given)
    size = Size().quick() if arguments.quick else Size()
    wished = {name: getattr(arguments, name) for name in ("rounds", "records", "customers")}
    size = replace(size, **{name: number for name, number in wished.items() if number is not None})
    try:
        found = uvloop.run(bench(arguments.parts or list(PARTS), size, arguments.folder))
    except KeyboardInterrupt:
        shutil.rmtree(arguments.folder, ignore_errors=True)
        raise SystemExit(INTERRUPTED) from None
    except (StackError, Trouble) as trouble:
        notes.print(f"bench: {trouble}", style="red", markup=False, highlight=False, soft_wrap=True)
        raise SystemExit(1) from None
    for table in report.tables(found):
        output.print(table)
    report.write(arguments.output, report.document(found, size))
    output.print(f"Written to {arguments.output}. How to read it: docs/benchmark.md", highlight=False)


if __name__ == "__main__":
    main(sys.argv[1:])
