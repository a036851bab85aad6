"""One channel's messages on their way out. Each channel has a line of its own, so that none waits for another."""

import asyncio
import functools
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any, Final, TypeVar

import stamina
from pymongo.errors import PyMongoError

from services.notifier.channels.port import AT_ONCE, Channel, Permanent, Temporary
from services.notifier.delivery import metrics
from services.notifier.delivery.contacts import Address, Contact
from services.notifier.delivery.outbox import Delivery
from services.notifier.delivery.pace import Bucket, Pause
from services.notifier.delivery.reporting import report_of, tell
from services.notifier.delivery.ways import Ways
from services.notifier.rendering import Rendered
from services.notifier.reports import Outcome
from shared import log as logs
from shared.mongo import Unavailable

log = logs.get("delivery")
T = TypeVar("T")
AHEAD: Final = 128  # messages of one channel that are taken, with their addresses, before it is their turn
FRESH: Final = 2.0  # seconds that such an address may be old when it is used
UNTOLD: Final = 512  # messages of one channel that are on their way, or over and not reported yet
POLL: Final = 0.5  # seconds between two looks for what is due again, and for the end of a pause
OUTAGE: Final = 1.0  # seconds until a server that is away is asked again
TRIES: Final = 3  # within one send, for what passes in a moment


class Line:
    """Takes what is due in a channel, hands it over, and reports. `channel`: `None` where it is not configured."""

    def __init__(self, name: str, channel: Channel | None, ways: Ways, rate: float) -> None:
        self.name = name
        self.pause = Pause(name, ways.clock)
        self.flying: dict[str, asyncio.Task[None]] = {}
        self._channel, self._ways, self._bucket = channel, ways, Bucket(rate)
        self._busy: set[str] = set()  # customers of what is flying: theirs go one after the other
        self._on_their_way: set[str] = set()  # of what is flying: the others are over, and only reported still
        self._news = asyncio.Event()
        self._places = asyncio.Semaphore(AT_ONCE)
        self._ending = False

    @property
    def state(self) -> str:
        """What is to be seen of it from outside."""
        if self._channel is None:
            return "off"
        return "away" if self.pause.away else "on"

    async def turn(self, owned: Mapping[int, int]) -> bool:
        """Take what is due in these partitions (with their epochs); whether there was anything.

        Raises `ProfileAway`, `Unavailable` and pymongo's errors; then nothing was taken.
        """
        self._news.clear()  # what comes from here on is looked for again
        room = (1 if self.pause.away else AHEAD) - len(self._on_their_way)
        if room <= (0 if self.pause.away else AHEAD // 2) or self.pause.waiting or not owned:
            return False
        if len(self.flying) > UNTOLD - AHEAD:
            return False
        due = await self._ways.outbox.due(self.name, owned, self._ways.clock(), room, self._busy)
        found: dict[str, Delivery] = {}
        for each in due:
            found.setdefault(each.customer, each)
        if not found:
            return False
        contacts = await self._ways.profile.contacts(found) if self._channel else {}
        read_at = time.monotonic()
        for customer, delivery in found.items():
            task = asyncio.create_task(
                self._deliver(delivery, owned[delivery.partition], contacts.get(customer), read_at)
            )
            self.flying[delivery.place] = task
            self._on_their_way.add(delivery.place)
            self._busy.add(customer)
            task.add_done_callback(functools.partial(self._landed, delivery))
        metrics.IN_FLIGHT.labels(self.name).set(len(self.flying))
        return True

    def wake(self) -> None:
        """Something was queued in this channel."""
        self._news.set()

    async def rest(self) -> None:
        """Wait until something was queued or has landed, or may be due again."""
        with suppress(TimeoutError):
            async with asyncio.timeout(POLL):  # wait_for of Python 3.11 may swallow that we are to stop
                await self._news.wait()

    async def end(self, seconds: float) -> None:
        """Give what is on its way so long to arrive; the rest stays marked, and is sent again by the next owner.

        What is only waiting for its turn is left to the next owner.
        """
        self._ending = True
        if self.flying:
            _, late = await asyncio.wait(self.flying.values(), timeout=seconds)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    def _landed(self, delivery: Delivery, task: asyncio.Task[None]) -> None:
        self.flying.pop(delivery.place, None)
        self._on_their_way.discard(delivery.place)
        self._busy.discard(delivery.customer)
        self._news.set()
        metrics.IN_FLIGHT.labels(self.name).set(len(self.flying))
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("delivery failed", channel=self.name, exc_info=error)

    async def _deliver(self, delivery: Delivery, epoch: int, contact: Contact | None, read_at: float) -> None:
        async with self._places:
            if self._ending or self.pause.waiting or time.monotonic() - read_at > FRESH:
                return  # it is still queued
            report = await self._hand_over(delivery, epoch, contact)
        if report is None:
            return
        self._on_their_way.discard(delivery.place)
        self._news.set()
        kept = await _surely(lambda: self._ways.outbox.end(delivery, epoch, report))
        while True:
            with suppress(PyMongoError, Unavailable):
                if await tell(self._ways.writers, report):
                    if kept:
                        await self._ways.outbox.heard(delivery.partition, delivery.id, delivery.attempt)
                    return
            if kept:
                return  # it is told again from there
            await asyncio.sleep(OUTAGE)

    async def _hand_over(self, delivery: Delivery, epoch: int, contact: Contact | None) -> dict[str, Any] | None:
        """Send it; the report of what became of it, or `None` where it is not ours or waits as before."""
        address = None if contact is None else contact.channels.get(self.name)
        against = self._against(delivery, address)
        rendered = None
        if against is None and contact is not None:
            rendered = self._render(delivery, contact)
            against = "unrenderable" if rendered is None else None
        await self._bucket.take()
        outbox = self._ways.outbox
        try:
            if not await outbox.begin(delivery, epoch):
                return None
        except PyMongoError:  # it may be marked as ours, and was not sent
            await _surely(lambda: outbox.put_back(delivery, epoch))
            return None
        outcome = against
        if outcome is None:
            assert rendered is not None
            assert address is not None
            outcome = await self._send(delivery, rendered, address)
        if outcome is None:
            await _surely(lambda: outbox.put_back(delivery, epoch))
            return None
        metrics.OUTCOMES.labels(self.name, delivery.template, outcome).inc()
        return report_of(delivery, outcome, self._ways.clock(), address and address.ref)

    def _against(self, delivery: Delivery, address: Address | None) -> Outcome | None:
        if self._channel is None:
            return "not_configured"
        if address is None:
            return "no_address"
        return "bad_address" if address.ref == delivery.avoid else None

    def _render(self, delivery: Delivery, contact: Contact) -> Rendered | None:
        try:
            return self._ways.render(delivery, contact)
        except Exception as error:  # noqa: BLE001  # a template's: the others must go on
            log.error("message cannot be made", template=delivery.template, error=type(error).__name__)
            return None

    async def _send(self, delivery: Delivery, rendered: Rendered, address: Address) -> Outcome | None:
        """Hand it over; `None` where the provider is away, and the message is to stay as it was."""
        assert self._channel is not None
        began = time.monotonic()
        try:
            async for attempt in stamina.retry_context(
                on=_in_a_moment, attempts=TRIES, timeout=2.0, wait_initial=0.1, wait_max=1.0
            ):
                with attempt:
                    await self._channel.send(rendered, address.address, delivery.id)
        except Temporary as error:
            return self._put_off(delivery, error)
        except Permanent as error:
            log.warning("message refused", channel=self.name, notification=delivery.id, reason=error.reason)
            self.pause.works()
            return "rejected" if error.address else "refused"
        except Exception as error:  # noqa: BLE001  # a bug of one channel, or of what it stands on
            log.error("channel failed", channel=self.name, error=type(error).__name__)
            return "retry"
        self.pause.works()
        metrics.SECONDS.labels(self.name).observe(time.monotonic() - began)
        return "sent"

    def _put_off(self, delivery: Delivery, error: Temporary) -> Outcome | None:
        if error.unsure:
            metrics.REPEATS.labels("unsure").inc()
        if error.alone:
            self.pause.works()
            log.info("message put off", channel=self.name, notification=delivery.id, reason=error.reason)
            return "retry"
        seconds = self.pause.fails(error.after_s)
        log.warning("provider away", channel=self.name, reason=error.reason, pause_seconds=seconds)
        return None


async def _surely(step: Callable[[], Awaitable[T]]) -> T:
    """Do it, however long the database is away: until then nobody else knows what became of a message."""
    while True:
        try:
            return await step()
        except PyMongoError as error:
            log.warning("the queue cannot be written", error=type(error).__name__)
            await asyncio.sleep(OUTAGE)


def _in_a_moment(error: Exception) -> bool:
    """Whether a failure may be over in a moment. What a provider may have taken is not sent again at once."""
    return isinstance(error, Temporary) and not error.unsure and not error.alone and error.after_s is None
