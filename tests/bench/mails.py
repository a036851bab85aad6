"""The notifier: from a change of tier to the mail that a server takes, also beside a gateway that hangs."""

import asyncio
import gc
import json
import time
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Final

import msgspec
from aiosmtpd.smtp import SMTP, Envelope, Session

from deploy.local.errors import StackError
from services.notifier.templates.params import PointsRedeemed, stored, template_of
from services.notifier.views import DELIVERIES
from shared.contracts.topics import PURCHASES
from shared.runtime.owned import view_id
from shared.settings import PREFIX
from tests.bench import crm, latency, throughput
from tests.bench.figures import HUNG, MAIL, MAILS, Latency, Run
from tests.bench.fleet import Fleet
from tests.bench.ground import EVENTS, Ground
from tests.bench.meter import Meter
from tests.bench.purchases import AT_ONCE, Purchase

MOVERS: Final = 25  # one purchase in so many lifts its customer to silver
QUEUED: Final = 1_000  # messages for the gateway that hangs
_ENOUGH_MINOR: Final = 60_000  # for silver; with the number of the customer, so that no two mails say the same
_LATE_S: Final = 60
_FREELY: Final = {f"{PREFIX}RATES": json.dumps({"email": 5_000})}  # by default no more than 300 a second leave


class _Event(msgspec.Struct):
    type: str
    customer_id: str


class MailServer:
    """Takes every mail, and remembers when: `at`, seconds since 1970 by the customer's number."""

    def __init__(self) -> None:
        self.at: dict[int, float] = {}
        self.twice = 0

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        number = int(envelope.rcpt_tos[0].partition("@")[0].rpartition(".")[2])  # as `crm` gives addresses
        self.twice += number in self.at
        self.at.setdefault(number, time.time())
        return "250 2.0.0 OK"

    async def until(self, numbers: Sequence[int]) -> None:
        """Return when each of these has had a mail; nobody may have had two."""
        ends = time.monotonic() + _LATE_S
        while any(number not in self.at for number in numbers):
            if time.monotonic() > ends:
                missing = sum(number not in self.at for number in numbers)
                raise StackError(f"{missing:,} of {len(numbers):,} mails did not arrive")
            await asyncio.sleep(0.02)
        if self.twice:
            raise StackError(f"{self.twice:,} mails came twice")


class Gateway:
    """Takes every request, and answers none. `settings`: with which the notifier sends there."""

    def __init__(self, settings: Mapping[str, str]) -> None:
        self.settings = settings
        self.requests = 0

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, until the other side gives up."""
        try:
            while await reader.read(65_536):
                self.requests += 1
        finally:
            writer.close()


async def measure(
    ground: Ground, rounds: int, mails: int, rate: int, seconds: int, customers: int
) -> tuple[list[Run], list[Latency]]:
    """Without and with a gateway that hangs: mails from a full queue, in turns, and while purchases stream.

    The services are turnover, profile and the notifier, one process each.
    """
    streamed = rate * (latency.WARM_UP_S + seconds) // MOVERS
    count = 2 * (rounds * mails + streamed) + (rounds + 1) * QUEUED
    movers = iter(range(customers, customers + count))
    runs, found = list[Run](), list[Latency]()
    async with (
        throughput.fresh(ground, 1) as turnover,
        throughput.started(ground, 1, "profile") as profile,
        _gateway(ground) as gateway,
    ):
        await throughput.send(ground, turnover, [ground.till.load(ground.till.everybody(customers))])
        for some in _some(range(customers, customers + count)):
            await throughput.send(ground, profile, [crm.enrolments(ground, map(_name, some))])
        for number in range(rounds + 1):
            for words, hung in (("", False), (f", {HUNG}", True)):
                beside, asked = {}, gateway.requests
                if hung:
                    beside = gateway.settings
                    _queue(ground, [_name(next(movers)) for _ in range(QUEUED)])
                if number < rounds:
                    some = [next(movers) for _ in range(mails)]
                    runs.append(await _from_full_queue(ground, some, MAILS + words, turnover, profile, beside))
                else:
                    some = [next(movers) for _ in range(streamed)]
                    part = f"{MAIL}{words}, at {rate:,} purchases a second"
                    found.append(await _while_streaming(ground, some, part, rate, customers, beside))
                if hung and gateway.requests == asked:
                    raise StackError("nothing was sent to the gateway")
    return runs, found


async def _from_full_queue(
    ground: Ground, numbers: list[int], part: str, turnover: Fleet, profile: Fleet, beside: Mapping[str, str]
) -> Run:
    """All these have changed their tier when the notifier is let go on; until the last mail is taken."""
    load = ground.till.pack([ground.till.purchase(_name(number), _ENOUGH_MINOR + number) for number in numbers])
    async with _server(ground) as server, throughput.started(ground, 1, "notifier", _FREELY | dict(beside)) as running:
        await ground.published(running)
        running.freeze()
        try:
            async with asyncio.timeout(throughput.FILL_WITHIN_S):
                await ground.till.send(load)
                await ground.published(turnover)
        except TimeoutError:
            raise StackError(f"turnover did not take {load.records:,} records in time") from None
        finally:
            meter, began = Meter({"service": [*running.pids, *profile.pids], **ground.servers}), time.time()
            running.thaw()
        await server.until(numbers)
        cost = meter.read()
        await ground.published(running)
    ended = max(server.at[number] for number in numbers)
    return Run.of(part, len(numbers), ended - began, cost).with_memory(running.peak)


async def _while_streaming(
    ground: Ground, numbers: list[int], part: str, rate: int, customers: int, beside: Mapping[str, str]
) -> Latency:
    """The clock of a mail starts when the purchase was to be produced, and stops when the mail is taken."""
    made = list[Purchase]()
    for number in numbers:
        made += [ground.till.purchase(customer) for customer in ground.till.drawn(MOVERS - 1, customers)]
        made.append(ground.till.purchase(_name(number), _ENOUGH_MINOR + number))
    async with _server(ground) as server, throughput.started(ground, 1, "notifier", beside) as running:
        await ground.published(running)
        since = await ground.ends()
        gc.collect()
        gc.disable()
        try:
            began, epoch = time.monotonic(), time.time()
            await latency.stream(ground, PURCHASES, made, rate, began)
            await server.until(numbers)
        finally:
            gc.enable()
        changed = {
            event.customer_id: record.timestamp / 1000
            for record in await ground.records(EVENTS, since)
            if (event := msgspec.json.decode(record.value, type=_Event)).type == "TierChanged.v1"
        }
        await ground.published(running)
    places = [(place, number) for place, number in enumerate(numbers) if place * MOVERS >= rate * latency.WARM_UP_S]
    whole = [(server.at[number] - epoch - ((place + 1) * MOVERS - 1) / rate) * 1000 for place, number in places]
    within = [(server.at[number] - changed[_name(number)]) * 1000 for _, number in places]
    return Latency.of(part, whole, within)


@asynccontextmanager
async def _server(ground: Ground) -> AsyncGenerator[MailServer]:
    handler = MailServer()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(handler, hostname="mail"), "127.0.0.1", ground.ports["mail"])
    try:
        yield handler
    finally:
        server.close()


@asynccontextmanager
async def _gateway(ground: Ground) -> AsyncGenerator[Gateway]:
    gateway = Gateway({f"{PREFIX}SMS_URL": f"http://127.0.0.1:{ground.ports['sms']}/"})
    server = await asyncio.start_server(gateway.take, "127.0.0.1", ground.ports["sms"])
    try:
        yield gateway
    finally:
        server.close()


def _queue(ground: Ground, names: Sequence[str]) -> None:
    """Messages for the gateway, and none else. No template goes there, so they are put into the queue by hand."""
    documents = ground.mongo["notifier"][DELIVERIES]
    documents.delete_many({"channel": "sms"})
    params = PointsRedeemed(programme_version=1, points=1, available=1)
    documents.insert_many(
        {
            "_id": view_id(ground.till.home(name), f"hung-{name}"),
            "status": "queued",
            "customer": name,
            "template": template_of(params),
            "channel": "sms",
            "params": stored(params),
            "locale": "en",
            "attempt": 1,
            "change": 0,
            "at": ground.till.now,
            "due": None,
            "avoid": None,
        }
        for name in names
    )


def _some(numbers: range) -> Iterator[range]:
    for first in range(0, len(numbers), AT_ONCE):
        yield numbers[first : first + AT_ONCE]


def _name(number: int) -> str:
    return f"c-{number:07d}"
