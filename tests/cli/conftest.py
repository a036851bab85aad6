"""Topics of a test's own, so that it may publish programmes and move the clock."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any
from uuid import uuid4

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from deploy.cli import clock, deadletters, kafka, programme
from deploy.local.stack import Stack

NewTopicOf = Callable[[int], Coroutine[Any, Any, str]]


@pytest.fixture
async def new_topic(stack: Stack) -> AsyncIterator[NewTopicOf]:
    """Makes a topic with so many partitions; it is gone after the test."""
    admin = AIOKafkaAdminClient(**stack.kafka_options())
    await admin.start()
    made: list[str] = []

    async def make(partitions: int) -> str:
        name = f"test-{uuid4().hex}"
        await admin.create_topics([NewTopic(name, partitions, 1)])
        made.append(name)
        while name not in await kafka.partitions(stack.kafka_options()):  # a broker hears of it from the controller
            await asyncio.sleep(0.05)
        return name

    yield make
    await admin.delete_topics(made)
    await admin.close()


@pytest.fixture
async def own_topics(new_topic: NewTopicOf, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """A clock, a programme and dead letters that no other test sees, in place of the system's."""
    names = {"clock": await new_topic(3), "programme": await new_topic(1), "dead-letters": await new_topic(2)}
    monkeypatch.setattr(clock, "CLOCK", names["clock"])
    monkeypatch.setattr(programme, "PROGRAMME", names["programme"])
    monkeypatch.setattr(deadletters, "dead_letters_topic", lambda _service: names["dead-letters"])  # pyright: ignore[reportUnknownLambdaType]
    return names
