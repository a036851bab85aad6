"""One child process: in a group of its own, gone when its parent is, its output in a file."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

# Runs in the child before the program does. Linux only: elsewhere a child outlives a parent that was killed.
# The group of its own keeps Ctrl-C for the parent, which stops its children in order.
PRELUDE = """
import ctypes, os, sys
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, 9)
    if os.getppid() != int(sys.argv[1]):
        sys.exit("the parent is gone")
os.execvp(sys.argv[2], sys.argv[2:])
"""


class Child:
    """A program that we start, stop, and for fault tests kill and freeze. Start it from the main thread: the kernel
    ties the child's life to the thread that forked it."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        log: Path,
        env: Mapping[str, str] | None = None,
        keep: int | None = None,
    ) -> None:
        """`env`: its whole environment, ours by default; `keep`: a descriptor of ours that it holds open."""
        self.name = name
        self.command = list(command)
        self.log = log
        self.env = env
        self.keep = keep
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """Its process id while it runs."""
        return self._process.pid if self._process is not None and self.running else None

    @property
    def running(self) -> bool:
        """Whether it has been started and has not ended; a frozen one runs."""
        return self._process is not None and self._process.poll() is None

    @property
    def returncode(self) -> int | None:
        """How it ended; negative is the number of the signal."""
        return self._process.poll() if self._process is not None else None

    def start(self) -> None:
        """Start it, unless it runs."""
        if self.running:
            return
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as out:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", "-c", PRELUDE, str(os.getpid()), *self.command],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                env=None if self.env is None else dict(self.env),
                process_group=0,
                pass_fds=() if self.keep is None else (self.keep,),
            )

    async def stop(self, patience: float = 5) -> None:
        """Ask it to end; kill it when `patience` seconds were not enough."""
        self.signal(signal.SIGCONT)
        self.signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(patience):
                await self.ended()
        except TimeoutError:
            await self.kill()

    async def kill(self) -> None:
        """End it at once, as a crash would."""
        self.signal(signal.SIGKILL)
        await self.ended()

    def freeze(self) -> None:
        """Stop it from running, as a long garbage collection or a paused machine would."""
        self.signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let a frozen one go on."""
        self.signal(signal.SIGCONT)

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal, if it runs."""
        if self._process is not None and self.running:
            self._process.send_signal(number)

    async def ended(self) -> None:
        """Wait until it has ended."""
        while self.running:
            await asyncio.sleep(0.02)

    def last_words(self, lines: int = 15) -> str:
        """The end of what it has written."""
        if not self.log.exists():
            return ""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])
