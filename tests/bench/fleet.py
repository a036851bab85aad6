"""The processes of a service under measurement: started, waited for, frozen while the topic is filled, stopped."""

import asyncio
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import httpx

from deploy.local.child import Child
from deploy.local.errors import StackError
from shared.settings import PREFIX
from tests.bench.meter import peak_rss
from tests.bench.purchases import PARTITIONS

READY_WITHIN_S = 90
STOP_WITHIN_S = 20


class Fleet:
    """So many processes of a service."""

    def __init__(self, service: str, ports: Sequence[int], environment: Mapping[str, str], logs: Path) -> None:
        """One on each port. `environment`: the rest of a process's; `logs`: the folder that they write to."""
        command = [sys.executable, "-m", f"services.{service}.app"]
        self.service = service
        self.urls: list[str] = []
        self.children: list[Child] = []
        for number, port in enumerate(ports, 1):
            env = {**environment, f"{PREFIX}HTTP_PORT": str(port)}
            self.children.append(Child(f"{service}-{number}", command, logs / f"{service}-{number}.log", env))
            self.urls.append(f"http://127.0.0.1:{port}")
        self.peak = 0.0

    @property
    def pids(self) -> list[int]:
        """Of those that run."""
        return [child.pid for child in self.children if child.pid is not None]

    async def start(self) -> None:
        """Return when all are ready and have claimed their share of the partitions."""
        for child in self.children:
            child.start()
        shares = even(len(self.children))
        try:
            async with asyncio.timeout(READY_WITHIN_S), httpx.AsyncClient(timeout=2) as http:
                while sorted([await self._claimed(http, url) for url in self.urls]) != shares:
                    self.check()
                    await asyncio.sleep(0.1)
        except TimeoutError:
            raise StackError(
                f"{self.service} was not ready in {READY_WITHIN_S} s: {self.children[0].last_words()}"
            ) from None

    def check(self) -> None:
        """Raise when one has ended by itself."""
        for child in self.children:
            if not child.running:
                raise StackError(f"{child.name} has ended. What it said last:\n{child.last_words()}")

    async def idle(self) -> bool:
        """Whether all that is stored is published."""
        try:
            async with httpx.AsyncClient(timeout=10) as http:
                answers = [await http.get(f"{url}/readyz") for url in self.urls]
        except httpx.HTTPError:
            return False
        return all(answer.is_success and not answer.json()["details"]["unpublished_batches"] for answer in answers)

    def freeze(self) -> None:
        """Let all of them stand still; for less than their session with Kafka."""
        for child in self.children:
            child.freeze()

    def thaw(self) -> None:
        """Let them go on."""
        for child in self.children:
            child.thaw()

    async def stop(self) -> None:
        """Stop all; the memory that the largest had at its peak is kept in `peak`, in MiB."""
        self.peak = max([self.peak, *(peak_rss(pid) for pid in self.pids)])
        await asyncio.gather(*(child.stop(STOP_WITHIN_S) for child in self.children))

    @staticmethod
    async def _claimed(http: httpx.AsyncClient, url: str) -> int:
        try:
            answer = await http.get(f"{url}/readyz")
        except httpx.HTTPError:
            return 0
        return answer.json()["details"]["claimed"] if answer.is_success else 0


def even(count: int) -> list[int]:
    """The sizes of even shares of the partitions, the smallest first."""
    return sorted(PARTITIONS // count + (number < PARTITIONS % count) for number in range(count))


def pids(children: Sequence[object]) -> list[int]:
    """The process ids of servers that run as our children; none where they run elsewhere."""
    found = [getattr(child, "pid", None) for child in children]
    return [pid for pid in found if isinstance(pid, int)]
