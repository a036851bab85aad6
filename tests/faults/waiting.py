"""Waiting for a condition, with a message that says which one did not come."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable


async def until(condition: Callable[[], bool | Awaitable[bool]], what: str, within: float = 60) -> None:
    """Return when the condition holds; fails, saying `what`, when it does not within so many seconds."""
    try:
        async with asyncio.timeout(within):
            while True:
                found = condition()
                if await found if inspect.isawaitable(found) else found:
                    return
                await asyncio.sleep(0.03)
    except TimeoutError:
        raise AssertionError(f"waited {within:.0f} s in vain for {what}") from None
