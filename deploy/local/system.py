"""The whole system on this machine: the stack, the default programme, and every service that exists."""

import asyncio
import importlib.util
import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from deploy.cli import programme
from deploy.cli.trouble import Trouble
from deploy.local import ports
from deploy.local.errors import StackError
from deploy.local.service import Service
from deploy.local.stack import Stack

SERVICES = {
    "profile": "services.profile.app",
    "turnover": "services.turnover.app",
    "ledger": "services.ledger.app",
    "notifier": "services.notifier.app",
    "portal": "services.portal.app",
}
PROGRAMME = Path(__file__).parents[1] / "programme.yaml"


@dataclass(frozen=True)
class System:
    """A running system; all its services are ready."""

    stack: Stack
    services: dict[str, Service]

    @staticmethod
    def start(
        folder: Path, *, wipe: bool = False, modules: Mapping[str, str] = SERVICES
    ) -> AbstractAsyncContextManager["System"]:
        """A system for the length of an `async with`, with data and logs in that folder.

        `modules`: what to run as which service; those that are not there are left out. `wipe`: begin without data.
        """
        return _start(folder, wipe, modules)

    def variables(self) -> dict[str, str]:
        """Addresses and tokens, by the names that .run/env has (contracts.md, "Running it")."""
        operator = {name.removeprefix("PERKSTREAM_"): value for name, value in self.stack.environment("ops").items()}
        operator.pop("JWKS")
        urls = {f"{name.upper()}_URL": service.url for name, service in self.services.items()}
        scopes = {"OPS_TOKEN": "ops", "POS_TOKEN": "pos", "STAFF_TOKEN": "staff"}
        return operator | urls | {name: self.stack.token(scope) for name, scope in scopes.items()}


@asynccontextmanager
async def _start(folder: Path, wipe: bool, modules: Mapping[str, str]) -> AsyncGenerator[System, None]:
    async with Stack.start(folder, wipe=wipe) as stack:
        if not await programme.published(stack.kafka_options()):
            try:
                await programme.publish(stack.kafka_options(), PROGRAMME)
            except Trouble as refused:
                raise StackError(str(refused)) from None
        services = _services(stack, modules)
        supervisors = [asyncio.create_task(service.supervise()) for service in services.values()]
        try:
            await asyncio.gather(*(service.ready() for service in services.values()))
            yield System(stack, services)
        finally:
            for supervisor in supervisors:
                supervisor.cancel()
            await asyncio.gather(*supervisors, return_exceptions=True)


def _services(stack: Stack, modules: Mapping[str, str]) -> dict[str, Service]:
    """The services, on the ports that they had before where these are free."""
    there = {name: module for name, module in modules.items() if _exists(module)}
    memory = stack.folder / "services.json"
    before: list[int] = json.loads(memory.read_text()) if memory.exists() else []
    chosen = ports.choose(len(there), before)
    memory.write_text(json.dumps(chosen))
    return {
        name: Service(name, module, stack.environment(name), port, stack.folder / "logs" / f"{name}.log")
        for (name, module), port in zip(there.items(), chosen, strict=True)
    }


def _exists(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False
