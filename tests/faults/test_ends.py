"""How a process ends, and what it refuses: on time, loudly, and never by skipping what it cannot take."""

import asyncio
import signal

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions
from aiokafka.admin.records_to_delete import RecordsToDelete

from deploy.cli import kafka
from tests.faults import truth
from tests.faults.launch import Fault
from tests.faults.limits import SMALL
from tests.faults.process import STOP_WITHIN
from tests.faults.waiting import until
from tests.faults.world import World

pytestmark = pytest.mark.asyncio(loop_scope="session")
chaos = pytest.mark.chaos


async def test_a_process_under_load_stops_in_time_and_the_next_one_goes_on(world: World) -> None:
    till = world.subject.traffic("load")
    process = world.process()
    await process.ready()
    sending = asyncio.create_task(world.send(till.next(3_000)))
    await process.says("FAULT|started|claimed")
    await process.stop()
    await sending
    await world.holds()


@chaos
@pytest.mark.parametrize("how", ["dies", "hangs"])
@pytest.mark.parametrize("which", ["brokers", "mongod"])
async def test_a_process_stops_in_time_while_a_server_is_away(world: World, which: str, how: str) -> None:
    till = world.subject.traffic("alone")
    process = world.process(Fault(limits=SMALL))
    await process.ready()
    server = getattr(world.stack, which)[0]
    await world.send(till.next(200))
    if how == "dies":
        await server.kill()
    else:
        server.freeze()
    try:
        process.signal(signal.SIGTERM)
        await process.ended(STOP_WITHIN)
    finally:
        server.thaw()
        server.start()
        await world.stack.ready()
    await world.holds()


@pytest.mark.parametrize(
    ("customers", "kills"), [(200, 1), pytest.param(2_000, 5, marks=[chaos, pytest.mark.timeout(300)])]
)
async def test_a_tick_that_was_interrupted_settles_everybody(world: World, customers: int, kills: int) -> None:
    till = world.subject.traffic("year")
    limits = SMALL | {"shared.runtime.chores:AT_ONCE": 10, "shared.runtime.chores:FLUSH_AT": 40}
    await world.send([till.one(f"year-{n}") for n in range(customers)])
    first = world.process(Fault(limits=limits))
    await world.quiet()
    await first.stop()

    await world.tick(world.subject.due)
    for nth in range(kills):
        await world.process(Fault("committed" if nth % 2 == 0 else "written", 3 + nth, limits=limits)).killed()
    await world.holds()


@chaos
async def test_a_comparison_that_was_interrupted_is_finished_by_the_next_owner(world: World) -> None:
    till, token = world.subject.traffic("compared"), world.stack.token("ops")
    limits = SMALL | {"shared.runtime.chores:AT_ONCE": 10}
    await world.send([till.one(f"compared-{n}") for n in range(200)])
    first = world.process(Fault("committed", 3, limits=limits), armed=False)
    await first.ready()
    await world.quiet()
    first.arm()
    place = await first.ask("/rebuild", {"compare": True}, token)
    await first.killed()
    second = world.process(Fault(limits=limits))
    await second.ready()
    answers = await second.answers(place, token)
    assert sum(answer["customers"] for answer in answers) == 200
    assert sum(answer["drifted"] for answer in answers) == 0
    await world.holds()


async def test_a_record_on_which_the_rules_raise_is_a_dead_letter_and_its_neighbours_count(world: World) -> None:
    till = world.subject.traffic("bug")
    world.bugs.add("cursed")
    cursed = till.one("bug-1", "cursed")
    await world.send([*till.next(30), cursed, *till.next(30)])
    process = world.process(Fault(bug="cursed"))
    await world.quiet()
    await world.holds()
    await process.stop()


@chaos
async def test_a_dead_letter_of_a_bug_counts_once_it_is_tried_again(world: World) -> None:
    _takes_outside_records(world)
    till = world.subject.traffic("mended")
    cursed = till.one("mended-1", "cursed")
    await world.send([*[till.one("mended-1") for _ in range(3)], cursed])
    broken = world.process(Fault(bug="cursed"))
    await world.quiet()
    await broken.stop()

    mended = world.process()
    await mended.ready()
    answers = await mended.operate("/dead-letters/retry", {}, world.stack.token("ops"))
    assert sum(answer["retried"] for answer in answers) == 1
    await world.quiet()
    as_if_nothing_had_been = world.subject.undisturbed(await world.inputs(), world.partitions, (), {})
    truth.events(await world.read(f"{world.subject.name}.events"), as_if_nothing_had_been, world.partitions)
    await world.no_drift(mended)


async def test_records_on_wrong_partitions_count_for_their_customers(world: World) -> None:
    _takes_outside_records(world)
    till = world.subject.traffic("stray")
    strays = [till.one(f"stray-{n}") for n in range(20)]
    await world.send([type(one)(one.topic, one.key, one.value, n % world.partitions) for n, one in enumerate(strays)])
    await world.process(Fault("committed", limits=SMALL)).killed()
    await world.process(Fault("published", limits=SMALL)).killed()
    await world.holds()


def _takes_outside_records(world: World) -> None:
    if not world.subject.service.inputs:
        pytest.skip("what services say is never astray, and no dead letter that could be tried again")


async def test_records_that_kafka_has_deleted_unread_stop_the_service(world: World) -> None:
    till = world.subject.traffic("gone")
    await world.send(till.next(80))
    first = world.process(Fault(limits=SMALL))
    await world.quiet()
    await first.stop()
    before = await world.stored()
    await world.send(till.next(80))
    topic, number, _ = await _delete(world)

    second = world.process(Fault(limits=SMALL))
    assert await second.ended() not in (0, -signal.SIGKILL)
    assert second.said(f"{topic}, partition {number}: the next record to read is "), second.last_words()
    now = await world.stored()
    assert now[number]["next"] == before[number]["next"], "an offset was moved"


async def test_records_that_kafka_deletes_under_a_slow_reader_stop_it(world: World) -> None:
    till = world.subject.traffic("going")
    process = world.process(Fault(limits=SMALL))
    await process.ready()
    await world.send(till.next(80))
    await world.quiet()
    process.freeze()
    await world.send(till.next(80))  # these may still answer the request that it has sent
    await world.send(till.next(80))
    topic, number, first = await _delete(world)
    process.thaw()

    assert await process.ended() not in (0, -signal.SIGKILL)
    assert process.said(topic), process.last_words()
    assert (await world.stored())[number]["next"][topic] < first, "it went on behind what is missing"


async def _delete(world: World) -> tuple[str, int, int]:
    """Delete records of one partition that were not read, as a retention that is too short does; the first left."""
    topic, number = world.subject.source, 2
    last = max(record.offset for record in await world.read(topic) if record.partition == number)
    admin = AIOKafkaAdminClient(**world.stack.kafka_options())
    await admin.start()
    try:
        await admin.delete_records({TopicPartition(topic, number): RecordsToDelete(last)})
    finally:
        await admin.close()
    return topic, number, last


async def test_topics_that_do_not_go_together_are_refused(world: World) -> None:
    admin = AIOKafkaAdminClient(**world.stack.kafka_options())
    await admin.start()
    try:
        await admin.create_partitions({f"{world.subject.name}.dead-letters": NewPartitions(world.partitions + 1)})
    finally:
        await admin.close()
    await until(lambda: _has_grown(world), "Kafka to know of the new partition")
    process = world.process()
    assert await process.ended() not in (0, -signal.SIGKILL)
    assert process.said("need the same number of partitions"), process.last_words()
    assert process.said(rf"{world.subject.name}\.dead-letters: {world.partitions + 1}"), process.last_words()


async def _has_grown(world: World) -> bool:
    counts = await kafka.partitions(world.stack.kafka_options())
    return counts[f"{world.subject.name}.dead-letters"] > world.partitions
