"""One service as a supervised process: started, waited for, and started again when it ends by itself."""

import asyncio
import os
import sys
from pathlib import Path

import httpx

from deploy.local.child import Child
from deploy.local.errors import StackError
from shared.settings import PREFIX

READY_WITHIN_S = 120
# A service stops within 15 s (its own bound); `make down` has 20 s for everything.
STOP_WITHIN_S = 15
# Ending is by design how a service gets out of a state that it cannot mend; only a fast circle of it is slowed down.
PAUSE_S, LONGEST_PAUSE_S = 0.2, 10.0
ATTEMPTS = 4


class Service:
    """A service of the local system. `url`: where it answers."""

    def __init__(self, name: str, module: str, environment: dict[str, str], port: int, log: Path) -> None:
        self.name = name
        self.url = f"http://127.0.0.1:{port}"
        inherited = {key: value for key, value in os.environ.items() if not key.startswith(PREFIX)}
        env = inherited | environment | {f"{PREFIX}HTTP_PORT": str(port)}
        self.child = Child(name, [sys.executable, "-m", module], log, env)
        self.starts = 0

    async def supervise(self) -> None:
        """Keep it running until this is cancelled, then stop it."""
        pause = PAUSE_S
        try:
            while True:
                self.starts += 1
                began = asyncio.get_running_loop().time()
                self.child.start()
                await self.child.ended()
                lived = asyncio.get_running_loop().time() - began
                pause = PAUSE_S if lived > LONGEST_PAUSE_S else min(pause * 2, LONGEST_PAUSE_S)
                await asyncio.sleep(pause)
        finally:
            await self.child.stop(STOP_WITHIN_S)

    async def ready(self) -> None:
        """Return when its /readyz is 200; raises when it does not get there, with what it said last."""
        try:
            async with asyncio.timeout(READY_WITHIN_S), httpx.AsyncClient(timeout=2) as http:
                while not await self._is_ready(http):
                    if self.starts > ATTEMPTS:
                        raise StackError(f"{self.name} does not start. What it said last:\n{self.child.last_words()}")
                    await asyncio.sleep(0.1)
        except TimeoutError:
            raise StackError(
                f"{self.name} was not ready within {READY_WITHIN_S} s. What it said last ({self.child.log}):\n"
                f"{self.child.last_words()}"
            ) from None

    async def _is_ready(self, http: httpx.AsyncClient) -> bool:
        try:
            return (await http.get(f"{self.url}/readyz")).is_success
        except httpx.HTTPError:
            return False
