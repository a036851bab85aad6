"""compose.yaml at work, without containers: its servers, its provisioning, its logins, and a service on them."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaConnectionError, TopicAuthorizationFailedError
from pymongo import AsyncMongoClient
from pymongo.errors import OperationFailure

from deploy.cli.kafka import started
from deploy.local import provision, tokens
from deploy.local.service import Service
from shared.contracts.topics import TOPICS
from tests.deploy.cluster import Cluster
from tests.deploy.files import COMPOSE, SERVICES, dockerfile

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(300)]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def provisioned(cluster: Cluster) -> Cluster:
    said = await cluster.provision()
    assert "provisioned: topics, rights and databases, 9 logins" in said
    return cluster


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
    assert "9 logins" in await provisioned.provision()


@asynccontextmanager
async def serving(cluster: Cluster) -> AsyncGenerator[dict[str, Service], None]:
    """Every service as compose.yaml starts it. They stop by a signal, and say nothing of trouble by their exit code."""
    services = {
        name: Service(name, f"services.{name}.app", cluster.environment(name), port, cluster.folder / f"{name}.log")
        for name, port in cluster.services.items()
    }
    try:
        for service in services.values():
            service.child.start()
        await asyncio.gather(*(service.ready() for service in services.values()))
        yield services
    finally:
        await asyncio.gather(*(service.child.stop(20) for service in services.values()))
    assert {name: service.child.returncode for name, service in services.items()} == dict.fromkeys(SERVICES, 0)


async def test_the_system_works_by_the_commands_of_the_file(provisioned: Cluster) -> None:
    module = ["-m", "deploy.cli.main"]
    programme = provisioned.environment("programme")
    command = COMPOSE["services"]["programme"]["command"]
    assert "is published, in force from" in await provisioned.run(*module, *command, env=programme)
    assert "is published already" in await provisioned.run(*module, *command, env=programme)
    assert COMPOSE["services"]["clock"]["command"][0].split("; ")[1] == "do python -m deploy.cli.main tick"
    assert "ticked 12 partitions" in await provisioned.run(*module, "tick", env=provisioned.environment("clock"))
    async with serving(provisioned) as services:
        healthcheck = next(words for name, words in dockerfile() if name == "HEALTHCHECK")
        look = healthcheck[healthcheck.index("-c") :]
        port = str(provisioned.services["turnover"])
        await provisioned.run(*look, env={"PERKSTREAM_HTTP_PORT": port})
        with pytest.raises(AssertionError, match="refused"):
            await provisioned.run(*look, env={"PERKSTREAM_HTTP_PORT": "1"})
        await operate(provisioned, services)
        await reach_each_other(provisioned, services)


async def operate(cluster: Cluster, services: dict[str, Service]) -> None:
    """As the service `ops` does: the folder of its secrets is its `.run`."""
    there, target = COMPOSE["services"]["ops"]["volumes"][0].split(":")[:2]
    assert (there, target) == ("./secrets/operator", "/app/.run")
    home = cluster.folder / "app"
    (home / ".run").mkdir(parents=True)
    for file in (cluster.secrets / "operator").iterdir():
        (home / ".run" / file.name).write_text(cluster.here(file.read_text()))
    perkstream = [os.path.join(os.path.dirname(sys.executable), "perkstream")]

    async def run(*words: str) -> str:
        return await cluster.run(*perkstream, *words, env={}, cwd=home)

    customer = {"type": "CustomerUpserted.v1", "customer_id": "c-1", "occurred_at": "2020-01-01T00:00:00Z"}
    (home / "customers.jsonl").write_text(json.dumps(customer | {"fields": {"email": "a@shop.example.org"}}))
    assert "1 records published" in await run("replay", "customers.jsonl")
    assert "published" in await run("simulate", "--count", "30")
    for name, topic in (("turnover", "pos.purchases"), ("profile", "crm.customers"), ("portal", "ledger.events")):
        await counted(services[name], topic)
    assert "0 dead letters" in await run("dead-letters", "profile", "list")
    assert "open" in await run("keys", "list")
    for name in ("turnover", "portal"):
        assert "0 drifted" in await run("rebuild", name, "--compare")
    assert (await run("token", "--scope", "staff")).count(".") == 2


async def counted(service: Service, topic: str) -> None:
    async with httpx.AsyncClient() as http:
        while f'outcome="counted",topic="{topic}"' not in (await http.get(f"{service.url}/metrics")).text:
            await asyncio.sleep(0.1)


async def reach_each_other(cluster: Cluster, services: dict[str, Service]) -> None:
    """The notifier may ask profile for addresses, and the portal signs in by links of the system's own key."""
    given = cluster.environment("notifier")
    token = Path(given["PERKSTREAM_PROFILE_TOKEN_FILE"]).read_text()
    async with httpx.AsyncClient() as http:
        contacts = await http.post(
            f"{given['PERKSTREAM_PROFILE_URL']}/contacts",
            json={"customer_ids": ["c-1"]},
            headers={"Authorization": f"Bearer {token}"},
        )
        assert [item["channels"]["email"]["address"] for item in contacts.json()["items"]] == ["a@shop.example.org"]
        key = json.loads((cluster.secrets / "signing.json").read_text())
        link = tokens.sign_in_link(key, given["PERKSTREAM_PORTAL_URL"], "c-1")
        page = await http.get(link, follow_redirects=True)
        assert (page.status_code, str(page.url)) == (200, f"{services['portal'].url}/my-bonus")


EVERY = {topic.name for topic in TOPICS}
PUBLIC = {"clock", "programme"}


def own(service: str) -> set[str]:
    return {f"{service}.{kind}" for kind in ("commands", "events", "dead-letters")}


def read_by(service: str, *inputs: str) -> set[str]:
    return PUBLIC | {f"{service}.commands", f"{service}.dead-letters", *inputs}


@pytest.mark.parametrize(
    ("who", "writes", "reads"),
    [
        ("pos", {"pos.purchases"}, set[str]()),
        ("crm", {"crm.customers"}, set[str]()),
        ("clock", {"clock"}, {"clock"}),
        ("programme", {"programme"}, {"programme", "clock"}),
        ("profile", own("profile"), read_by("profile", "crm.customers", "notifier.events")),
        ("turnover", own("turnover"), read_by("turnover", "pos.purchases", "profile.events")),
        ("ledger", own("ledger"), read_by("ledger", "profile.events", "turnover.events")),
        ("notifier", own("notifier"), read_by("notifier", "profile.events", "turnover.events", "ledger.events")),
        (
            "portal",
            own("portal"),
            read_by("portal", "profile.events", "turnover.events", "ledger.events", "notifier.events"),
        ),
    ],
)
async def test_a_principal_has_its_rights_and_no_others(
    provisioned: Cluster, who: str, writes: set[str], reads: set[str]
) -> None:
    options = provisioned.login(who)

    assert await allowed(write, options) == writes
    assert await allowed(read, options) == reads


async def allowed(attempt: Callable[[dict[str, Any], str], Awaitable[None]], options: dict[str, Any]) -> set[str]:
    async def may(topic: str) -> bool:
        try:
            await attempt(options, topic)
        except TopicAuthorizationFailedError:
            return False
        return True

    topics = sorted(EVERY)
    answers = await asyncio.gather(*(may(topic) for topic in topics))
    return {topic for topic, answer in zip(topics, answers, strict=True) if answer}


async def test_nobody_gets_in_without_a_login(provisioned: Cluster) -> None:
    options: dict[str, Any] = provisioned.login("turnover") | {"sasl_plain_password": "guessed"}
    with pytest.raises(KafkaConnectionError):
        async with started(AIOKafkaProducer(**options)):
            pass
    address = provisioned.words["mongo:27017"]
    async with AsyncMongoClient[dict[str, Any]](f"mongodb://{address}/?replicaSet=perkstream") as client:
        with pytest.raises(OperationFailure, match="requires authentication"):
            await client.turnover.log.find_one()


@pytest.mark.parametrize("name", SERVICES)
async def test_a_service_changes_what_it_keeps_but_for_its_log_and_sees_no_other_database(
    provisioned: Cluster, name: str
) -> None:
    url = provisioned.environment(name)["PERKSTREAM_MONGO_URL"]
    other = "ledger" if name == "turnover" else "turnover"
    async with AsyncMongoClient[dict[str, Any]](url) as client:
        for kept in provision.collections(name):
            collection = client[name][kept]
            await collection.insert_one({"_id": "test"})
            assert await collection.find_one({"_id": "test"})
            changes = (
                collection.update_one({"_id": "test"}, {"$set": {"x": 1}}),
                collection.delete_one({"_id": "test"}),
            )
            for change in changes:
                if kept in {"log", "masters"}:
                    with pytest.raises(OperationFailure, match="not authorized"):
                        await change
                else:
                    await change
        for somewhere in (client[other].log, client[name].users, client.admin.system.users):
            with pytest.raises(OperationFailure, match="not authorized"):
                await somewhere.find_one()
        answer = await client.admin.command({"getParameter": 1, "transactionLifetimeLimitSeconds": 1})
        assert answer["transactionLifetimeLimitSeconds"] == 5


async def test_no_log_holds_a_secret(provisioned: Cluster) -> None:
    found = [file.read_text() for file in (provisioned.secrets / "passwords").iterdir()]
    found += [provisioned.environment("ledger")["PERKSTREAM_COUPON_SECRET"]]
    found += [provisioned.environment("notifier")["PERKSTREAM_UNSUBSCRIBE_KEY"]]
    found += [(provisioned.secrets / "notifier.token").read_text()]
    logs = {log.name: log.read_text(errors="replace") for log in provisioned.folder.glob("*.log")}

    assert logs.keys() >= {"kafka.log", "mongo.log", *(f"{name}.log" for name in SERVICES)}
    assert [name for name, text in logs.items() if any(secret in text for secret in found)] == []
