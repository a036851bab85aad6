"""Partitions that change hands: whoever loses one writes nothing any more, whatever it was doing."""

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from deploy.cli.kafka import started
from shared.runtime.inbox import Inbox
from tests.faults.launch import Fault
from tests.faults.limits import ALERT, SMALL, TIGHT
from tests.faults.waiting import until
from tests.faults.world import World

pytestmark = pytest.mark.asyncio(loop_scope="session")
chaos = pytest.mark.chaos


@pytest.mark.parametrize("limits", [SMALL, pytest.param(TIGHT, marks=chaos)], ids=["short session", "full session"])
async def test_a_process_killed_as_it_gives_partitions_away_loses_nothing(
    world: World, limits: dict[str, float]
) -> None:
    till = world.subject.traffic("leaving")
    first = world.process(Fault("revoked", limits=limits), armed=False)
    await first.ready()
    await world.send(till.next(60))
    first.arm()
    world.process(Fault(limits=limits))
    await world.send(till.next(60))
    await first.killed()
    await world.holds()


@chaos
@pytest.mark.parametrize("step", ["assigned", "claiming", "claimed"])
async def test_a_process_killed_as_it_takes_partitions_over_loses_nothing(world: World, step: str) -> None:
    till = world.subject.traffic("arriving")
    first = world.process(Fault(limits=SMALL))
    await first.ready()
    await world.send(till.next(60))
    second = world.process(Fault(step, limits=SMALL))
    await world.send(till.next(60))
    await second.killed()
    await world.send(till.next(60))
    await world.holds()


@pytest.mark.parametrize(
    ("step", "limits"),
    [
        ("written", SMALL),
        *(pytest.param(step, SMALL, marks=chaos) for step in ("swapped", "committed", "publishing", "published")),
        pytest.param("written", TIGHT, marks=chaos),
    ],
)
async def test_an_owner_that_was_frozen_past_its_session_gives_way(
    world: World, step: str, limits: dict[str, float]
) -> None:
    till = world.subject.traffic("frozen")
    first = world.process(Fault(step, do="freeze", limits=limits), armed=False)
    second = world.process(Fault(limits=limits))
    await first.ready()
    await second.ready()
    await world.send(till.next(80))
    await world.quiet()

    first.arm()
    await world.send(till.next(80))
    await first.frozen()
    await world.send(till.next(80))
    await world.quiet()  # by the second alone, for all partitions
    before = await _generations(world)
    first.thaw()
    if step in ("written", "swapped"):
        await first.says("somebody else has claimed a partition")

    await world.send(till.next(80))
    await world.quiet()
    assert not _back(before, await _generations(world))
    await world.holds()


async def test_an_owner_that_was_frozen_before_its_swap_cannot_write(world: World) -> None:
    """Its batch leaves no document but the partition's, so the swap alone can refuse it."""
    till = world.subject.traffic("zombie")
    first = world.process(Fault("prepared", do="freeze", limits=SMALL), armed=False)
    await first.ready()
    known = [till.one(f"zombie-{n}") for n in range(20)]
    await world.send(known)
    await world.quiet()

    first.arm()
    await world.send(known)
    await first.frozen()
    second = world.process(Fault(limits=SMALL))
    await second.ready()
    await world.send(till.next(60))
    await world.quiet()
    before = await _generations(world)
    first.thaw()

    async def done() -> bool:
        return first.said("somebody else has claimed a partition") or _back(before, await _generations(world))

    await until(done, "the frozen owner to try its commit")
    assert not _back(before, await _generations(world)), "owners: one that had lost its partition wrote its document"
    await world.holds()


async def test_what_kafka_knows_of_offsets_counts_for_nothing(world: World) -> None:
    """A rebalance in the middle of a turn: records from where the group's offset stands must not be taken."""
    till = world.subject.traffic("group")
    await world.send([till.one(f"group-{n % 40}") for n in range(200)])
    await _show_kafka(world, short_of_the_end=5)
    limits = TIGHT | ALERT | {"shared.runtime.lookout:EVERY": 60}  # nobody may tell Kafka better meanwhile
    first = world.process(Fault("fetching", do="hold", limits=limits))
    await first.says("FAULT hold")
    second = world.process(Fault(limits=limits))
    await second.ready()
    await world.holds()


@pytest.mark.chaos
@pytest.mark.timeout(300)
async def test_processes_may_come_and_go_under_load(world: World) -> None:
    till = world.subject.traffic("crowd")
    members = [world.process(Fault(limits=SMALL))]
    for turn in range(8):
        await world.send(till.next(100))
        members.append(world.process(Fault(limits=SMALL)))
        await members[-1].ready()
        await world.send(till.next(100))
        if turn % 2:
            await members.pop(0).stop()
        else:
            await members.pop(0).kill()
    await world.holds()


async def _generations(world: World) -> dict[int, tuple[int, int]]:
    return {number: (each["epoch"], each["batch"]) for number, each in (await world.stored()).items()}


def _back(before: dict[int, tuple[int, int]], now: dict[int, tuple[int, int]]) -> bool:
    """Whether a partition's document is older than it was: epochs and batches only grow."""
    return any(now[number][0] < epoch or now[number][1] < batch for number, (epoch, batch) in before.items())


async def _show_kafka(world: World, short_of_the_end: int) -> None:
    """Let the group's offsets say that nearly everything was read, on all topics: without one, the client has none."""
    topics = Inbox(world.subject.service).topics
    consumer = AIOKafkaConsumer(**world.stack.kafka_options(), group_id=world.subject.name, enable_auto_commit=False)
    async with started(consumer):
        places = [TopicPartition(topic, number) for topic in topics for number in range(world.partitions)]
        consumer.assign(places)
        ends = await consumer.end_offsets(places)
        await consumer.commit({place: max(0, end - short_of_the_end) for place, end in ends.items()})
