"""`python -m deploy.provision`: topics, rights, logins and databases on an operator's Kafka and MongoDB.

Run it before services start for the first time, and before those of a new version do. Safe to repeat: it adds what is
missing and sets passwords; it takes nothing away.
"""

import asyncio
import logging
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaConnectionError, KafkaError
from pydantic import SecretStr
from pymongo import AsyncMongoClient
from pymongo.errors import ConnectionFailure, InvalidURI, OperationFailure, PyMongoError
from pymongo.uri_parser import parse_uri

from deploy.local import provision
from deploy.local.errors import StackError
from shared.settings import PREFIX, KafkaSettings, load

WAIT_S = 120.0  # for servers that were started together with this
PAUSE_S = 1.0
COPIES = 3
ALREADY_INITIALIZED = 23


class Operator(KafkaSettings):
    """Logins that may make topics, rights and logins on Kafka, and databases, roles and users on MongoDB."""

    mongo_url: SecretStr


def main(
    passwords: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            file_okay=False,
            help="Folder with a file for each principal that gets a login; the file's name is the principal's, its "
            "content the password. Without it logins are yours to make; rights are given all the same.",
        ),
    ] = None,
    partitions: Annotated[
        int, typer.Option(min=1, max=100, help="Of every topic but `programme`. Cannot be changed later.")
    ] = provision.COMMON_PARTITIONS,
) -> None:
    """Prepare the Kafka and MongoDB that PERKSTREAM_KAFKA_... and PERKSTREAM_MONGO_URL name, as an operator."""
    logging.disable()  # what a client retries is no news, what stays wrong is raised
    operator = load(Operator)
    try:
        found = {} if passwords is None else read(passwords)
        asyncio.run(prepare(operator.aiokafka(), operator.mongo_url.get_secret_value(), found, partitions))
    except StackError as problem:
        sys.exit(f"provision: {problem}")
    except InvalidURI as problem:
        sys.exit(f"{PREFIX}MONGO_URL: {problem}")
    except KafkaError as problem:
        sys.exit(f"provision: Kafka: {' '.join(str(problem).split()) or type(problem).__name__}")
    except PyMongoError as problem:
        sys.exit(f"provision: MongoDB: {problem}")
    print(f"provisioned: topics, rights and databases, {len(found)} logins")


def read(folder: Path) -> dict[str, str]:
    """The passwords in that folder, by principal; `ops` and `broker` have theirs already, and are left alone."""
    names = (*provision.SERVICES, *provision.OUTSIDE)
    found = {name: (folder / name).read_text().strip() for name in names if (folder / name).is_file()}
    if empty := [name for name, password in found.items() if not password]:
        raise StackError(f"{folder / empty[0]}: is empty")
    if not found:
        raise StackError(f"{folder}: holds no password; files are named {', '.join(names)}")
    return found


async def prepare(options: dict[str, Any], mongo_url: str, passwords: dict[str, str], partitions: int) -> None:
    """Wait for both servers, and give them what services need. `options`: an operator's, for aiokafka clients."""
    brokers = await _once_it_answers("Kafka", lambda: _brokers(options), KafkaConnectionError)
    await _once_it_answers("MongoDB", lambda: _primary(mongo_url), ConnectionFailure)
    await provision.principals(options, passwords)
    await provision.topics(options, partitions, min(COPIES, brokers))
    await provision.databases(mongo_url)
    await provision.users(mongo_url, passwords)


async def _once_it_answers(name: str, ask: Callable[[], Awaitable[int]], absent: type[Exception]) -> int:
    deadline = time.monotonic() + WAIT_S
    while True:
        try:
            return await ask()
        except absent as problem:
            if time.monotonic() > deadline:
                raise StackError(f"{name} does not let us in after {WAIT_S:.0f} s: {problem}") from None
        await asyncio.sleep(PAUSE_S)


async def _brokers(options: dict[str, Any]) -> int:
    admin = AIOKafkaAdminClient(**options)
    try:
        await admin.start()
        return len((await admin.describe_cluster())["brokers"])
    finally:
        await admin.close()


async def _primary(mongo_url: str) -> int:
    """How many members its replica set has; a lone member that belongs to none yet is made a set of one."""
    async with AsyncMongoClient[dict[str, Any]](mongo_url, serverSelectionTimeoutMS=2_000) as client:
        try:
            return len((await client.admin.command("hello")).get("hosts", ()))
        except ConnectionFailure:
            await _initiate(mongo_url)
            raise


async def _initiate(mongo_url: str) -> None:
    """Only where the address names one member and its set: whoever writes so means a set of one."""
    parsed = parse_uri(mongo_url)
    name = parsed["options"].get("replicaSet")
    if name is None or len(parsed["nodelist"]) != 1:
        return
    host = "{}:{}".format(*parsed["nodelist"][0])
    direct = AsyncMongoClient[dict[str, Any]](
        host,
        directConnection=True,
        username=parsed["username"],
        password=parsed["password"],
        authSource=parsed["options"].get("authSource", "admin"),
        serverSelectionTimeoutMS=2_000,
    )
    async with direct as client:
        try:
            config = {"_id": name, "members": [{"_id": 0, "host": host}]}
            await client.admin.command("replSetInitiate", config)
        except OperationFailure as problem:
            if problem.code != ALREADY_INITIALIZED:
                raise


if __name__ == "__main__":
    typer.run(main)
