"""Whether the process does its work: readiness from the loop itself, and a watchdog that ends a process that hangs."""

import os
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from shared import log as logs
from shared.runtime import metrics

log = logs.get("health")
STUCK: Final = 60.0  # seconds without a turn of the loop; then only a new process helps
SLOW: Final = 10.0  # seconds without a turn; then it is not ready
EXIT_CODE: Final = 70


class Health:
    """What the loop says of itself. A turn counts also while it waits for a server that is away: that is no hang.

    `beside`: what work beside the loop adds to the details.
    """

    def __init__(self) -> None:
        self.turned_at = time.monotonic()
        self.committed_at: float | None = None
        self.programme = False
        self.assigned: int | None = None  # until Kafka has assigned for the first time
        self.owned = 0
        self.fences = 0
        self.unpublished = 0
        self.outage: str | None = None
        self.blocked: dict[str, str] = {}
        self.stopping = False
        self.beside: Callable[[], Mapping[str, Any]] = dict

    def turned(self) -> None:
        """The loop is alive."""
        self.turned_at = time.monotonic()

    def block(self, topic: str, partition: int, reason: str) -> None:
        """A partition waits for somebody to look at it."""
        self.blocked[f"{topic}/{partition}"] = reason
        metrics.BLOCKED.set(len(self.blocked))

    def unblock(self, partition: int) -> None:
        """This process has nothing to do any more with what waited on a partition number."""
        for place in [place for place in self.blocked if place.endswith(f"/{partition}")]:
            del self.blocked[place]
        metrics.BLOCKED.set(len(self.blocked))

    def live(self) -> tuple[bool, Mapping[str, Any]]:
        """No: only a new process helps."""
        age = time.monotonic() - self.turned_at
        return age < STUCK, {"loop_age_seconds": round(age, 1)}

    def ready(self) -> tuple[bool, Mapping[str, Any]]:
        """No: it must not get requests now; the details say why."""
        age = time.monotonic() - self.turned_at
        details: dict[str, Any] = {
            "programme": self.programme,
            "assigned": self.assigned,
            "claimed": self.owned,
            "loop_age_seconds": round(age, 1),
            "last_commit_age_seconds": None
            if self.committed_at is None
            else round(time.monotonic() - self.committed_at, 1),
            "fences": self.fences,
            "unpublished_batches": self.unpublished,
            "outage": self.outage,
            "blocked": self.blocked,
            **self.beside(),
        }
        fine = self.programme and self.owned == self.assigned and age < SLOW and self.outage is None
        return fine and not self.stopping, details

    def watch(self) -> None:
        """Start the watchdog, a thread, because what hangs may be the event loop."""
        threading.Thread(target=self._watch, name="watchdog", daemon=True).start()

    def _watch(self) -> None:
        while True:
            time.sleep(1)
            if not self.live()[0]:
                log.critical("the loop hangs; the process ends, so that another takes over", seconds=STUCK)
                os._exit(EXIT_CODE)
