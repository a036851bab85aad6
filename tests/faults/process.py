"""One process of the service under test: started for real, to be killed, frozen, asked and stopped."""

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import httpx

from deploy.local import ports
from shared.settings import PREFIX
from tests.faults.launch import Fault
from tests.faults.waiting import until

STOP_WITHIN = 15.0  # seconds; the promise of shared.runtime.service


class Nursery:
    """Starts processes of one service quickly: see `forks`."""

    def __init__(self, module: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.forks", module], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )

    def start(self, environment: Mapping[str, str], log: Path, end: Path, fault: Fault) -> int:
        """The id of a new process, in a group of its own; `end` will hold its exit code."""
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        order = {"environment": dict(environment), "log": str(log), "exit": str(end), "fault": asdict(fault)}
        stdin.write(json.dumps(order).encode() + b"\n")
        stdin.flush()
        return int(stdout.readline())


@contextmanager
def nursery(module: str) -> Generator[Nursery, None, None]:
    """A nursery; its processes end with it."""
    made = Nursery(module)
    with made._process:
        yield made


async def end_all(processes: Sequence["Process"]) -> None:
    """End them all; politely, for Kafka keeps the place of one that was killed until its session is over."""
    for process in processes:
        process.thaw()
        process.signal(signal.SIGTERM)
    for process in processes:
        with suppress(AssertionError):
            await process.ended(STOP_WITHIN)
        await process.kill()


class Process:
    """Its fault is armed from the start, or by `arm`."""

    def __init__(
        self, name: str, nursery: Nursery, environment: Mapping[str, str], folder: Path, fault: Fault, *, armed: bool
    ) -> None:
        self.name = name
        self.log = folder / f"{name}.log"
        port = ports.choose(1)[0]
        self.url = f"http://127.0.0.1:{port}"
        self._end, self._armed = folder / f"{name}.exit", folder / f"{name}.armed"
        fault.armed = str(self._armed)
        if armed:
            self.arm()
        inherited = {key: value for key, value in os.environ.items() if not key.startswith(PREFIX)}
        env = inherited | dict(environment) | {f"{PREFIX}HTTP_PORT": str(port), f"{PREFIX}LOG_FORMAT": "json"}
        self.pid = nursery.start(env, self.log, self._end, fault)

    @property
    def running(self) -> bool:
        """Whether it has not ended; a frozen one runs."""
        return not self._end.exists()

    @property
    def returncode(self) -> int:
        """How it ended; negative is the number of the signal."""
        return int(self._end.read_text())

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal, if it runs."""
        if self.running:
            os.kill(self.pid, number)

    def freeze(self) -> None:
        """Stop it from running, as a long garbage collection or a paused machine would."""
        self.signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self.signal(signal.SIGCONT)

    async def kill(self) -> None:
        """End it at once, as a crash would."""
        self.signal(signal.SIGKILL)
        await until(lambda: not self.running, f"{self.name} to die")

    def last_words(self, lines: int = 15) -> str:
        """The end of what it has written."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:]) if self.log.exists() else ""

    def arm(self) -> None:
        """From now on its fault may happen."""
        self._armed.touch()

    async def ready(self) -> None:
        """Return when it has claimed all that Kafka assigned to it."""

        async def is_ready() -> bool:
            assert self.running, f"{self.name} has ended:\n{self.last_words()}"
            details = await self.health()
            return bool(details.get("assigned")) and details["assigned"] == details["claimed"]

        await until(is_ready, f"{self.name} to be ready", 60)

    async def health(self) -> dict[str, Any]:
        """What /readyz says in detail; empty where nobody answers."""
        try:
            async with httpx.AsyncClient(timeout=2, verify=False) as http:  # no certificates to load each time
                return (await http.get(f"{self.url}/readyz")).json()["details"]
        except httpx.HTTPError:
            return {}

    async def killed(self, within: float = 60) -> None:
        """Return when it has killed itself at the place of its fault."""
        await until(lambda: not self.running, f"{self.name} to die at its fault", within)
        assert self.returncode == -signal.SIGKILL, f"{self.name} ended by itself:\n{self.last_words()}"

    async def frozen(self, within: float = 60) -> None:
        """Return when it has frozen itself at the place of its fault."""
        stat = Path(f"/proc/{self.pid}/stat")
        await until(lambda: stat.read_text().rpartition(")")[2].split()[0] == "T", f"{self.name} to freeze", within)

    async def ended(self, within: float = 60) -> int:
        """Its exit code, once it has ended by itself."""
        await until(lambda: not self.running, f"{self.name} to end", within)
        return self.returncode

    async def stop(self) -> None:
        """Ask it to end, as an orchestrator does; it must, within its time, with 0."""
        self.signal(signal.SIGTERM)
        code = await self.ended(STOP_WITHIN)
        assert code == 0, f"{self.name} stopped with {code}:\n{self.last_words()}"

    def said(self, text: str) -> bool:
        """Whether its log holds this."""
        return self.log.exists() and re.search(text, self.log.read_text(errors="replace")) is not None

    async def says(self, text: str, within: float = 60) -> None:
        """Return when its log holds this."""
        await until(lambda: self.said(text), f'{self.name} to say "{text}"', within)

    async def ask(self, path: str, body: dict[str, Any], token: str) -> str:
        """POST an operator's command; where its answers will be."""
        async with self._http(token) as http:
            accepted = await http.post(path, json=body)
        assert accepted.status_code == 202, accepted.text
        return accepted.headers["Location"]

    async def answers(self, place: str, token: str) -> list[dict[str, Any]]:
        """The answers of all partitions to a command, once they are there."""
        async with asyncio.timeout(60), self._http(token) as http:
            while (answer := await http.get(place)).status_code == 202:
                await asyncio.sleep(0.1)
        assert answer.status_code == 200, answer.text
        return answer.json()["items"]

    async def operate(self, path: str, body: dict[str, Any], token: str) -> list[dict[str, Any]]:
        """Both."""
        return await self.answers(await self.ask(path, body, token), token)

    def _http(self, token: str) -> httpx.AsyncClient:
        headers = {"Authorization": f"Bearer {token}"}
        return httpx.AsyncClient(base_url=self.url, timeout=10, headers=headers, verify=False)  # it speaks plain HTTP
