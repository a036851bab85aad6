"""A notifier that is killed or frozen around a send: the message arrives, and a second time only where it must.

Between the moment in which the mail server has taken a message and that in which this is stored, nobody but the dead
process knows. So the next one sends it again, under the same Message-ID, and counts that.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest
import pytest_asyncio

from deploy.local.stack import Stack
from tests.faults.process import Nursery, Process, nursery
from tests.faults.stack import PARTITIONS
from tests.faults.waiting import until
from tests.notifier.delivery.house import MODULE, House, house
from tests.notifier.delivery.stand import when

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(240)]
chaos = pytest.mark.chaos

# Where a process dies: how many mails there are in the end, and how many of them are counted as sent again.
POINTS = {
    "taking": (1, 0),
    "taken": (1, 1),
    "handing": (1, 1),
    "handed": (2, 1),
    "keeping": (2, 1),
    "kept": (1, 0),
    "told": (1, 0),
}
HALF_WAY = [point for point, (_, counted) in POINTS.items() if counted]


@pytest.fixture(scope="module")
def its_nursery() -> Iterator[Nursery]:
    with nursery(MODULE) as found:
        yield found


@pytest_asyncio.fixture(loop_scope="session")
async def the_house(own_stack: Stack, its_nursery: Nursery, tmp_path: Path) -> AsyncIterator[House]:
    async with house(own_stack, its_nursery, tmp_path) as made:
        yield made


async def dies(the_house: House, process: Process, *customers: str) -> None:
    """The process is armed, has messages to send to these customers, and dies of it."""
    process.arm()
    await the_house.promoted(*customers)
    await process.killed()


def check(the_house: House, customer: str, copies: int, where: str) -> None:
    """So many mails have arrived, and nobody can take them for two messages."""
    ids = [mail["Message-ID"] for mail in the_house.mails(customer)]
    assert len(ids) == copies, f"{where}: {len(ids)} mails arrived, not {copies}"
    assert len(set(ids)) == 1, f"{where}: the second has another Message-ID"


async def test_a_process_killed_at_each_point_around_a_send_repeats_at_most_one_mail(the_house: House) -> None:
    customers = {point: f"c-{point}" for point in POINTS}
    await the_house.known(*customers.values())
    process = the_house.process(next(iter(POINTS)), armed=False)
    for point, following in pairwise([*POINTS, ""]):
        await process.ready()
        await dies(the_house, process, customers[point])
        process = the_house.process(following, armed=False)
        await the_house.sent(process, customers[point])
        copies, counted = POINTS[point]
        check(the_house, customers[point], copies, point)
        assert await the_house.repeats(process) == counted, point


@chaos
@pytest.mark.parametrize("first", HALF_WAY)
@pytest.mark.parametrize("second", POINTS)
async def test_the_next_process_may_be_killed_as_well(the_house: House, first: str, second: str) -> None:
    await the_house.known("c-1")
    process = the_house.process(first, armed=False)
    await process.ready()
    await dies(the_house, process, "c-1")
    await the_house.process(second).killed()
    process = the_house.process()
    await the_house.sent(process, "c-1")
    check(the_house, "c-1", POINTS[first][0] + POINTS[second][0] - 1, f"{first}, {second}")
    assert await the_house.repeats(process) == POINTS[second][1]


@pytest.mark.parametrize(
    ("point", "nth"), [("handed", 6), *(pytest.param(point, nth, marks=chaos) for point in POINTS for nth in (2, 11))]
)
async def test_a_process_killed_amid_a_pile_loses_none_and_counts_all_that_it_repeats(
    the_house: House, point: str, nth: int
) -> None:
    pile = [f"c-{number}" for number in range(12)]
    await the_house.known(*pile)
    process = the_house.process(point, nth, armed=False)
    await process.ready()
    await dies(the_house, process, *pile)
    process = the_house.process()
    await the_house.sent(process, *pile)
    copies = {name: len(the_house.mails(name)) for name in pile}
    assert set(copies.values()) <= {1, 2}, copies
    for name in pile:
        check(the_house, name, copies[name], name)
    again = sum(copies.values()) - len(pile)
    assert again <= await the_house.repeats(process) <= len(pile)


@pytest.mark.parametrize("point", ["handed", "kept", pytest.param("keeping", marks=chaos)])
async def test_a_message_that_changes_in_the_hands_of_a_process_that_dies_is_sent_again_and_counted_as_any_other(
    the_house: House, point: str
) -> None:
    await the_house.known("c-1")
    first, moment = the_house.process(point, do="hold"), when(timedelta(seconds=10))
    await first.ready()
    await the_house.unlocked("c-1", "alpha", moment)
    await first.says(f"FAULT hold at {point}")
    await the_house.unlocked("c-1", "beta", moment)
    await the_house.changed()
    await first.kill()
    second = the_house.process()
    copies, counted = POINTS[point]
    sent = "sent benefit_unlocked/email None"
    rest = [] if counted else ["queued benefit_unlocked/email cap"]  # what the mail did not say yet
    await the_house.shows(second, ["c-1"], *rest, sent)
    check(the_house, "c-1", copies, point)
    assert await the_house.repeats(second) == counted


async def frozen(the_house: House, point: str) -> tuple[Process, Process]:
    """A process that has frozen there, with a message to c-1; and the one that has taken its partitions over."""
    await the_house.known("c-1", "c-2")
    first = the_house.process(point, do="freeze", armed=False)
    await first.ready()
    first.arm()
    await the_house.promoted("c-1")
    await first.frozen()
    second = the_house.process()
    await the_house.sent(second, "c-1")
    return first, second


async def share(*processes: Process) -> None:
    """Return when each of these has partitions of its own."""

    async def all_have_some() -> bool:
        found = [await each.health() for each in processes]
        return all(0 < one.get("assigned", 0) == one["claimed"] < PARTITIONS for one in found)

    await until(all_have_some, "the processes to share the partitions")


async def awake(the_house: House, first: Process, second: Process) -> None:
    """The first process goes on where it froze, and is back: both have partitions, and what is new is sent."""
    first.thaw()
    await share(first, second)
    await the_house.promoted("c-2")
    await the_house.sent(second, "c-2")
    check(the_house, "c-2", 1, "after both are back")


async def test_an_owner_that_loses_partitions_while_it_sends_says_what_became_of_it(the_house: House) -> None:
    names = [f"c-{number}" for number in range(12)]
    await the_house.known(*names)
    first = the_house.process()
    await first.ready()
    the_house.server.holds.clear()
    await the_house.promoted(*names)
    await until(lambda: len(the_house.server.held) == len(names), "the server to have the mails")
    second = the_house.process(patience=60)
    await share(first, second)
    await asyncio.sleep(1)  # the second one without patience would have sent them again by now
    the_house.server.holds.set()
    await the_house.sent(second, *names)
    for name in names:
        check(the_house, name, 1, name)
    assert await the_house.repeats(first) == await the_house.repeats(second) == 0


async def test_an_owner_that_was_frozen_with_a_message_in_hand_does_not_send_it_a_second_time(
    the_house: House,
) -> None:
    first, second = await frozen(the_house, "taking")
    await awake(the_house, first, second)
    check(the_house, "c-1", 1, "taking")
    assert await the_house.repeats(first) == await the_house.repeats(second) == 0


@pytest.mark.parametrize(
    "point", ["handing", *(pytest.param(each, marks=chaos) for each in HALF_WAY if each != "handing")]
)
async def test_an_owner_that_was_frozen_while_it_sent_makes_one_repeat_that_is_counted(
    the_house: House, point: str
) -> None:
    first, second = await frozen(the_house, point)
    await awake(the_house, first, second)
    await until(lambda: len(the_house.mails("c-1")) > 1, "the first process to go on")
    check(the_house, "c-1", 2, point)
    assert (await the_house.repeats(first), await the_house.repeats(second)) == (0, 1)
    await the_house.sent(second, "c-1")
