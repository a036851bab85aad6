"""How fast a channel sends: a bucket for its rate, and pauses that grow while its provider is away."""

import asyncio
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from services.notifier.delivery import metrics

FIRST: Final = 1.0  # seconds of the first pause; each is twice the one before
LONGEST: Final = 60.0  # seconds; a provider that is back is noticed after a minute


class Bucket:
    """Lets so many pass a second, one after the other; what was not used is kept for a tenth of a second."""

    def __init__(self, rate: float, now: Callable[[], float] = time.monotonic) -> None:
        """`now`: seconds that only grow."""
        self._step, self._now = 1 / rate, now
        self._next = now()

    async def take(self) -> None:
        """Wait until it is our turn."""
        now = self._now()
        self._next = max(self._next, now - 0.1) + self._step
        if self._next > now:
            await asyncio.sleep(self._next - now)


class Pause:
    """Whether a provider takes messages. While it does not, one message at a time is tried, ever less often."""

    def __init__(self, channel: str, clock: Callable[[], datetime]) -> None:
        self._channel, self._clock = channel, clock
        self._length = 0.0
        self._until: datetime | None = None

    @property
    def away(self) -> bool:
        """Whether the last attempt found no provider."""
        return self._until is not None

    @property
    def waiting(self) -> bool:
        """Whether not even one attempt is to be made now."""
        return self._until is not None and self._clock() < self._until

    def fails(self, after_s: float | None) -> float:
        """The provider did not take a message; the seconds until it is tried again. `after_s`: what it asked for."""
        if not self.waiting:  # of those that were on their way together, the first counts
            self._length = min(LONGEST, self._length * 2 or FIRST)
            self._until = self._clock() + timedelta(seconds=max(self._length, after_s or 0))
            metrics.PAUSED.labels(self._channel).set(1)
        return self._length

    def works(self) -> None:
        """It took one."""
        if self._until is not None:
            self._length, self._until = 0.0, None
            metrics.PAUSED.labels(self._channel).set(0)
