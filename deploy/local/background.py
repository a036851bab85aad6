"""`make up` and `make down`: the system in a process of its own, and its end. Loads little, so that both are quick."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from rich.console import Console

from deploy.local import jars, lock
from deploy.local.errors import StackError

RUN = Path(".run")
ENV = RUN / "env"
LOCK = RUN / "system.lock"
DOWN_WITHIN_S = 20

console = Console(stderr=True, highlight=False)


def up() -> None:
    """Start the system in the background and return when it is ready; what ran before by `make up` is thrown away."""
    if (other := lock.owner(LOCK)) is not None and other[1] == "make up":
        down()
    elif other is not None:
        raise StackError(f"{other[1]} is running (process {other[0]}); stop it first, with Ctrl-C where it runs.")
    _download()
    RUN.mkdir(exist_ok=True)
    ENV.unlink(missing_ok=True)  # of one that was killed; the new one appears when all are ready
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


def _download() -> None:
    """Fetch Kafka while there is a terminal to show the progress on."""
    if jars.missing():
        from deploy.local import servers, stack  # noqa: PLC0415  slow to load, and only needed the first time

        if not stack.given() and not servers.in_containers():
            jars.classpath()
