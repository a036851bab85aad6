"""Runs a service with one fault built in. It adds to the code only what a test cannot do from outside: to end or
freeze the process at an exact place.
"""

import asyncio
import importlib
import inspect
import os
import runpy
import signal
import sys
from collections.abc import Callable, Coroutine, Generator
from dataclasses import dataclass, field
from functools import wraps
from pathlib import Path
from typing import Any

from shared.contracts.records import Record

SLOW = 1.5  # seconds that a loop is held after a rebalance: records that leak have long come by then


@dataclass
class Fault:
    """What goes wrong in a process.

    `at`: a name in `POINTS`, or `batch`, `claim`: any suspension from there on (see `_count`); `nth`: which time.
    `do`: `kill`, `freeze`, or `hold`: until the next rebalance is over. `armed`: a file; nothing happens, and nothing
    counts, before it exists. `limits`: constants to replace, by `module:NAME`. `bug`: the rules raise on records whose
    text holds this.
    """

    at: str = ""
    nth: int = 1
    do: str = "kill"
    armed: str = ""
    limits: dict[str, float] = field(default_factory=dict[str, float])
    bug: str = ""


# Before or after a call, from the first time on that it has something to do.
POINTS = {
    "prepared": ("before", "shared.runtime.store:Store.commit"),
    "swapped": ("after", "shared.mongo:Session.swap"),
    "written": ("before", "shared.mongo:Session.commit"),
    "committed": ("after", "shared.runtime.store:Store.commit"),
    "published": ("after", "shared.runtime.publisher:Publisher.publish"),
    "publishing": ("before", "shared.runtime.publisher:Publisher.publish"),
    "noted": ("after", "shared.runtime.loop:Loop._note"),
    "claiming": ("before", "shared.runtime.claims:Claims._claim"),
    "claimed": ("after", "shared.runtime.store:Store.claim"),
    "revoked": ("before", "shared.runtime.claims:Listener.on_partitions_revoked"),
    "assigned": ("after", "shared.runtime.claims:Listener.on_partitions_assigned"),
    "fetching": ("before", "shared.runtime.intake:Intake.fetch"),
    # Around a message of the notifier that is handed to a mail server.
    "taking": ("before", "services.notifier.delivery.outbox:Outbox.begin"),
    "taken": ("after", "services.notifier.delivery.outbox:Outbox.begin"),
    "handing": ("before", "aiosmtplib:SMTP.data"),
    "handed": ("after", "aiosmtplib:SMTP.data"),
    "keeping": ("before", "services.notifier.delivery.outbox:Outbox.end"),
    "kept": ("after", "services.notifier.delivery.outbox:Outbox.end"),
    "told": ("after", "services.notifier.delivery.line:tell"),
}


WINDOWS = {
    "batch": ("shared.runtime.loop:Loop._prepare", "shared.runtime.loop:Loop._note"),
    "claim": ("shared.runtime.claims:Claims._claim", "shared.runtime.loop:Loop._prepare"),
}


class Trigger:
    """Counts what happens, and lets the fault happen when it is time."""

    def __init__(self, fault: Fault) -> None:
        self._fault, self._left = fault, fault.nth
        self.rebalanced = asyncio.Event()

    def reached(self) -> bool:
        """The place was reached; whether it is time. Kills and freezes at once."""
        if self._left <= 0 or not Path(self._fault.armed).exists():
            return False
        self._left -= 1
        if self._left:
            return False
        print(f"FAULT {self._fault.do} at {self._fault.at} {self._fault.nth}", flush=True)
        if self._fault.do == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if self._fault.do == "freeze":
            os.kill(os.getpid(), signal.SIGSTOP)
        return True

    async def here(self) -> None:
        """The same, for `hold`, too."""
        if self.reached() and self._fault.do == "hold":
            self.rebalanced.clear()
            await self.rebalanced.wait()
            await asyncio.sleep(SLOW)


def run(module: str, fault: Fault) -> None:
    """Run the module as `python -m` does, with that fault."""
    trigger = Trigger(fault)
    for name, value in fault.limits.items():
        _set(name, value)
    if fault.bug:
        _spoil(module, fault.bug)
    if fault.at in POINTS:
        when, name = POINTS[fault.at]
        _wrap(name, lambda call: _around(call, trigger, before=when == "before"))
        _wrap("shared.runtime.claims:Listener.on_partitions_assigned", lambda call: _after(call, trigger))
    elif fault.at:
        _count(trigger, fault.at)
    sys.argv = [module]
    del sys.modules[module]  # imported ahead; it must run anew, as the main module
    runpy.run_module(module, run_name="__main__", alter_sys=True)


Call = Callable[..., Coroutine[Any, Any, Any]]


def _around(call: Any, trigger: Trigger, *, before: bool) -> Any:
    @wraps(call)
    def threaded(*args: Any) -> Any:
        if before:
            trigger.reached()
        found = call(*args)
        if not before:
            trigger.reached()
        return found

    if not inspect.iscoroutinefunction(call):
        return threaded

    @wraps(call)
    async def wrapped(*args: Any, **kwargs: Any) -> Any:
        idle = call.__name__ == "fetch" and not args[0]._claims.flowing
        if before and not idle:
            await trigger.here()
        found = await call(*args, **kwargs)
        if not before:
            await trigger.here()
        return found

    return wrapped


def _after(call: Call, trigger: Trigger) -> Call:
    @wraps(call)
    async def wrapped(*args: Any) -> None:
        await call(*args)
        trigger.rebalanced.set()

    return wrapped


def _count(trigger: Trigger, since: str) -> None:
    """Count each time that one of the loop's coroutines gives way, and each time that it is resumed.

    `batch`: from the first batch with records on, until it is noted that it was published. `claim`: from the first
    claim until the first batch is prepared.
    """
    counting = False

    def seen() -> None:
        if counting:
            trigger.reached()

    def switch(*, to: bool) -> Callable[[Call], Call]:
        def wrap(call: Call) -> Call:
            @wraps(call)
            async def wrapped(*args: Any) -> Any:
                nonlocal counting
                if to and (since == "claim" or args[1]):
                    counting = True
                found = await call(*args)
                if not to:
                    counting = False
                return found

            return wrapped

        return wrap

    began, ended = WINDOWS[since]
    _wrap(began, switch(to=True))
    _wrap(ended, switch(to=False))
    for name in ("run", "_commit", "_publish"):
        _wrap(f"shared.runtime.loop:Loop.{name}", lambda call: lambda *args: _Watched(call(*args), seen).run())


class _Watched:
    """A coroutine that says each time that it gives way and is resumed."""

    def __init__(self, inner: Coroutine[Any, Any, Any], seen: Callable[[], None]) -> None:
        self._inner, self._seen = inner, seen

    async def run(self) -> Any:
        return await self

    def __await__(self) -> Generator[Any, Any, Any]:
        answer: Any = None
        error: BaseException | None = None
        while True:
            try:
                given = self._inner.send(answer) if error is None else self._inner.throw(error)
            except StopIteration as stop:
                return stop.value
            answer, error = None, None
            self._seen()
            try:
                answer = yield given
            except BaseException as thrown:  # noqa: BLE001  passed on to whom it was thrown at
                error = thrown
            self._seen()


def _spoil(module: str, text: str) -> None:
    """Make the rules raise on some records, as a bug in them would."""
    rules = importlib.import_module(f"{module.rpartition('.')[0]}.rules")
    decide = rules.decide

    def spoilt(state: Any, message: Any, *rest: Any) -> Any:
        record = getattr(message, "message", message)  # which a service with personal data gets with what opens it
        if text in repr(vars(record) if isinstance(record, Record) else record):  # some fields are hidden in its text
            raise ZeroDivisionError("a bug built in by a test")
        return decide(state, message, *rest)

    _set(f"{rules.__name__}:decide", spoilt)


def _place(name: str) -> tuple[Any, str]:
    module, _, path = name.partition(":")
    *owners, last = path.split(".")
    owner: Any = importlib.import_module(module)
    for each in owners:
        owner = getattr(owner, each)
    return owner, last


def _set(name: str, value: Any) -> None:
    owner, last = _place(name)
    if not hasattr(owner, last):
        raise SystemExit(f"the fault names {name}, which is not there any more")
    setattr(owner, last, value)


def _wrap(name: str, make: Callable[[Any], Any]) -> None:
    owner, last = _place(name)
    _set(name, make(getattr(owner, last)))
