"""A process that is killed: nothing is lost and nothing counts twice, wherever in a batch it happens."""

import asyncio
import signal

import pytest

from tests.faults.launch import Fault
from tests.faults.limits import SMALL
from tests.faults.subject import Sent
from tests.faults.world import World

pytestmark = pytest.mark.asyncio(loop_scope="session")

STEPS = ("prepared", "swapped", "written", "committed", "publishing", "published")


async def test_a_process_that_nobody_disturbs_counts_everything_once(world: World) -> None:
    till = world.subject.traffic("calm", 150)
    await world.send(till.next(4_000))
    process = world.process(Fault(limits=SMALL))
    await world.quiet()
    await world.holds()
    await process.stop()


async def test_a_process_killed_at_each_step_of_a_batch_loses_nothing_and_counts_nothing_twice(world: World) -> None:
    till = world.subject.traffic("steps")
    for step in STEPS:
        await world.send(till.next(40))
        await world.process(Fault(step, limits=SMALL)).killed()
    await world.holds()


async def test_events_of_a_batch_whose_owner_died_before_publishing_come_before_later_ones(world: World) -> None:
    till = world.subject.traffic("owed")
    await world.send(till.next(40))
    await world.process(Fault("committed", limits=SMALL)).killed()
    await world.send(till.next(40))
    await world.process(Fault("prepared", limits=SMALL)).killed()
    published = {(record.value or b"") for record in await world.read(f"{world.subject.name}.events")}
    assert published, "the next owner took records before it published what the last one had stored"
    await world.holds()


async def test_purchases_that_have_left_a_head_are_known_when_they_come_again(world: World) -> None:
    till = world.subject.traffic("archive")
    limits = SMALL | {"shared.runtime.loop:SLICE": 10}  # heads overflow in the middle of a batch, too
    sales = [till.one("archive-1") for _ in range(200)]
    await world.send(sales[:130])
    await world.process(Fault("committed", 2, limits=limits)).killed()
    await world.send(sales[100:])
    await world.process(Fault("written", limits=limits)).killed()
    await world.send([*sales[::7], *map(till.about, sales[3:200:20]), *sales[1::9]])
    await world.holds()


@pytest.mark.parametrize(
    ("since", "every"),
    [
        ("batch", 24),
        pytest.param("batch", 1, marks=[pytest.mark.chaos, pytest.mark.timeout(1200)]),
        pytest.param("claim", 1, marks=[pytest.mark.chaos, pytest.mark.timeout(1200)]),
    ],
)
async def test_a_process_may_be_killed_wherever_it_waits(world: World, since: str, every: int) -> None:
    till = world.subject.traffic("anywhere")
    nth = 1
    while await _dies(world, till.next(40), Fault(since, nth, limits=SMALL)):
        nth += every
    print(f"{since}: killed at every {every}. of {nth} suspensions")
    assert nth > 24, "the fault was not reached"
    await world.holds()


async def _dies(world: World, records: list[Sent], fault: Fault) -> bool:
    """Whether a process with that fault dies of it, rather than taking all records."""
    await world.send(records)
    if fault.at == "claim":  # something must be left to publish
        await world.process(Fault("committed", limits=SMALL)).killed()
    process = world.process(fault)
    ended, quiet = asyncio.create_task(process.ended()), asyncio.create_task(world.quiet())
    await asyncio.wait({ended, quiet}, return_when=asyncio.FIRST_COMPLETED)
    ended.cancel()
    if not quiet.cancel():
        quiet.result()
    process.signal(signal.SIGTERM)
    code = await process.ended()
    assert code in (0, -signal.SIGKILL), f"it ended with {code}"
    return code != 0
