"""What deployment gives the services before they start: topics, logins, access rules, databases. Safe to repeat."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from pymongo import AsyncMongoClient, IndexModel
from pymongo.errors import OperationFailure

from deploy.local import kafka_admin as acl
from deploy.local.errors import StackError
from shared.contracts.topics import CLOCK, PROGRAMME, SERVICES, TOPICS, Topic
from shared.masterkeys.masters import MASTERS
from shared.runtime.owned import ANSWERS, ARCHIVE, BATCHES, HEADS, KEYS, LOG, OUTBOX, PARTITIONS

COMMON_PARTITIONS = 12
OUTSIDE = ("pos", "crm", "clock", "programme")
PRINCIPALS = ("broker", "ops", *SERVICES, *OUTSIDE)
"""Who logs in. `ops` may do everything; `broker` is what the brokers call each other."""
LOOKS = ((CLOCK, "clock"), (CLOCK, "programme"), (PROGRAMME, "programme"))
"""What the commands `tick` and `programme publish` look at before they write."""

ANSWERS_KEPT_S = 31 * 24 * 3600  # contracts.md promises 30 days
COLLECTIONS: dict[str, list[IndexModel]] = {
    LOG: [],
    PARTITIONS: [],
    BATCHES: [],
    HEADS: [IndexModel([("p", 1), ("due", 1)])],
    ARCHIVE: [],
    OUTBOX: [],
    ANSWERS: [IndexModel("at", expireAfterSeconds=ANSWERS_KEPT_S)],
}
"""What a service keeps, and how it looks for it other than by `_id`."""
OWN: dict[str, dict[str, list[IndexModel]]] = {
    "profile": {KEYS: [], MASTERS: [], "cards": [], ANSWERS: [IndexModel("customer", sparse=True)]},
    "ledger": {"redemptions": []},
    # What may be sent in a channel, in order: a few keys of the index, however long the queue is. And marks of what is
    # over and may not have been heard: a handful at any time.
    "notifier": {
        "deliveries": [
            IndexModel(
                [("channel", 1), ("due", 1), ("at", 1)], name="queued", partialFilterExpression={"status": "queued"}
            )
        ],
        "marks": [IndexModel("status", name="done", partialFilterExpression={"status": "done"})],
    },
    "portal": {"accounts": [], "history": [], "sessions": [IndexModel("expires", expireAfterSeconds=0)]},
}
"""What one service keeps beyond that."""

# A service may add to its log and to the versions of its master key, and never change them; everything else that it
# keeps can be made anew from the log, but for keys, which an erasure must be able to delete, and sessions.
ADDED_TO = {LOG, MASTERS}
READ, ADD, CHANGE = ("find", "listIndexes", "collStats"), ("insert",), ("update", "remove")
NOT_FOUND_USER, NOT_FOUND_ROLE = 11, 31
TOPIC_ALREADY_EXISTS = 36


async def topics(options: dict[str, Any], partitions: int = COMMON_PARTITIONS, replicas: int = 1) -> None:
    """Create the topics that are missing. `options`: an operator's, for aiokafka clients."""
    async with _admin(options) as admin:
        wanted = [_new(topic, partitions, replicas) for topic in TOPICS]
        answer: Any = await admin.create_topics(wanted)
        faults = [
            f"{name}: {reason}" for name, code, reason in answer.topic_errors if code not in (0, TOPIC_ALREADY_EXISTS)
        ]
        if faults:
            raise StackError("Kafka refused topics: " + "; ".join(faults))
        described = await _described(admin)
    counts = {topic["topic"]: len(topic["partitions"]) for topic in described}
    faults = [
        f"{topic.name} has {counts[topic.name]} partitions, not {topic.partitions or partitions}"
        for topic in TOPICS
        if counts[topic.name] != (topic.partitions or partitions)
    ]
    if faults:
        raise StackError("Kafka's topics: " + "; ".join(faults))


async def clear(
    options: dict[str, Any], mongo_url: str, partitions: int = COMMON_PARTITIONS, replicas: int = 1
) -> None:
    """Throw away every record and every document, and make the topics anew: an empty system on running servers."""
    async with AsyncMongoClient[dict[str, Any]](mongo_url) as client:
        for service in SERVICES:
            await client.drop_database(service)
    await databases(mongo_url)
    names = [topic.name for topic in TOPICS]
    async with _admin(options) as admin:
        await admin.delete_topics(names)
        while set(names) & set(await admin.list_topics()):
            await asyncio.sleep(0.1)
    await topics(options, partitions, replicas)


async def principals(options: dict[str, Any], passwords: dict[str, str]) -> None:
    """Allow every principal on Kafka what the table of topics says, nothing else; let those of `passwords` log in."""
    rules = [
        (acl.TOPIC, topic.name, name, operation)
        for topic in TOPICS
        for names, operation in ((topic.readers, acl.READ), (topic.writers, acl.WRITE))
        for name in names
    ]
    rules += [(acl.TOPIC, topic, name, acl.READ) for topic, name in LOOKS]
    rules += [(acl.GROUP, name, name, acl.READ) for name in SERVICES]
    logins = {name: passwords[name] for name in (*SERVICES, *OUTSIDE) if name in passwords}
    async with _admin(options) as admin:
        if logins:
            await acl.set_passwords(acl.by(admin), logins)
        await acl.allow(acl.by(admin), rules)


def collections(service: str) -> dict[str, list[IndexModel]]:
    """The collections of a service, each with its indexes."""
    own = OWN.get(service, {})
    return {name: [*COLLECTIONS.get(name, ()), *own.get(name, ())] for name in (*COLLECTIONS, *own)}


async def databases(mongo_url: str) -> None:
    """Create the collections and indexes that are missing, in the database of each service."""
    async with AsyncMongoClient[dict[str, Any]](mongo_url) as client:
        for service in SERVICES:
            database = client[service]
            there = set(await database.list_collection_names())
            for name, indexes in collections(service).items():
                if name not in there:
                    await database.create_collection(name)
                if indexes:
                    await database[name].create_indexes(indexes)


async def users(mongo_url: str, passwords: dict[str, str]) -> None:
    """Make a role for each service that opens its own database alone, where it may change all but what is `ADDED_TO`.

    Those of `passwords` get a user with that role.
    """
    async with AsyncMongoClient[dict[str, Any]](mongo_url) as client:
        for service in SERVICES:
            privileges: list[dict[str, Any]] = [
                {
                    "resource": {"db": service, "collection": name},
                    "actions": [*READ, *ADD, *(() if name in ADDED_TO else CHANGE)],
                }
                for name in collections(service)
            ]
            privileges += [
                {"resource": {"db": service, "collection": ""}, "actions": ["listCollections"]},
                # To warn when the lifetime of transactions is longer than it should be.
                {"resource": {"cluster": True}, "actions": ["getParameter"]},
            ]
            await _put(client, "Role", f"service_{service}", NOT_FOUND_ROLE, privileges=privileges, roles=[])
            if service in passwords:
                password, roles = passwords[service], [f"service_{service}"]
                await _put(client, "User", service, NOT_FOUND_USER, pwd=password, roles=roles)


async def _put(client: AsyncMongoClient[dict[str, Any]], kind: str, name: str, missing: int, **what: Any) -> None:
    try:
        await client.admin.command(f"update{kind}", name, **what)
    except OperationFailure as problem:
        if problem.code != missing:
            raise
        await client.admin.command(f"create{kind}", name, **what)


async def _described(admin: AIOKafkaAdminClient) -> list[dict[str, Any]]:
    """What Kafka knows of the topics, once it knows all of them: after creation a broker lags behind a little."""
    while True:
        described = await admin.describe_topics([topic.name for topic in TOPICS])
        if all(topic["partitions"] and not topic["error_code"] for topic in described):
            return described
        await asyncio.sleep(0.1)


def _new(topic: Topic, partitions: int, replicas: int) -> NewTopic:
    configs = {
        # An event that Kafka has taken must outlive the broker that took it, where there is more than one more.
        "min.insync.replicas": str(max(1, replicas - 1)),
        # The broker's time: `recorded_at` and the limit on `occurred_at` rely on it.
        "message.timestamp.type": "LogAppendTime",
        "cleanup.policy": "compact" if topic.compacted else "delete",
        "retention.ms": str(-1 if topic.retention_ms is None else topic.retention_ms),
    }
    return NewTopic(topic.name, topic.partitions or partitions, replicas, topic_configs=configs)


@asynccontextmanager
async def _admin(options: dict[str, Any]) -> AsyncGenerator[AIOKafkaAdminClient, None]:
    client = AIOKafkaAdminClient(**options)
    try:
        await client.start()
        yield client
    finally:
        await client.close()
