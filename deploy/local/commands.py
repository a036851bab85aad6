"""`make run`, `make up` and `make down`."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Coroutine
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console

from deploy.cli import clock
from deploy.local import lock
from deploy.local.child import Child
from deploy.local.errors import StackError
from deploy.local.system import System

RUN = Path(".run")
ENV = RUN / "env"
LOCK = RUN / "system.lock"
TICK_EVERY_S = 60
UP_WITHIN_S, DOWN_WITHIN_S = 180, 20

console = Console(stderr=True, highlight=False)


def run() -> None:
    """The system in the foreground with sample traffic and a running clock, until Ctrl-C. Its data stay in .run/run."""
    _until_stopped(_run())


def hold() -> None:
    """The system of `make up`: empty, without traffic or clock, until it is told to end."""
    _until_stopped(_hold())


def up() -> None:
    """Start the system in the background and return when it is ready; what ran before by `make up` is thrown away."""
    if (other := lock.owner(LOCK)) is not None and other[1] == "make up":
        down()
    elif other is not None:
        raise StackError(f"{other[1]} is running (process {other[0]}); stop it first, with Ctrl-C where it runs.")
    RUN.mkdir(exist_ok=True)
    log = RUN / "up.log"
    with log.open("wb") as out:
        holder = subprocess.Popen(
            [sys.executable, "-m", "deploy.local", "hold"],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
    try:
        with console.status("Starting Kafka, MongoDB and the services"):
            while not ENV.exists():
                if holder.poll() is not None:
                    raise StackError(log.read_text(errors="replace").strip() or f"It did not start; see {log}.")
                time.sleep(0.1)
    except BaseException:
        holder.terminate()
        holder.wait()
        raise
    console.print(
        f"The system is up. Addresses and tokens: {ENV}; logs: {RUN / 'up' / 'logs'}; stop it: make down",
        soft_wrap=True,
    )


def down() -> None:
    """Stop what `make up` started; nothing happens when nothing runs."""
    other = lock.owner(LOCK)
    if other is None:
        console.print("Nothing is running.")
        return
    pid, name = other
    if name != "make up":
        console.print(f"{name} is running (process {pid}); stop it with Ctrl-C where it runs.")
        return
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + DOWN_WITHIN_S
    while lock.owner(LOCK) is not None:
        if time.monotonic() > deadline:
            os.kill(pid, signal.SIGKILL)  # and the kernel ends its children
            deadline = float("inf")
        time.sleep(0.1)
    console.print("Stopped.")


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
    console.print("\n[bold]Perkstream is running[/], with sample traffic and a tick each minute. Ctrl-C stops it.\n")
    for service in system.services.values():
        console.print(f"  {service.name:<10} {service.url}  (API: {service.url}/docs)")
    console.print(f"  {'Kafka':<10} {system.stack.kafka_bootstrap}")
    console.print(f"\n  Addresses and tokens: {ENV}; logs: {RUN / 'run' / 'logs'}")
    if "turnover" in system.services:
        console.print("\nTry, in another terminal:\n")
        url = system.services["turnover"].url
        token = "$(.venv/bin/perkstream token --scope staff)"
        console.print(f'  curl -H "Authorization: Bearer {token}" {url}/customers/c-000001/turnover', soft_wrap=True)
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
