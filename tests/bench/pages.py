"""The portal: open pages that hear of purchases, and pages that are called up, while purchases stream."""

import asyncio
import gc
import re
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Final

import httpx
import msgspec

from deploy.local import tokens
from deploy.local.errors import StackError
from shared.contracts.topics import PURCHASES
from tests.bench import crm, latency, throughput
from tests.bench.client import Client
from tests.bench.figures import PAGE, UPDATE, Latency
from tests.bench.ground import Ground
from tests.bench.purchases import Purchase

OPEN: Final = 100  # pages
SHARE: Final = 25  # one purchase in so many is that of a customer who looks on
CALLS: Final = 20  # pages called up a second
_HOME: Final = "/my-bonus"
_READY_S: Final = 120
_LATE_S: Final = 30
_BAR: Final = re.compile(rb'<progress class="year" value="(\d+)"')


class _Amount(msgspec.Struct):
    total_minor: int


class Page:
    """A page that is open: what its bar says, in cents, and since when."""

    def __init__(self, customer: str, url: str, cookie: str) -> None:
        self.customer = customer
        self.bar = 0
        self.moved: list[tuple[int, float]] = []
        self._url, self._header = url, f"Cookie: {cookie}"
        self._stream = Client(url, self._header)

    async def read(self) -> int:
        """Call it up once, as a browser does that opens it; what its bar says."""
        client = Client(self._url, self._header)
        status, html = await client.ask("GET", _HOME)
        client.close()
        found = _BAR.search(html)
        if status != 200 or found is None:
            raise StackError(f"the page of {self.customer} is answered with {status}")
        return int(found[1])

    async def watch(self) -> None:
        """Hear of changes until cancelled."""
        status, _, reader = await self._stream.begin("GET", f"{_HOME}/events")
        if status != 200:
            raise StackError(f"the stream of {self.customer} is answered with {status}")
        rest = b""
        try:
            while came := await reader.read(1 << 16):
                rest += came
                now = time.monotonic()
                for found in _BAR.finditer(rest):
                    self.moved.append((int(found[1]), now))
                    self.bar = int(found[1])
                rest = rest[rest.rfind(b"\n\n") + 1 :]
            raise StackError(f"the stream of {self.customer} has ended")
        finally:
            self._stream.close()

    def seen(self, minor: int) -> float:
        """When the bar had got so far."""
        return next(at for bar, at in self.moved if bar >= minor)


async def measure(ground: Ground, rate: int, seconds: int, customers: int, *, whole: bool) -> list[Latency]:
    """Pages called up, and updates of open pages: turnover, profile and portal, one process each.

    `whole`: with the ledger, whose events the portal then folds, too. The clock of an update starts when its purchase
    was to be produced, and stops when the page has what moves its bar. That of a page starts when it was to be called
    up, and stops with its last byte.
    """
    names = [f"c-{number:07d}" for number in range(OPEN)]
    async with AsyncExitStack() as running:
        turnover = await running.enter_async_context(throughput.fresh(ground, 1))
        others = ("ledger", "portal") if whole else ("portal",)
        profile, *readers = [
            await running.enter_async_context(throughput.started(ground, 1, name)) for name in ("profile", *others)
        ]
        url = readers[-1].urls[0]
        await throughput.send(ground, profile, [crm.enrolments(ground, names)])
        await throughput.send(ground, turnover, [ground.till.load(ground.till.everybody(customers))])
        for service in readers:
            await ground.published(service)
        pages = [await _signed_in(ground, url, name) for name in names]
        watching = [asyncio.create_task(page.watch()) for page in pages]
        try:
            updates, calls = await _stream(ground, pages, rate, latency.WARM_UP_S + seconds, customers)
        finally:
            for task in watching:
                task.cancel()
            ended = await asyncio.gather(*watching, return_exceptions=True)
        for error in ended:
            if isinstance(error, Exception):
                raise error
        for service in (turnover, *readers):
            await ground.published(service)
    words = f"{OPEN} open, at {rate:,} purchases a second" + (" and with the ledger" if whole else "")
    return [Latency.of(f"{UPDATE}, {words}", updates), Latency.of(f"{PAGE}, {words}", calls)]


async def _signed_in(ground: Ground, url: str, customer: str) -> Page:
    """A page that shows what there is of its customer by now."""
    link = tokens.sign_in_link(ground.stack.keys.signing_key, url, customer)
    ends = time.monotonic() + _READY_S
    async with httpx.AsyncClient(follow_redirects=True, timeout=10) as http:
        while (answer := await http.get(link if not http.cookies else url + _HOME)).status_code != 200:
            if time.monotonic() > ends:
                raise StackError(f"the page of {customer} is answered with {answer.status_code}")
            await asyncio.sleep(0.5)
        cookie = "; ".join(f"{name}={value}" for name, value in http.cookies.items())
    page = Page(customer, url, cookie)
    page.bar = await page.read()
    return page


async def _stream(
    ground: Ground, pages: Sequence[Page], rate: int, seconds: int, customers: int
) -> tuple[list[float], list[float]]:
    """Milliseconds of each update and of each page called up, but for the first seconds."""
    made: list[Purchase] = []
    due: list[tuple[int, Page, int]] = []  # the place of a purchase, whose it is, and what its bar says then
    bars = {page.customer: page.bar for page in pages}
    others = ground.till.drawn(rate * seconds, customers)
    for place, customer in enumerate(others):
        if place % SHARE == SHARE - 1:
            page = pages[place // SHARE % len(pages)]
            made.append(ground.till.purchase(page.customer))
            bars[page.customer] += msgspec.json.decode(made[-1].value, type=_Amount).total_minor
            due.append((place, page, bars[page.customer]))
        else:
            made.append(ground.till.purchase(customer if customer not in bars else f"o-{customer}"))
    gc.collect()
    gc.disable()
    try:
        began = time.monotonic() + 0.1
        calling = asyncio.create_task(_call(pages, began, seconds))
        await latency.stream(ground, PURCHASES, made, rate, began)
        calls = await calling
        ends = time.monotonic() + _LATE_S
        while any(page.bar < bars[page.customer] for page in pages):
            if time.monotonic() > ends:
                raise StackError("pages do not show all purchases")
            await asyncio.sleep(0.05)
    finally:
        gc.enable()
    warm = rate * latency.WARM_UP_S
    updates = [(page.seen(bar) - began - place / rate) * 1000 for place, page, bar in due if place >= warm]
    return updates, calls[CALLS * latency.WARM_UP_S :]


async def _call(pages: Sequence[Page], began: float, seconds: int) -> list[float]:
    async def one(number: int) -> float:
        due = began + number / CALLS
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        await pages[number % len(pages)].read()
        return (time.monotonic() - due) * 1000

    return await asyncio.gather(*(one(number) for number in range(CALLS * seconds)))
