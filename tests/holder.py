"""Holds the Kafka and MongoDB that all tests of one pytest run share; ends when that run does.

Called as `python -m tests.holder FOLDER PID`; returns when the stack in FOLDER/stack is ready, and leaves a process
that holds it for as long as the process PID lives. It is a process of its own because under xdist no worker lives as
long as the run, and because children of a worker would end with it.
"""

import asyncio
import os
import shutil
import signal
import sys
import time
from pathlib import Path

from deploy.local.errors import StackError
from deploy.local.stack import Stack


async def hold(folder: Path, owner: int) -> None:
    over = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, over.set)
    loop.add_reader(os.pidfd_open(owner), over.set)  # readable when that process has ended
    async with Stack.start(folder / "stack", wipe=True) as stack:
        (folder / "holder").write_text(str(os.getpid()))
        await over.wait()
        await stack.kill()  # nobody wants the data any more


def main(folder: Path, owner: int) -> int:
    child = os.fork()
    if child:
        while not (folder / "holder").exists():
            if os.waitpid(child, os.WNOHANG) != (0, 0):
                return 1
            time.sleep(0.05)
        return 0
    os.setsid()
    try:
        asyncio.run(hold(folder, owner))
    except StackError as problem:
        print(problem, file=sys.stderr)
        return 1
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), int(sys.argv[2])))
