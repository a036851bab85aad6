"""`python -m tests.bench`."""

import argparse
import asyncio
import logging
from pathlib import Path

from deploy.cli.trouble import notes
from tests.bench.figures import Run
from tests.bench.ground import Ground
from tests.bench.throughput import from_full_topic


async def bench(args: argparse.Namespace) -> None:
    async with Ground.laid(Path(".run") / "bench", 1) as ground:
        for _ in range(args.rounds):
            for processes in (1, 2):
                run: Run = await from_full_topic(ground, processes, args.records, args.customers)
                cpu = ", ".join(f"{kind} {used:.1f}" for kind, used in run.cpu.items())
                notes.print(
                    f"{run.part}: {run.rate:,.0f}/s, CPU µs: {cpu}, sum {sum(run.cpu.values()):.1f}, "
                    f"others {run.others:.2f} cores, {run.memory_mib:.0f} MiB"
                )


parser = argparse.ArgumentParser()
parser.add_argument("parts", nargs="*")
parser.add_argument("--rounds", type=int, default=5)
parser.add_argument("--records", type=int, default=100_000)
parser.add_argument("--customers", type=int, default=20_000)
logging.disable()
asyncio.run(bench(parser.parse_args()))
