"""A request waits for the answer of its partition's writer, wherever that runs; on a real MongoDB."""

import asyncio
import uuid
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from deploy.local.stack import Stack
from shared.mongo import Mongo
from shared.runtime.commands import Waiting
from shared.runtime.owned import ANSWERS

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(60)]
HERE, ELSEWHERE = 7, 8
ANSWER = {"sender": "s", "fingerprint": "f", "status": 200, "body": None}


@pytest_asyncio.fixture
async def mongo(stack: Stack) -> AsyncIterator[Mongo]:
    name = f"waiting-{uuid.uuid4().hex[:8]}"
    opened = Mongo(stack.mongo_url(), name)
    try:
        yield opened
    finally:
        await opened.database.client.drop_database(name)
        await opened.close()


async def hears(mongo: Mongo, partition: int) -> None:
    """Wait for an answer that another process stores meanwhile."""
    waiting, identity = Waiting(mongo), f"{partition:02d}-{uuid.uuid4().hex}"
    waiting.here = {HERE}
    asking = asyncio.create_task(waiting.wait(identity, 5))
    await asyncio.sleep(0.1)
    await mongo.insert_missing(ANSWERS, {"_id": identity, **ANSWER})
    answer = await asking
    assert answer is not None
    assert answer["_id"] == identity


async def test_the_answer_of_another_process_is_heard_of(mongo: Mongo):
    await hears(mongo, ELSEWHERE)


async def test_an_answer_stored_before_its_partition_came_here_is_heard_of(mongo: Mongo):
    await hears(mongo, HERE)


async def test_nobody_answers(mongo: Mongo):
    waiting = Waiting(mongo)
    assert await waiting.wait(f"{ELSEWHERE:02d}-{uuid.uuid4().hex}", 0.2) is None
