"""What a stack promises: servers that are ready, and locked for everybody whom nothing was allowed."""

import asyncio
import sys
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import GroupAuthorizationFailedError, KafkaConnectionError, TopicAuthorizationFailedError
from pymongo import AsyncMongoClient
from pymongo.errors import OperationFailure

from deploy.cli.kafka import started
from deploy.local import provision
from deploy.local.child import Child
from deploy.local.errors import StackError
from deploy.local.stack import Stack, options
from shared.contracts.topics import TOPICS
from tests.conftest import FreshStack


async def send(stack: Stack, role: str, topic: str) -> None:
    async with started(AIOKafkaProducer(**stack.kafka_options(role), enable_idempotence=True)) as producer:
        await producer.send_and_wait(topic, b"{}", key=b"c-1", partition=0)


async def read(stack: Stack, role: str, topic: str, patience_ms: int = 30_000) -> int:
    consumer = AIOKafkaConsumer(topic, auto_offset_reset="earliest", **stack.kafka_options(role))
    async with started(consumer):
        return sum(map(len, (await consumer.getmany(timeout_ms=patience_ms)).values()))


async def test_every_topic_is_there_with_the_number_of_partitions_that_the_contract_says(stack: Stack) -> None:
    admin = AIOKafkaAdminClient(**stack.kafka_options())
    await admin.start()
    try:
        described = {topic["topic"]: topic for topic in await admin.describe_topics()}
        found = {topic.name: len(described[topic.name]["partitions"]) for topic in TOPICS}
        answers: list[Any] = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, "turnover.events")])
    finally:
        await admin.close()

    configs: dict[str, Any] = {entry[0]: entry[1] for entry in answers[0].resources[0][4]}
    assert found == {topic.name: topic.partitions or provision.COMMON_PARTITIONS for topic in TOPICS}
    assert configs["message.timestamp.type"] == "LogAppendTime"
    assert configs["retention.ms"] == "-1"


async def test_a_service_writes_its_own_topics_and_reads_its_inputs(stack: Stack) -> None:
    await send(stack, "pos", "pos.purchases")
    await send(stack, "turnover", "turnover.events")

    assert await read(stack, "turnover", "pos.purchases") >= 1
    assert await read(stack, "ledger", "turnover.events") >= 1


@pytest.mark.parametrize(
    ("role", "topic"),
    [("turnover", "pos.purchases"), ("turnover", "ledger.events"), ("pos", "crm.customers"), ("ledger", "programme")],
)
async def test_nobody_writes_a_topic_of_somebody_else(stack: Stack, role: str, topic: str) -> None:
    with pytest.raises(TopicAuthorizationFailedError):
        await send(stack, role, topic)


@pytest.mark.parametrize(("role", "topic"), [("turnover", "crm.customers"), ("pos", "pos.purchases")])
async def test_nobody_reads_a_topic_that_is_not_for_him(stack: Stack, role: str, topic: str) -> None:
    with pytest.raises(TopicAuthorizationFailedError):
        await read(stack, role, topic)


async def join(stack: Stack, role: str, group: str) -> bool:
    consumer = AIOKafkaConsumer("pos.purchases", group_id=group, **stack.kafka_options(role))
    async with started(consumer):
        return bool(consumer.assignment())


async def test_a_service_joins_its_own_group_alone(stack: Stack) -> None:
    assert await join(stack, "turnover", "turnover")
    with pytest.raises(GroupAuthorizationFailedError):
        await join(stack, "turnover", "ledger")


async def test_a_wrong_password_opens_nothing(stack: Stack) -> None:
    wrong = options(stack.environment("ops") | {"PERKSTREAM_KAFKA_PASSWORD": "guessed"})
    with pytest.raises(KafkaConnectionError):
        async with started(AIOKafkaProducer(**wrong)):
            pass
    async with AsyncMongoClient[dict[str, Any]](stack.mongo_url().replace(stack.keys.passwords["ops"], "x")) as client:
        with pytest.raises(OperationFailure):
            await client.admin.command("ping")


async def test_a_service_adds_to_its_log_and_cannot_change_it(stack: Stack) -> None:
    async with AsyncMongoClient[dict[str, Any]](stack.mongo_url("turnover", "turnover")) as client:
        log = client.turnover.log
        document = (await log.insert_one({"entries": []})).inserted_id
        for attempt in (log.update_one({"_id": document}, {"$set": {"x": 1}}), log.delete_one({"_id": document})):
            with pytest.raises(OperationFailure, match="not authorized"):
                await attempt
        await client.turnover.heads.replace_one({"_id": "h"}, {"x": 1}, upsert=True)


async def test_a_service_does_not_see_the_database_of_another(stack: Stack) -> None:
    async with AsyncMongoClient[dict[str, Any]](stack.mongo_url("turnover", "turnover")) as client:
        with pytest.raises(OperationFailure, match="not authorized"):
            await client.ledger.heads.find_one()


async def test_transactions_of_a_frozen_owner_die_after_five_seconds(stack: Stack) -> None:
    async with AsyncMongoClient[dict[str, Any]](stack.mongo_url("turnover", "turnover")) as client:
        answer = await client.admin.command({"getParameter": 1, "transactionLifetimeLimitSeconds": 1})
        assert answer["transactionLifetimeLimitSeconds"] == 5


async def test_provisioning_again_changes_nothing(stack: Stack) -> None:
    await provision.principals(stack.kafka_options(), stack.keys.passwords)
    await provision.topics(stack.kafka_options())
    await provision.databases(stack.mongo_url())
    await provision.users(stack.mongo_url(), stack.keys.passwords)
    await send(stack, "turnover", "turnover.events")


async def test_one_folder_has_one_stack_at_a_time(stack: Stack) -> None:
    with pytest.raises(StackError, match="is running already"):
        async with Stack.start(stack.folder):
            pass


OWNER = """
import asyncio, sys
from pathlib import Path
from deploy.local.stack import Stack

async def main():
    async with Stack.start(Path(sys.argv[1])) as stack:
        print("ready", flush=True)
        await asyncio.sleep(600)

asyncio.run(main())
"""


async def test_a_stack_comes_back_with_its_data_after_its_owner_was_killed(
    fresh_stack: FreshStack, tmp_path: Path
) -> None:
    owner = Child("owner", [sys.executable, "-c", OWNER, str(tmp_path / "stack")], tmp_path / "owner.log")
    owner.start()
    while "ready" not in owner.last_words():
        assert owner.running, owner.last_words()
        await asyncio.sleep(0.1)
    before = Stack.attach(tmp_path / "stack")
    await send(before, "turnover", "turnover.events")
    async with AsyncMongoClient[dict[str, Any]](before.mongo_url()) as client:
        await client.turnover.log.insert_one({"_id": "kept"})
    await owner.kill()

    after = await fresh_stack()

    assert after.layout == before.layout
    assert await read(after, "ledger", "turnover.events") == 1
    async with AsyncMongoClient[dict[str, Any]](after.mongo_url()) as client:
        assert await client.turnover.log.find_one({"_id": "kept"})


@pytest.mark.chaos
async def test_a_server_that_is_killed_can_be_started_again(fresh_stack: FreshStack) -> None:
    stack = await fresh_stack()
    await send(stack, "pos", "pos.purchases")

    for server in (*stack.brokers, *stack.mongod):
        await server.kill()
        server.start()
    await stack.ready()

    await send(stack, "pos", "pos.purchases")
    assert await read(stack, "turnover", "pos.purchases") == 2
    await stack.clear()
    assert await read(stack, "turnover", "pos.purchases", patience_ms=3_000) == 0


async def test_servers_that_the_environment_names_are_used_as_they_are(
    stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in stack.environment("ops").items():
        monkeypatch.setenv(name, value)

    async with Stack.start(tmp_path / "stack") as given:
        assert not given.brokers
        assert given.kafka_bootstrap == stack.kafka_bootstrap
        assert given.environment("turnover")["PERKSTREAM_KAFKA_USERNAME"] == "ops"
        await send(given, "turnover", "turnover.events")


async def test_half_an_address_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PERKSTREAM_KAFKA_BOOTSTRAP", "127.0.0.1:1")

    with pytest.raises(StackError, match="PERKSTREAM_MONGO_URL: is not set, but PERKSTREAM_KAFKA_BOOTSTRAP is"):
        async with Stack.start(tmp_path / "stack"):
            pass


async def test_servers_that_do_not_answer_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PERKSTREAM_KAFKA_BOOTSTRAP", "127.0.0.1:1")
    monkeypatch.setenv("PERKSTREAM_KAFKA_SECURITY_PROTOCOL", "PLAINTEXT")
    monkeypatch.setenv("PERKSTREAM_MONGO_URL", "mongodb://127.0.0.1:1")

    with pytest.raises(StackError, match="PERKSTREAM_KAFKA_BOOTSTRAP and PERKSTREAM_MONGO_URL name cannot be used"):
        async with Stack.start(tmp_path / "stack"):
            pass
