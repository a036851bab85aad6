"""How often a customer may ask: a token bucket for each, in bounded memory."""

import math
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from shared.http.problems import Problem

RATE: Final = 10.0  # requests a second that go on for ever; a status page asks for three or four
BURST: Final = 100.0  # requests at once
SUBJECTS: Final = 10_000  # remembered; whoever has not asked for longest is forgotten, and starts with a full bucket


class Limits:
    """What is left in the bucket of each subject."""

    def __init__(self, rate: float = RATE, burst: float = BURST, clock: Callable[[], float] = time.monotonic) -> None:
        """`rate`: requests a second; `burst`: requests at once; `clock`: seconds."""
        self._rate, self._burst, self._clock = rate, burst, clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, subject: str) -> None:
        """Count one request; raises `rate-limited` with the whole seconds until the next one is allowed."""
        now = self._clock()
        left, at = self._buckets.pop(subject, (self._burst, now))
        left = min(self._burst, left + (now - at) * self._rate)
        allowed = left >= 1
        self._buckets[subject] = (left - 1 if allowed else left, now)
        if len(self._buckets) > SUBJECTS:
            self._buckets.popitem(last=False)
        if not allowed:
            wait = math.ceil((1 - left) / self._rate)
            raise Problem("rate-limited", "Ask less often", headers={"Retry-After": str(wait)})
