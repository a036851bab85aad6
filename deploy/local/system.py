"""The whole system on this machine: the stack, the default programme, every service, and a mailbox."""

import asyncio
import json
import os
from collections.abc import AsyncGenerator, Collection, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from deploy.cli import programme
from deploy.cli.trouble import Trouble
from deploy.local import ports, tokens
from deploy.local.errors import StackError
from deploy.local.service import Service
from deploy.local.stack import Stack
from services.notifier.settings import ChannelSettings
from shared.contracts.topics import SERVICES as NAMES
from shared.settings import PREFIX

SERVICES = {name: f"services.{name}.app" for name in NAMES}
MAILBOX = "mailbox"
PROGRAMME = Path(__file__).parents[1] / "programme.yaml"


@dataclass(frozen=True)
class System:
    """A running system; all its services are ready. `mailbox`: takes the mails of the notifier, and shows them."""

    stack: Stack
    services: dict[str, Service]
    mailbox: Service

    @staticmethod
    def start(
        folder: Path, *, wipe: bool = False, names: Collection[str] = NAMES
    ) -> AbstractAsyncContextManager["System"]:
        """A system for the length of an `async with`, with data and logs in that folder.

        `wipe`: begin without data; `names`: of the services to run, for tests that need few of them.
        """
        return _start(folder, wipe, names)

    def variables(self) -> dict[str, str]:
        """Addresses and tokens, by the names that .run/env has (contracts.md, "Running it")."""
        operator = {name.removeprefix(PREFIX): value for name, value in self.stack.environment("ops").items()}
        operator.pop("JWKS")
        urls = {f"{name.upper()}_URL": service.url for name, service in self.services.items()}
        scopes = {"OPS_TOKEN": "ops", "POS_TOKEN": "pos", "STAFF_TOKEN": "staff"}
        signed = {name: self.stack.token(scope) for name, scope in scopes.items()}
        return operator | urls | signed | {"MAILBOX": self.mailbox.url}


def settings(stack: Stack, name: str, urls: Mapping[str, str], smtp_port: int) -> dict[str, str]:
    """The environment of a service of that stack.

    `urls`: where each service answers, by name; `smtp_port`: of the mail server on this machine.
    """
    match name:
        case "ledger":
            own = {"COUPON_SECRET": stack.keys.coupon_secret}
        case "notifier":
            own = {
                "PROFILE_URL": urls["profile"],
                "PROFILE_TOKEN_FILE": str(_notifiers_token(stack)),
                "PUBLIC_URL": urls["notifier"],
                "PORTAL_URL": urls["portal"],
                "UNSUBSCRIBE_KEY": stack.keys.unsubscribe_key,
                **_channels(smtp_port),
            }
        case "portal":
            own = {
                "PORTAL_URL": urls["portal"],
                "PROFILE_URL": urls["profile"],
                "DEVELOPMENT_KEY": str(stack.keys.signing_key_file),
            }
        case _:
            own = {}
    return stack.environment(name) | {PREFIX + key: value for key, value in own.items()}


def _notifiers_token(stack: Stack) -> Path:
    file = stack.folder / "notifier.token"
    file.touch(mode=0o600)
    file.write_text(tokens.of_notifier(stack.keys.signing_key))
    return file


def _channels(smtp_port: int) -> dict[str, str]:
    """Channels as our own environment sets them; without a mail server there, mails go to that of this machine."""
    names = [field.upper() for field in ChannelSettings.model_fields]
    given = {name: os.environ[PREFIX + name] for name in names if os.environ.get(PREFIX + name)}
    if "SMTP_HOST" in given:
        return given
    sender = "Perkstream <bonus@perkstream.example>"
    here = {"SMTP_HOST": "127.0.0.1", "SMTP_PORT": str(smtp_port), "SMTP_SECURITY": "none", "MAIL_FROM": sender}
    return here | given


@asynccontextmanager
async def _start(folder: Path, wipe: bool, names: Collection[str]) -> AsyncGenerator[System, None]:
    async with Stack.start(folder, wipe=wipe) as stack:
        if not await programme.published(stack.kafka_options()):
            try:
                await programme.publish(stack.kafka_options(), PROGRAMME)
            except Trouble as refused:
                raise StackError(str(refused)) from None
        system = _system(stack, names)
        everything = [system.mailbox, *system.services.values()]
        supervisors = [asyncio.create_task(service.supervise()) for service in everything]
        try:
            await asyncio.gather(*(service.ready() for service in everything))
            yield system
        finally:
            for supervisor in supervisors:
                supervisor.cancel()
            await asyncio.gather(*supervisors, return_exceptions=True)


def _system(stack: Stack, names: Collection[str]) -> System:
    """Its services, not started yet, on the ports that they had before where these are free."""
    memory = stack.folder / "services.json"
    before: list[int] = json.loads(memory.read_text()) if memory.exists() else []
    smtp_port, mailbox_port, *others = chosen = ports.choose(len(SERVICES) + 2, before)
    memory.write_text(json.dumps(chosen))
    numbers = dict(zip(SERVICES, others, strict=True))
    urls = {name: f"http://127.0.0.1:{port}" for name, port in numbers.items()}

    def service(name: str, module: str, environment: dict[str, str], port: int) -> Service:
        return Service(name, module, environment, port, stack.folder / "logs" / f"{name}.log")

    services = {
        name: service(name, module, settings(stack, name, urls, smtp_port), numbers[name])
        for name, module in SERVICES.items()
        if name in names
    }
    where = {f"{PREFIX}SMTP_PORT": str(smtp_port)}
    return System(stack, services, service(MAILBOX, "deploy.local.mailbox", where, mailbox_port))
