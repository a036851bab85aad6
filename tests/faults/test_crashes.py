"""A process that is killed: nothing is lost and nothing counts twice, wherever in a batch it happens."""

import pytest

from tests.faults.launch import Fault
from tests.faults.world import World

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_a_process_that_nobody_disturbs_counts_everything_once(world: World) -> None:
    till = world.subject.traffic("calm")
    await world.send(till.next(300))
    await world.process().ready()
    await world.quiet()
    await world.holds()
