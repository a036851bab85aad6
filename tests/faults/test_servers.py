"""Kafka and MongoDB that die, freeze and lose messages: the service waits, finds out, and goes on by itself."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Literal

import pytest
import pytest_asyncio
from pymongo.errors import AutoReconnect, NotPrimaryError

from deploy.local.servers import Server
from shared.settings import PREFIX
from tests.faults.launch import Fault
from tests.faults.limits import TIGHT
from tests.faults.process import Nursery
from tests.faults.proxy import proxy
from tests.faults.stack import PARTITIONS, passing
from tests.faults.subject import Sent, Subject
from tests.faults.waiting import until
from tests.faults.world import World, opened

pytestmark = pytest.mark.asyncio(loop_scope="session")
chaos = pytest.mark.chaos
MONGO_URL = f"{PREFIX}MONGO_URL"


@pytest.mark.parametrize("side", ["reply", pytest.param("request", marks=chaos)])
@pytest.mark.parametrize("times", [pytest.param(1, marks=chaos), 4])
async def test_a_commit_whose_outcome_is_lost_counts_once(
    world: World, side: Literal["reply", "request"], times: int
) -> None:
    await _loses(world, "commitTransaction", side, times)


@chaos
@pytest.mark.parametrize("side", ["reply", "request"])
@pytest.mark.parametrize("command", ["update", "insert", "find", "findAndModify"])
async def test_a_batch_whose_messages_are_lost_counts_once(
    world: World, command: str, side: Literal["reply", "request"]
) -> None:
    await _loses(world, command, side, 2)


async def _loses(world: World, command: str, side: Literal["reply", "request"], times: int) -> None:
    till = world.subject.traffic(f"lost-{command}")
    async with proxy() as between:
        url = between.instead_of(world.stack.mongo_url(world.subject.name, world.subject.name))
        process = world.process(Fault(limits=TIGHT), environment={MONGO_URL: url})
        if command != "findAndModify":
            await process.ready()
        await world.send(till.next(40))
        between.lose, between.side, between.times = command, side, times
        await world.send(till.next(80))
        await until(lambda: between.lost == times, f"{times} messages to be lost")
        await world.send(till.next(40))
        await world.quiet()
        await world.holds()
        await process.stop()


async def test_a_broker_that_dies_and_comes_back_loses_nothing_and_doubles_nothing(world: World) -> None:
    await _through(world, world.stack.brokers[0])


@chaos
async def test_a_mongod_that_dies_and_comes_back_loses_nothing(world: World) -> None:
    await _through(world, world.stack.mongod[0])


@chaos
@pytest.mark.parametrize("which", ["brokers", "mongod"])
async def test_a_server_that_is_frozen_for_a_while_is_waited_for(world: World, which: str) -> None:
    server: Server = getattr(world.stack, which)[0]
    async with _streaming(world, 600):
        try:
            server.freeze()
            await asyncio.sleep(15)  # longer than the session
        finally:
            server.thaw()
        await world.stack.ready()


async def _through(world: World, server: Server) -> None:
    async with _streaming(world, 600):
        await until(lambda: _begun(world), "some records to be taken")
        await server.kill()
        server.start()
        await world.stack.ready()


@asynccontextmanager
async def _streaming(world: World, records: int) -> AsyncGenerator[None]:
    """Something happens while records stream in: one process sees it through, and nothing is lost or doubled."""
    till = world.subject.traffic("outage")
    process = world.process(Fault(limits=TIGHT))
    await process.ready()
    sending = asyncio.create_task(_stream(world, till.next(records)))
    yield
    await sending
    await world.quiet()
    assert process.running, "the process had to be started again"
    await world.holds()
    await process.stop()


async def _begun(world: World) -> bool:
    return any(each["batch"] > 1 for each in (await world.stored()).values())


async def _stream(world: World, records: Sequence[Sent]) -> None:
    for at in range(0, len(records), 60):
        await world.send(records[at : at + 60])


@pytest_asyncio.fixture(loop_scope="session")
async def three(subject: Subject, its_nursery: Nursery, tmp_path: Path) -> AsyncIterator[World]:
    """A world whose MongoDB has three members."""
    async with (
        passing(tmp_path / "stack", partitions=PARTITIONS, mongo_nodes=3) as stack,
        opened(subject, stack, its_nursery, tmp_path) as found,
    ):
        yield found


@chaos
@pytest.mark.timeout(300)
@pytest.mark.parametrize("how", ["steps down", "dies"])
async def test_another_primary_goes_on_where_the_last_one_was(three: World, how: str) -> None:
    async with _streaming(three, 900):
        await until(lambda: _begun(three), "some records to be taken")
        hello = await three.database.command("hello")
        if how == "dies":
            port = int(hello["me"].rpartition(":")[2])
            assert three.stack.layout is not None
            await three.stack.mongod[three.stack.layout.mongo.index(port)].kill()
        else:
            with suppress(AutoReconnect, NotPrimaryError):  # it cuts all connections
                await three.database.client.admin.command({"replSetStepDown": 20})
