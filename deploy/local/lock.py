"""One owner at a time: a file that is locked for as long as its owner, or a child that was handed the lock, lives."""

import asyncio
import fcntl
import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from deploy.local.errors import StackError

# Children of an owner that was killed are ended by the kernel at once, but a server takes a moment to be gone.
PATIENCE_S = 15


@asynccontextmanager
async def held(file: Path, name: str) -> AsyncGenerator[int, None]:
    """Hold the lock inside the block; gives its descriptor, to hand to children. `name`: what must not run twice."""
    file.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        await _take(descriptor, file, name)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()} {name}".encode(), 0)
        yield descriptor
    finally:
        os.close(descriptor)


def owner(file: Path) -> tuple[int, str] | None:
    """Who holds the lock: process id and name; nobody when it is free or its owner is dead."""
    try:
        descriptor = os.open(file, os.O_RDWR)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        pid, _, name = os.pread(descriptor, 200, 0).decode().partition(" ")
        return (int(pid), name) if pid.isdecimal() and Path(f"/proc/{pid}").exists() else None
    finally:
        os.close(descriptor)
    return None


async def _take(descriptor: int, file: Path, name: str) -> None:
    for _ in range(PATIENCE_S * 10):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if (other := owner(file)) is not None:
                raise StackError(
                    f"{other[1]} is running already (process {other[0]}), so {name} cannot start."
                ) from None
            await asyncio.sleep(0.1)
        else:
            return
    raise StackError(f"{file} is still locked by a process of a run before this one; end it (see: fuser {file}).")
