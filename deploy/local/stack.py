"""Kafka and MongoDB for everything that runs here: `make run`, the tests, the benchmark and the fault tests."""

import asyncio
import json
import os
import shutil
from collections.abc import AsyncGenerator, Coroutine
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiokafka.errors import KafkaError
from pymongo.errors import PyMongoError

from deploy.local import kafka, keys, lock, mongo, ports, provision, servers, tokens
from deploy.local.errors import StackError
from deploy.local.servers import Layout, Server
from shared.settings import PREFIX, KafkaSettings

GIVEN = ("KAFKA_BOOTSTRAP", "MONGO_URL")


@dataclass
class Stack:
    """A Kafka and a MongoDB that are ready, with topics, logins and databases.

    `brokers`, `mongod`: the servers as child processes, to kill and freeze; empty where somebody else runs them.
    """

    folder: Path
    keys: keys.Keys
    layout: Layout | None
    brokers: list[Server] = field(default_factory=list[Server])
    mongod: list[Server] = field(default_factory=list[Server])

    @staticmethod
    def start(
        folder: Path,
        *,
        brokers: int = 1,
        mongo_nodes: int = 1,
        partitions: int = provision.COMMON_PARTITIONS,
        wipe: bool = False,
    ) -> AbstractAsyncContextManager["Stack"]:
        """A stack for the length of an `async with`, with its data in that folder; `wipe`: begin without any."""
        return _start(folder.absolute(), brokers, mongo_nodes, partitions, wipe)

    @staticmethod
    def attach(folder: Path) -> "Stack":
        """The stack that another process has started in that folder."""
        folder = folder.absolute()
        secrets = keys.load(folder, list(provision.PRINCIPALS))
        return Stack(folder, secrets, None if given() else Layout(**json.loads((folder / "stack.json").read_text())))

    @property
    def kafka_bootstrap(self) -> str:
        """Addresses of the brokers."""
        if self.layout is None:
            return given()["KAFKA_BOOTSTRAP"]
        return ",".join(f"127.0.0.1:{port}" for port in self.layout.kafka[:-1])

    def mongo_url(self, user: str = "ops", database: str = "") -> str:
        """Address of MongoDB with that user's login."""
        if self.layout is None:
            return given()["MONGO_URL"]
        return mongo.url(self.layout.mongo, user, self.keys.passwords[user], database)

    def environment(self, role: str) -> dict[str, str]:
        """The settings (PERKSTREAM_...) of a service, or of `ops`, `pos`, `crm`, `clock`, `programme`."""
        if self.layout is None:
            settings = given()
        else:
            settings = {
                "KAFKA_BOOTSTRAP": self.kafka_bootstrap,
                "KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT",
                "KAFKA_SASL_MECHANISM": kafka.MECHANISM,
                "KAFKA_USERNAME": role,
                "KAFKA_PASSWORD": self.keys.passwords[role],
                "MONGO_URL": self.mongo_url(role, "" if role == "ops" else role),
            }
        settings |= {"JWKS": str(self.keys.jwks_file)}
        if role in ("ops", "profile"):
            settings |= {"MASTER_KEYS": f"file:{self.folder / 'master-keys'}"}
        return {PREFIX + name: value for name, value in settings.items()}

    def kafka_options(self, role: str = "ops") -> dict[str, Any]:
        """Arguments for an aiokafka client of that role."""
        return options(self.environment(role))

    def token(self, scope: str, customer: str | None = None) -> str:
        """A bearer token that the services of this stack accept."""
        return tokens.sign(self.keys.signing_key, scope, customer)

    async def clear(self) -> None:
        """Throw away all records and documents, without a restart. No service may be running.

        Only of servers that are its own; those that the environment names may hold what somebody needs.
        """
        if self.layout is None:
            raise StackError(
                "The servers that the environment names are not emptied; they may hold what somebody needs."
            )
        await provision.clear(self.kafka_options(), self.mongo_url(), self.layout.partitions, self.layout.brokers)

    async def kill(self) -> None:
        """End all servers at once, as a power cut would."""
        await asyncio.gather(*(server.kill() for server in [*self.brokers, *self.mongod]))

    async def ready(self) -> None:
        """Return when all servers answer, after some were killed and started again."""
        if self.layout is not None:
            await _while_alive(
                self,
                kafka.ready(self.kafka_options(), self.layout.brokers),
                mongo.ready(self.layout.mongo, self.keys.passwords["ops"]),
            )


def options(environment: dict[str, str]) -> dict[str, Any]:
    """Arguments for an aiokafka client with these settings."""
    fields = {name.removeprefix(PREFIX).lower(): value for name, value in environment.items()}
    return KafkaSettings.model_validate(fields).aiokafka()


def given() -> dict[str, str]:
    """The settings that the environment brings, when it brings addresses of both servers."""
    found = {name: os.environ[PREFIX + name] for name in GIVEN if os.environ.get(PREFIX + name)}
    if not found:
        return {}
    if missing := [name for name in GIVEN if name not in found]:
        raise StackError(f"{PREFIX}{missing[0]}: is not set, but {PREFIX}{next(iter(found))} is; set both or none.")
    kafka_settings = (name for name in os.environ if name.startswith(f"{PREFIX}KAFKA_"))
    return found | {name.removeprefix(PREFIX): os.environ[name] for name in kafka_settings}


@asynccontextmanager
async def _start(folder: Path, brokers: int, nodes: int, partitions: int, wipe: bool) -> AsyncGenerator[Stack, None]:
    async with lock.held(folder.with_name(f"{folder.name}.lock"), f"the stack {folder.name}") as keep:
        if wipe:
            shutil.rmtree(folder, ignore_errors=True)
        secrets = keys.load(folder, list(provision.PRINCIPALS))
        if given():
            stack = Stack(folder, secrets, None)
            await _provision_given(stack, partitions)
            yield stack
            return
        layout = _layout(folder, brokers, nodes, partitions)
        stack = Stack(folder, secrets, layout)
        try:
            await _run(stack, layout, keep)
            yield stack
        finally:
            await asyncio.gather(_stop_kafka(stack), *(member.stop() for member in stack.mongod))


async def _provision_given(stack: Stack, partitions: int) -> None:
    try:
        await provision.topics(stack.kafka_options(), partitions)
        await provision.databases(stack.mongo_url())
    except (KafkaError, PyMongoError) as problem:
        names = " and ".join(PREFIX + name for name in GIVEN)
        raise StackError(f"The servers that {names} name cannot be used: {problem}") from None


async def _stop_kafka(stack: Stack) -> None:
    """The first broker last: it is the controller, of which the others take leave."""
    for broker in reversed(stack.brokers):
        await broker.stop()


def _layout(folder: Path, brokers: int, nodes: int, partitions: int) -> Layout:
    file = folder / "stack.json"
    before = Layout(**json.loads(file.read_text())) if file.exists() else None
    if before and (before.brokers, len(before.mongo), before.partitions) != (brokers, nodes, partitions):
        raise StackError(
            f"{folder} holds data of {before.brokers} broker(s), {len(before.mongo)} MongoDB member(s) and "
            f"{before.partitions} partitions, not {brokers}, {nodes} and {partitions}; remove the folder to begin anew."
        )
    layout = Layout(
        cluster=before.cluster if before else kafka.new_id(),
        kafka=ports.choose(brokers + 1, before.kafka if before else ()),
        mongo=ports.choose(nodes, before.mongo if before else ()),
        partitions=partitions,
    )
    file.write_text(json.dumps(layout.__dict__))
    return layout


async def _run(stack: Stack, layout: Layout, keep: int) -> None:
    """Start the servers, wait until they are ready, and provision them."""
    passwords = stack.keys.passwords

    async def run_mongo() -> None:
        servers.members(stack.mongod, stack.folder, layout, stack.keys.mongo_key_file, passwords["ops"], keep)
        await mongo.ready(layout.mongo, passwords["ops"])
        await provision.databases(stack.mongo_url())
        await provision.users(stack.mongo_url(), passwords)

    async def run_kafka() -> None:
        await servers.brokers(stack.brokers, stack.folder, layout, passwords["broker"], keep)
        await kafka.operators(layout.kafka[-1], passwords)
        await kafka.ready(stack.kafka_options(), layout.brokers)
        await provision.principals(stack.kafka_options(), passwords)
        await provision.topics(stack.kafka_options(), layout.partitions, layout.brokers)

    await _while_alive(stack, run_mongo(), run_kafka())


async def _while_alive(stack: Stack, *work: Coroutine[Any, Any, None]) -> None:
    """Do the work side by side; stop it when one of the servers ends, and say which and why."""
    try:
        async with asyncio.TaskGroup() as group:
            watch = group.create_task(servers.alive(stack.brokers, stack.mongod))
            for task in [group.create_task(part) for part in work]:
                await task
            watch.cancel()
    except* StackError as problems:
        raise problems.exceptions[0] from None
    except* TimeoutError:
        raise StackError(f"Kafka or MongoDB did not get ready. What they say is in {stack.folder / 'logs'}.") from None
