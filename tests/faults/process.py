"""One process of the service under test: started for real, to be killed, frozen, asked and stopped."""

import asyncio
import os
import re
import signal
import sys
from pathlib import Path
from typing import Any

import httpx

from deploy.local import ports
from deploy.local.child import Child
from shared.settings import PREFIX
from tests.faults.launch import Fault
from tests.faults.waiting import until

STOP_WITHIN = 15.0  # seconds; the promise of shared.runtime.service


class Process:
    """Its `fault`, if it has one, is armed from the start, or by `arm`."""

    def __init__(
        self, name: str, module: str, environment: dict[str, str], folder: Path, fault: Fault | None, *, armed: bool
    ) -> None:
        self.name = name
        port = ports.choose(1)[0]
        self.url = f"http://127.0.0.1:{port}"
        self._armed = folder / f"{name}.armed"
        inherited = {key: value for key, value in os.environ.items() if not key.startswith(PREFIX)}
        env = inherited | environment | {f"{PREFIX}HTTP_PORT": str(port), f"{PREFIX}LOG_FORMAT": "json"}
        command = [sys.executable, "-m", module]
        if fault is not None:
            fault.armed = str(self._armed)
            env |= fault.variable()
            command = [sys.executable, "-m", "tests.faults.launch", module]
        self.child = Child(name, command, folder / f"{name}.log", env)
        self.child.start()
        if armed:
            self.arm()

    def arm(self) -> None:
        """From now on its fault may happen."""
        self._armed.touch()

    async def ready(self) -> None:
        """Return when it has claimed all that Kafka assigned to it."""

        async def is_ready() -> bool:
            assert self.child.running, f"{self.name} has ended:\n{self.child.last_words()}"
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
        await until(lambda: not self.child.running, f"{self.name} to die at its fault", within)
        assert self.child.returncode == -signal.SIGKILL, f"{self.name} ended by itself:\n{self.child.last_words()}"

    async def frozen(self, within: float = 60) -> None:
        """Return when it has frozen itself at the place of its fault."""
        stat = Path(f"/proc/{self.child.pid}/stat")
        await until(lambda: stat.read_text().rpartition(")")[2].split()[0] == "T", f"{self.name} to freeze", within)

    async def ended(self, within: float = 60) -> int:
        """Its exit code, once it has ended by itself."""
        await until(lambda: not self.child.running, f"{self.name} to end", within)
        assert self.child.returncode is not None
        return self.child.returncode

    async def stop(self) -> None:
        """Ask it to end, as an orchestrator does; it must, within its time, with 0."""
        self.child.signal(signal.SIGTERM)
        code = await self.ended(STOP_WITHIN)
        assert code == 0, f"{self.name} stopped with {code}:\n{self.child.last_words()}"

    def said(self, text: str) -> bool:
        """Whether its log holds this."""
        return self.child.log.exists() and re.search(text, self.child.log.read_text(errors="replace")) is not None

    async def says(self, text: str, within: float = 60) -> None:
        """Return when its log holds this."""
        await until(lambda: self.said(text), f'{self.name} to say "{text}"', within)

    async def operate(self, path: str, body: dict[str, Any], token: str) -> list[dict[str, Any]]:
        """POST an operator's command and return the answers of all partitions."""
        async with httpx.AsyncClient(
            base_url=self.url, timeout=10, headers={"Authorization": f"Bearer {token}"}, verify=False
        ) as http:
            accepted = await http.post(path, json=body)
            assert accepted.status_code == 202, accepted.text
            async with asyncio.timeout(60):
                while (answer := await http.get(accepted.headers["Location"])).status_code == 202:
                    await asyncio.sleep(0.1)
        assert answer.status_code == 200, answer.text
        return answer.json()["items"]
