"""The sender: a line for each channel, beside the loop that decides, and never in its way."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from typing import Any, Final

import httpx
from pymongo.errors import PyMongoError

from services.notifier.channels.opening import open_channels
from services.notifier.channels.port import Channel
from services.notifier.delivery import metrics
from services.notifier.delivery.contacts import Profile, ProfileAway
from services.notifier.delivery.line import OUTAGE, Line
from services.notifier.delivery.links import Links
from services.notifier.delivery.outbox import Outbox
from services.notifier.delivery.reporting import tell
from services.notifier.delivery.settings import DeliverySettings
from services.notifier.delivery.ways import Ways
from services.notifier.policy import CHANNELS
from services.notifier.rendering import Renderer
from services.notifier.settings import ChannelSettings
from services.notifier.views import DELIVERIES
from shared import log as logs
from shared.mongo import Document, Unavailable
from shared.runtime.service import Ground

log = logs.get("delivery")
TAKEN: Final = 0.05  # seconds between two looks for partitions that are newly ours
UNHEARD: Final = 5.0  # seconds between two looks for reports that nobody heard
GRACE: Final = 5.0  # seconds that what is on its way gets when the process stops
PATIENCE: Final = 5.0  # seconds that who loses a partition has to say what became of what it is sending
ASTRAY: Final = 60.0  # seconds between two looks for what somebody took who had lost the partition
_AT_ONCE: Final = 200  # reports that are told again together
_RATE: Final = 50.0  # messages a second in a channel without a rate of its own


class Sender:
    """Everything that is on its way out of this process."""

    def __init__(self, ground: Ground, channels: Mapping[str, Channel], ways: Ways, rates: Mapping[str, float]) -> None:
        names = sorted({name for each in CHANNELS.values() for name in each} | channels.keys())
        self.lines = {name: Line(name, channels.get(name), ways, rates.get(name, _RATE)) for name in names}
        self._ground, self._ways = ground, ways
        self._owned: dict[int, int] = {}
        self._look_at: dict[int, float] = {}  # when it is looked for what former owners of a partition left half-way

    async def run(self) -> None:
        """Until the process stops."""
        self._ground.observers.append(self._stored)
        tasks = [
            asyncio.create_task(work) for work in (self._keep(), *(self._go(line) for line in self.lines.values()))
        ]
        stopping = asyncio.create_task(self._ground.stop.wait())
        try:
            ended, _ = await asyncio.wait({*tasks, stopping}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (stopping, *tasks):
                task.cancel()
            await asyncio.gather(stopping, *tasks, return_exceptions=True)
            self._ground.observers.remove(self._stored)
            await asyncio.gather(*(line.end(GRACE) for line in self.lines.values()))
        for task in ended:
            task.result()

    def status(self) -> dict[str, Any]:
        """What is to be seen of the channels from outside."""
        return {name: line.state for name, line in self.lines.items()}

    def _stored(self, views: Mapping[str, Sequence[Document]]) -> None:
        for name in self.lines.keys() & {delivery["channel"] for delivery in views.get(DELIVERIES, ())}:
            self.lines[name].wake()

    async def _go(self, line: Line) -> None:
        while not self._ground.stop.is_set():
            try:
                busy = await line.turn(dict(self._owned))  # as it is now, whatever comes and goes meanwhile
            except (ProfileAway, Unavailable, PyMongoError) as error:
                log.warning("messages wait", channel=line.name, error=type(error).__name__, detail=str(error))
                await asyncio.sleep(OUTAGE)
                continue
            if not busy:
                await line.rest()

    async def _keep(self) -> None:
        """Take over the queues of partitions that are ours now; tell again what nobody may have heard."""
        loop, looked_at = asyncio.get_running_loop(), -UNHEARD
        while not self._ground.stop.is_set():
            try:
                await self._take_over(loop.time())
                if loop.time() - looked_at >= UNHEARD:
                    await self._tell_again()
                    looked_at = loop.time()
            except (Unavailable, PyMongoError) as error:
                log.warning("the queue cannot be read", error=type(error).__name__)
                await asyncio.sleep(OUTAGE)
            await asyncio.sleep(TAKEN)

    async def _take_over(self, now: float) -> None:
        """The queues of partitions that are newly ours, and later what was left half-way there. `now`: the loop's."""
        owned = dict(self._ground.owned())
        for number in self._owned.keys() - owned.keys():
            del self._owned[number]
        for number, epoch in owned.items():
            if self._owned.get(number) != epoch:
                await self._ways.outbox.take_over(number, epoch)
                self._owned[number], self._look_at[number] = epoch, now + PATIENCE
                self._wake()
            if self._look_at[number] <= now:
                flying = [place for line in self.lines.values() for place in line.flying]
                repeats = await self._ways.outbox.free(number, epoch, flying)
                self._look_at[number] = now + ASTRAY
                if repeats:
                    metrics.REPEATS.labels("half_way").inc(repeats)
                    log.warning("messages were left half-way, and are sent again", partition=number, messages=repeats)
                    self._wake()

    def _wake(self) -> None:
        for line in self.lines.values():
            line.wake()

    async def _tell_again(self) -> None:
        if self._owned:
            flying = {place for line in self.lines.values() for place in line.flying}
            reports = await self._ways.outbox.reports(self._owned, _AT_ONCE, flying)
            await asyncio.gather(*(self._tell(report) for report in reports))

    async def _tell(self, report: Mapping[str, Any]) -> None:
        if await tell(self._ways.writers, report):
            partition = int(report["command_id"].partition("-")[0])
            await self._ways.outbox.heard(partition, report["notification_id"], report["attempt"])


@asynccontextmanager
async def open_sender(
    ground: Ground,
    delivery: DeliverySettings,
    settings: ChannelSettings,
    renderer: Renderer,
    links: Links,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> AsyncGenerator[Sender]:
    """A sender with the channels that are configured. `clock`: the time by which messages are due again, UTC."""
    async with AsyncExitStack() as opened:
        channels = await opened.enter_async_context(open_channels(settings))
        client = await opened.enter_async_context(httpx.AsyncClient(timeout=10.0))
        ways = Ways(
            Outbox(ground.mongo),
            Profile(delivery, client),
            ground.commands,
            renderer,
            links,
            ground.programme,
            clock,
            delivery.public_url,
            delivery.status_url,
        )
        for name, on in settings.on().items():
            log.info("channel", name=name, configured=on)
        yield Sender(ground, channels, ways, delivery.rates)
