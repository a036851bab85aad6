"""`make run`, and the process behind `make up`: the system until somebody stops it."""

import asyncio
import signal
import sys
from collections.abc import AsyncGenerator, Coroutine
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from deploy.cli import clock
from deploy.local import lock, tokens
from deploy.local.background import ENV, LOCK, RUN, console
from deploy.local.child import Child
from deploy.local.system import System

TICK_EVERY_S = 60
CUSTOMER = "c-000001"  # of the sample traffic


def run() -> None:
    """The system in the foreground with sample traffic and a running clock, until Ctrl-C. Its data stay in .run/run."""
    _until_stopped(_run())


def hold() -> None:
    """The system of `make up`: empty, without traffic or clock, until it is told to end."""
    _until_stopped(_hold())


async def _run() -> None:
    async with _system("make run", RUN / "run", wipe=False) as system:
        options = system.stack.kafka_options()
        log = RUN / "run" / "logs" / "simulate.log"
        traffic = Child("simulate", [sys.executable, "-m", "deploy.cli.main", "simulate"], log)
        traffic.start()
        try:
            _tell(system)
            while True:
                await clock.tick(options, datetime.now(UTC).replace(microsecond=0))
                await asyncio.sleep(TICK_EVERY_S)
        finally:
            console.print("Stopping; the data stay.")
            await traffic.stop()


async def _hold() -> None:
    async with _system("make up", RUN / "up", wipe=True):
        await asyncio.Event().wait()


@asynccontextmanager
async def _system(name: str, folder: Path, wipe: bool) -> AsyncGenerator[System, None]:
    """A system that .run/env names, which only one can be at a time."""
    async with lock.held(LOCK, name):
        ENV.unlink(missing_ok=True)
        async with System.start(folder, wipe=wipe) as system:
            _write_env(system, folder)
            try:
                yield system
            finally:
                ENV.unlink(missing_ok=True)


def _write_env(system: System, folder: Path) -> None:
    """Write .run/env as a whole; STACK is the folder beside it that holds the signing key."""
    variables = system.variables() | {"STACK": folder.name}
    new = ENV.with_suffix(".new")
    new.touch(mode=0o600)
    new.write_text("".join(f"{name}={value}\n" for name, value in variables.items()))
    new.replace(ENV)


def _tell(system: System) -> None:
    console.print(
        "\n[bold]Perkstream is running[/], with sample traffic and a tick each minute. Ctrl-C stops it.\n",
        soft_wrap=True,
    )
    for service in system.services.values():
        console.print(f"  {service.name:<10} {service.url}  ({service.url}/openapi.json, {service.url}/metrics)")
    console.print(f"  {'mailbox':<10} {system.mailbox.url}  (mails that the notifier has sent)")
    console.print(f"  {'Kafka':<10} {system.stack.kafka_bootstrap}")
    console.print(f"\n  Addresses and tokens: {ENV}; logs: {RUN / 'run' / 'logs'}")
    link = tokens.sign_in_link(system.stack.keys.signing_key, system.services["portal"].url, CUSTOMER)
    console.print(f"\nA customer's page, signed in once:\n\n  {link}", soft_wrap=True)
    console.print("\nTry, in another terminal:\n")
    url = f"{system.services['turnover'].url}/customers/{CUSTOMER}/turnover"
    token = "$(.venv/bin/perkstream token --scope staff)"
    console.print(f'  curl -H "Authorization: Bearer {token}" {url}', soft_wrap=True)
    console.print("  .venv/bin/perkstream --help\n")


def _until_stopped(work: Coroutine[Any, Any, None]) -> None:
    """Run the work until it ends, or until Ctrl-C or a signal to end; then let it clean up, undisturbed."""

    async def main() -> None:
        task = asyncio.ensure_future(work)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, lambda: task.cancelling() or task.cancel())
        await asyncio.wait([task])
        if not task.cancelled():
            task.result()

    asyncio.run(main())
