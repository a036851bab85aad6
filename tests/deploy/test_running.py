"""compose.yaml at work, without containers: its servers, its provisioning, its logins, and a service on them."""

import asyncio
import os
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
import pytest_asyncio
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaConnectionError, TopicAuthorizationFailedError
from pymongo import AsyncMongoClient
from pymongo.errors import OperationFailure

from deploy.local import ports
from deploy.local.service import Service
from shared.contracts.topics import TOPICS
from tests.deploy.cluster import Cluster
from tests.deploy.files import COMPOSE, dockerfile

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(300)]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def provisioned(cluster: Cluster) -> Cluster:
    said = await cluster.provision()
    assert "provisioned: topics, rights and databases, 8 logins" in said
    return cluster


@asynccontextmanager
async def started(client: Any) -> AsyncGenerator[Any, None]:
    try:
        await client.start()
        yield client
    finally:
        await (client.close() if isinstance(client, AIOKafkaAdminClient) else client.stop())


async def write(options: dict[str, Any], topic: str) -> None:
    async with started(AIOKafkaProducer(**options, enable_idempotence=True)) as producer:
        await producer.send_and_wait(topic, b"{}", b"test", partition=0)


async def read(options: dict[str, Any], topic: str) -> None:
    async with started(AIOKafkaConsumer(topic, auto_offset_reset="earliest", **options)) as consumer:
        await consumer.getmany(timeout_ms=1_000)


async def test_provisioning_waits_for_both_servers_and_makes_every_topic(provisioned: Cluster) -> None:
    async with started(AIOKafkaAdminClient(**provisioned.login("ops"))) as admin:
        found = {topic["topic"]: len(topic["partitions"]) for topic in await admin.describe_topics()}

    assert {topic.name: topic.partitions or 12 for topic in TOPICS}.items() <= found.items()


async def test_provisioning_again_changes_nothing_and_succeeds(provisioned: Cluster) -> None:
    assert "8 logins" in await provisioned.provision()


async def test_the_system_works_by_the_commands_of_the_file(provisioned: Cluster) -> None:
    module = ["-m", "deploy.cli.main"]
    programme = provisioned.environment("programme")
    command = COMPOSE["services"]["programme"]["command"]
    assert "is published, in force from" in await provisioned.run(*module, *command, env=programme)
    assert "is published already" in await provisioned.run(*module, *command, env=programme)
    assert COMPOSE["services"]["clock"]["command"][0].split("; ")[1] == "do python -m deploy.cli.main tick"
    assert "ticked 12 partitions" in await provisioned.run(*module, "tick", env=provisioned.environment("clock"))
    (port,) = ports.choose(1)
    settings = provisioned.environment("turnover")
    settings |= {
        name: provisioned.here(value) for name, value in COMPOSE["services"]["turnover"]["environment"].items()
    }
    service = Service("turnover", "services.turnover.app", settings, port, provisioned.folder / "turnover.log")
    service.child.start()
    try:
        await service.ready()
        healthcheck = next(words for name, words in dockerfile() if name == "HEALTHCHECK")
        look = healthcheck[healthcheck.index("-c") :]
        await provisioned.run(*look, env={"PERKSTREAM_HTTP_PORT": str(port)})
        with pytest.raises(AssertionError, match="refused"):
            await provisioned.run(*look, env={"PERKSTREAM_HTTP_PORT": "1"})
        await operate(provisioned, service)
    finally:
        await service.child.stop(20)
    assert service.child.returncode == 0, service.child.last_words()


async def operate(cluster: Cluster, service: Service) -> None:
    """As the service `ops` does: the folder of its secrets is its `.run`."""
    there, target = COMPOSE["services"]["ops"]["volumes"][0].split(":")[:2]
    assert (there, target) == ("./secrets/operator", "/app/.run")
    home = cluster.folder / "app"
    home.mkdir()
    (home / ".run").mkdir()
    for file in (cluster.secrets / "operator").iterdir():
        text = cluster.here(file.read_text()).replace("http://turnover:8000", service.url)
        (home / ".run" / file.name).write_text(text)
    perkstream = [os.path.join(os.path.dirname(sys.executable), "perkstream")]

    async def run(*words: str) -> str:
        return await cluster.run(*perkstream, *words, env={}, cwd=home)

    assert "published" in await run("simulate", "--count", "30")
    async with httpx.AsyncClient() as http:
        while 'outcome="counted",topic="pos.purchases"' not in (await http.get(f"{service.url}/metrics")).text:
            await asyncio.sleep(0.1)
    assert "0 dead letters" in await run("dead-letters", "turnover", "list")
    assert "0 drifted" in await run("rebuild", "turnover", "--compare")
    assert (await run("token", "--scope", "staff")).count(".") == 2


ALL = ("pos.purchases", "clock", "programme", "turnover.commands", "turnover.dead-letters", "ledger.events")


@pytest.mark.parametrize(
    ("who", "writes", "reads"),
    [
        ("pos", {"pos.purchases"}, set[str]()),
        ("turnover", {"turnover.commands", "turnover.dead-letters"}, set(ALL) - {"ledger.events"}),
        ("clock", {"clock"}, {"clock"}),
        ("programme", {"programme"}, {"programme", "clock"}),
    ],
)
async def test_a_principal_has_its_rights_and_no_others(
    provisioned: Cluster, who: str, writes: set[str], reads: set[str]
) -> None:
    options = provisioned.login(who)
    for allowed, attempt in ((writes, write), (reads, read)):
        for topic in ALL:
            if topic in allowed:
                await attempt(options, topic)
            else:
                with pytest.raises(TopicAuthorizationFailedError):
                    await attempt(options, topic)


async def test_nobody_gets_in_without_a_login(provisioned: Cluster) -> None:
    options: dict[str, Any] = provisioned.login("turnover") | {"sasl_plain_password": "guessed"}
    with pytest.raises(KafkaConnectionError):
        async with started(AIOKafkaProducer(**options)):
            pass
    address = provisioned.words["mongo:27017"]
    async with AsyncMongoClient[dict[str, Any]](f"mongodb://{address}/?replicaSet=perkstream") as client:
        with pytest.raises(OperationFailure, match="requires authentication"):
            await client.turnover.log.find_one()


async def test_a_service_may_add_to_its_log_and_not_change_it_nor_see_another_database(provisioned: Cluster) -> None:
    url = provisioned.environment("turnover")["PERKSTREAM_MONGO_URL"]
    async with AsyncMongoClient[dict[str, Any]](url) as client:
        await client.turnover.log.insert_one({"_id": "test", "entries": []})
        with pytest.raises(OperationFailure, match="not authorized"):
            await client.turnover.log.update_one({}, {"$set": {"entries": [1]}})
        with pytest.raises(OperationFailure, match="not authorized"):
            await client.turnover.log.delete_one({})
        with pytest.raises(OperationFailure, match="not authorized"):
            await client.ledger.log.find_one()
        answer = await client.admin.command({"getParameter": 1, "transactionLifetimeLimitSeconds": 1})
        assert answer["transactionLifetimeLimitSeconds"] == 5


async def test_no_log_holds_a_password(provisioned: Cluster) -> None:
    passwords = [file.read_text() for file in (provisioned.secrets / "passwords").iterdir()]
    logs = {log.name: log.read_text(errors="replace") for log in provisioned.folder.glob("*.log")}

    assert logs.keys() >= {"kafka.log", "mongo.log"}
    assert [name for name, text in logs.items() if any(password in text for password in passwords)] == []
