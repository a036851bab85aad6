"""Forks processes of a service from one that has imported it: `python -m tests.faults.forks MODULE`.

Importing takes longer than all the rest of a start, and the fault tests start some hundred processes.
"""

import ctypes
import importlib
import json
import os
import select
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.faults.launch import Fault, run


def orders() -> dict[str, Any]:
    """Fork a process for each order that comes in, and return in it with its order; how it ended goes to a file.

    Ends with whoever started it, and so do the processes.
    """
    exits: dict[int, Path] = {}
    for line in _lines():
        while exits and (ended := os.waitpid(-1, os.WNOHANG)) != (0, 0):
            file = exits.pop(ended[0])
            file.with_suffix(".new").write_text(str(os.waitstatus_to_exitcode(ended[1])))
            file.with_suffix(".new").rename(file)
        if line is None:
            continue
        order: dict[str, Any] = json.loads(line)
        parent, child = os.getpid(), os.fork()
        if not child:
            ctypes.CDLL(None).prctl(1, signal.SIGKILL)
            if os.getppid() != parent:
                sys.exit("the parent is gone")
            os.setpgid(0, 0)
            log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            for number in (1, 2):
                os.dup2(log, number)
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            return order
        exits[child] = Path(order["exit"])
        print(child, flush=True)
    sys.exit()


def _lines() -> Iterator[bytes | None]:
    """The lines of standard input; `None` at least every 20 ms."""
    rest = b""
    while True:
        if not select.select([0], [], [], 0.02)[0]:
            yield None
            continue
        more = os.read(0, 65_536)
        if not more:
            return
        *lines, rest = (rest + more).split(b"\n")
        yield from lines


def main(module: str) -> None:
    importlib.import_module(module)
    order = orders()
    os.environ.clear()
    os.environ.update(order["environment"])
    run(module, Fault(**order["fault"]))


if __name__ == "__main__":
    main(sys.argv[1])
