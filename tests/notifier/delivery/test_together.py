"""Writes that go together do what each would have done alone, and each is told what became of its own."""

import asyncio
from collections.abc import Sequence

import pytest

from services.notifier.delivery.together import Together

COUNT = 700  # more than go in one write


class Written:
    """Takes a while; even numbers are found, and 13 is more than it can bear."""

    def __init__(self) -> None:
        self.some: list[list[int]] = []

    async def __call__(self, some: Sequence[int]) -> list[bool]:
        self.some.append(list(some))
        await asyncio.sleep(0.01)
        if 13 in some:
            raise ArithmeticError
        return [number % 2 == 0 for number in some]


async def test_what_comes_while_a_write_is_under_way_goes_together_and_each_gets_its_own_answer() -> None:
    written = Written()
    together = Together(written)
    numbers = [number for number in range(COUNT) if number != 13]
    first = asyncio.create_task(together.do(2))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert await asyncio.gather(*(together.do(number) for number in numbers)) == [not each % 2 for each in numbers]
    assert await first
    assert [len(some) for some in written.some] == [1, 500, COUNT - 501]
    assert await together.do(4)


async def test_an_error_reaches_everybody_whose_write_it_was_and_the_next_write_works() -> None:
    together = Together(Written())
    found = await asyncio.gather(together.do(12), together.do(13), return_exceptions=True)
    assert [type(each) for each in found] == [ArithmeticError, ArithmeticError]
    assert await together.do(14)


async def test_who_has_gone_does_not_keep_neighbours_from_theirs() -> None:
    together = Together(Written())
    tasks = [asyncio.create_task(together.do(number)) for number in (1, 2)]
    await asyncio.sleep(0.005)
    tasks[0].cancel()
    assert await tasks[1]
    with pytest.raises(asyncio.CancelledError):
        await tasks[0]
