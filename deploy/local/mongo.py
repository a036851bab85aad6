"""MongoDB on this machine: a replica set with access control, one child process a member."""

import asyncio
from pathlib import Path
from typing import Any
from urllib.parse import quote

from pymongo import AsyncMongoClient
from pymongo.errors import ConnectionFailure, OperationFailure, PyMongoError

REPLICA_SET = "perkstream"
READY_WITHIN = 60.0
# design.md, "The runtime": a transaction whose owner froze or died must not hold its successor up for long.
TRANSACTION_LIFETIME_S = 5
NOT_YET_INITIALIZED, AUTHENTICATION_FAILED = 94, 18


def arguments(data: Path, key: Path, port: int, host: str = "127.0.0.1") -> list[str]:
    """mongod's arguments, with the settings that production needs."""
    return [
        f"--replSet={REPLICA_SET}",
        f"--dbpath={data}",
        f"--keyFile={key}",
        f"--bind_ip={host}",
        f"--port={port}",
        "--nounixsocket",
        "--quiet",
        "--wiredTigerCacheSizeGB=1",
        "--oplogSize=2048",
        # By default a primary that is stopped waits for others that are stopping, too.
        "--setParameter=shutdownTimeoutMillisForSignaledShutdown=100",
        f"--setParameter=transactionLifetimeLimitSeconds={TRANSACTION_LIFETIME_S}",
    ]


def url(ports: list[int], user: str, password: str, database: str = "") -> str:
    """The address of the replica set for that user."""
    hosts = ",".join(f"127.0.0.1:{port}" for port in ports)
    login = f"{quote(user)}:{quote(password)}"
    return f"mongodb://{login}@{hosts}/{database}?authSource=admin&replicaSet={REPLICA_SET}"


async def ready(ports: list[int], password: str) -> None:
    """Return when the replica set has a primary that knows `ops`; make both on the first start."""
    async with asyncio.timeout(READY_WITHIN):
        for port in ports:
            await _answers(port)
        await _initiate(ports, password)
        while not any([await _is_primary(port) for port in ports]):
            await asyncio.sleep(0.1)
        await _operator(ports, password)


def _direct(port: int, **login: Any) -> AsyncMongoClient[dict[str, Any]]:
    return AsyncMongoClient("127.0.0.1", port, directConnection=True, serverSelectionTimeoutMS=2_000, **login)


async def _answers(port: int) -> None:
    while True:
        async with _direct(port) as client:
            try:
                await client.admin.command("ping")
                return
            except ConnectionFailure:
                await asyncio.sleep(0.1)


async def _is_primary(port: int) -> bool:
    async with _direct(port) as client:
        try:
            return bool((await client.admin.command("hello")).get("isWritablePrimary"))
        except PyMongoError:
            return False


async def _initiate(ports: list[int], password: str) -> None:
    """Make the replica set; or tell one whose members have moved to other ports."""
    members = [{"_id": n, "host": f"127.0.0.1:{port}"} for n, port in enumerate(ports)]
    async with _direct(ports[0]) as client:
        try:
            await client.admin.command("replSetInitiate", {"_id": REPLICA_SET, "members": members})
            return
        except OperationFailure:
            pass  # it has been initiated before, and then needs a login
    async with _direct(ports[0], username="ops", password=password, authSource="admin") as client:
        try:
            config = (await client.admin.command("replSetGetConfig"))["config"]
        except OperationFailure as problem:
            if problem.code in {NOT_YET_INITIALIZED, AUTHENTICATION_FAILED}:
                return  # the start before this one was cut off between the two steps
            raise
        if [member["host"] for member in config["members"]] != [member["host"] for member in members]:
            for member, moved in zip(config["members"], members, strict=True):
                member["host"] = moved["host"]
            config["version"] += 1
            await client.admin.command("replSetReconfig", config, force=True)


async def _operator(ports: list[int], password: str) -> None:
    """Create the first user, which only somebody on the same machine may do, and only while there is none."""
    while True:
        async with AsyncMongoClient[dict[str, Any]](url(ports, "ops", password)) as client:
            try:
                await client.admin.command("ping")
                return
            except OperationFailure as problem:
                if problem.code != AUTHENTICATION_FAILED:
                    raise
        for port in ports:
            if await _is_primary(port):
                async with _direct(port) as client:
                    try:
                        await client.admin.command("createUser", "ops", pwd=password, roles=["root"])
                    except OperationFailure:
                        await asyncio.sleep(0.1)  # not primary any more, or it has just been made
