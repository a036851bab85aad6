"""The parts of the benchmark, each of which can be run by itself."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

from deploy.cli.trouble import notes
from tests.bench import crm, latency, ledger, mails, pages, plain, raw
from tests.bench.figures import ALONE, BESIDE, HISTORY, MILLION, TWO, Latency, Run
from tests.bench.ground import Ground
from tests.bench.throughput import fresh, from_full_topic, measure, send

LARGE: Final = "c-large"
LARGE_SHARE: Final = 50  # one in so many purchases is the large customer's, where one is there
RATES: Final = (500, 2_000)  # a second


@dataclass(frozen=True)
class Size:
    """How much is measured. `history`: purchases of a customer before part `history`; `seconds`: of a latency."""

    rounds: int = 5
    records: int = 100_000
    customers: int = 20_000
    history: int = 50
    million: int = 1_000_000
    large: int = 100_000
    plain_seconds: float = 4
    seconds: int = 20
    mails: int = 2_000

    def quick(self) -> "Size":
        """A smoke test of everything, whose figures mean nothing."""
        return Size(1, 5_000, 2_000, 10, 20_000, 2_000, 1, 2, 200)


@dataclass
class Results:
    """What was found so far. `servers`: their versions. `speeds`: of the machine, after each part (`meter.speed`)."""

    runs: list[Run] = field(default_factory=list[Run])
    latencies: list[Latency] = field(default_factory=list[Latency])
    servers: dict[str, str] = field(default_factory=dict[str, str])
    speeds: dict[str, float] = field(default_factory=dict[str, float])

    def add(self, run: Run) -> Run:
        """Keep it, and say so."""
        self.runs.append(run)
        cpu = ", ".join(f"{kind} {used:.0f}" for kind, used in run.cpu.items())
        total = sum(run.cpu.values())
        notes.print(
            f"  {run.part}: {run.rate:,.0f}/s; CPU µs a record: {cpu}, together {total:.0f}; "
            f"others {run.others:.1f} cores",
            highlight=False,
            soft_wrap=True,
        )
        return run

    def time(self, found: Latency) -> None:
        """Keep it, and say so."""
        self.latencies.append(found)
        words = f"p50 {found.p50:.1f}, p99 {found.p99:.1f}, longest {found.longest:.1f} ms"
        notes.print(f"  {found.part}: {words}", highlight=False, soft_wrap=True)

    def peak(self, mib: float) -> None:
        """Note the memory of the processes that the newest run was measured on."""
        self.runs[-1] = self.runs[-1].with_memory(mib)


Work = Callable[[Ground, Size, Results], Awaitable[None]]


async def throughput(ground: Ground, size: Size, results: Results) -> None:
    """The service beside what a plain handler does and what MongoDB allows, in turns."""
    await plain.prepare(ground, size.customers)
    for number in range(size.rounds):
        notes.print(f"throughput, round {number + 1} of {size.rounds}", highlight=False)
        results.add(await plain.measure(ground, number, size.plain_seconds))
        for processes in (1, 2):
            run = results.add(await from_full_topic(ground, processes, size.records, size.customers))
        written = raw.transactions(ground.mongo, ground.before)
        results.add(raw.measure(ground.mongo, written, run.records, ground.servers))


async def history(ground: Ground, size: Size, results: Results) -> None:
    """The same customers with a long past."""
    await _base(ground, size, results)
    async with fresh(ground, 2) as running:
        notes.print(f"history: {size.history} purchases of each customer", highlight=False)
        past = (customer for _ in range(size.history) for customer in ground.till.everybody(size.customers))
        await send(ground, running, ground.till.loads(past))
        for _ in range(size.rounds):
            load = ground.till.load(ground.till.drawn(size.records, size.customers))
            results.add(await measure(ground, running, load, HISTORY))
    results.peak(running.peak)


async def million(ground: Ground, size: Size, results: Results) -> None:
    """Many more customers than the service keeps in memory, drawn evenly."""
    await _base(ground, size, results)
    async with fresh(ground, 2) as running:
        notes.print(f"million: a purchase of each of {size.million:,} customers", highlight=False)
        await send(ground, running, ground.till.loads(ground.till.everybody(size.million)))
        for _ in range(size.rounds):
            load = ground.till.load(ground.till.drawn(size.records, size.million))
            results.add(await measure(ground, running, load, MILLION))
    results.peak(running.peak)


async def large(ground: Ground, size: Size, results: Results) -> None:
    """Ordinary customers with and without one beside them who has bought very often, buys again, and is sent again."""
    async with fresh(ground, 2) as running:
        notes.print(f"large: a customer with {size.large:,} purchases", highlight=False)
        await send(ground, running, [ground.till.load(ground.till.everybody(size.customers))])
        old = [ground.till.purchase(LARGE) for _ in range(size.large)]
        known = {purchase.identity for purchase in old}
        await send(ground, running, [ground.till.pack(old)])
        for _ in range(size.rounds):
            ordinary = ground.till.drawn(size.records, size.customers)
            results.add(await measure(ground, running, ground.till.load(ordinary), ALONE))
            customers = _beside(ground.till.drawn(size.records, size.customers))
            mixed = [ground.till.purchase(customer) for customer in customers]
            places = range(LARGE_SHARE // 2, len(mixed), LARGE_SHARE)
            for count, place in enumerate(places):
                mixed[place] = old[count * len(old) // len(places)]
            load = ground.till.pack(mixed, known)
            counted = [purchase.identity for purchase in mixed if purchase.customer != LARGE]
            results.add(await measure(ground, running, load, BESIDE, counted))
        rate = RATES[0]
        count = rate * (latency.WARM_UP_S + size.seconds)
        for customers, words in (
            (ground.till.drawn(count, size.customers), "without"),
            (_beside(ground.till.drawn(count, size.customers)), "beside"),
        ):
            part = f"{rate}/s, {words} a large customer"
            results.time(await latency.measure(ground, part, rate, customers, LARGE))
    results.peak(running.peak)


async def latencies(ground: Ground, size: Size, results: Results) -> None:
    """From produce to published, by one process, without a backlog."""
    async with fresh(ground, 1) as running:
        notes.print("latency", highlight=False)
        await send(ground, running, [ground.till.load(ground.till.everybody(size.customers))])
        for rate in RATES:
            customers = ground.till.drawn(rate * (latency.WARM_UP_S + size.seconds), size.customers)
            results.time(await latency.measure(ground, f"{rate:,}/s", rate, customers))


async def ledger_too(ground: Ground, size: Size, results: Results) -> None:
    """The ledger on what turnover has just published, one process each; and tills that ask while purchases stream."""
    for number in range(size.rounds):
        notes.print(f"ledger, round {number + 1} of {size.rounds}", highlight=False)
        for run in await ledger.throughput_of_both(ground, size.records, size.customers):
            results.add(run)
    results.time(await ledger.holds(ground, RATES[0], size.seconds, size.customers))


async def profile_too(ground: Ground, size: Size, results: Results) -> None:
    """The CRM's records with everything sealed; and customers who edit while they stream."""
    for number in range(size.rounds):
        notes.print(f"profile, round {number + 1} of {size.rounds}", highlight=False)
        for run in await crm.ingestion(ground, size.records // 2, size.customers):
            results.add(run)
    results.time(await crm.edits(ground, RATES[0], size.seconds, size.customers))


async def notifier_too(ground: Ground, size: Size, results: Results) -> None:
    """Mails from a full queue, and while purchases stream; beside an SMS gateway that hangs, too."""
    runs, found = await mails.measure(ground, size.rounds, size.mails, RATES[0], size.seconds, size.customers)
    for run in runs:
        results.add(run)
    for one in found:
        results.time(one)


async def portal_too(ground: Ground, size: Size, results: Results) -> None:
    """Open pages that hear of purchases, and pages called up beside them; without the ledger and with it."""
    for whole in (False, True):
        for found in await pages.measure(ground, RATES[0], size.seconds, size.customers, whole=whole):
            results.time(found)


PARTS: Final[dict[str, Work]] = {
    "throughput": throughput,
    "history": history,
    "million": million,
    "large": large,
    "latency": latencies,
    "ledger": ledger_too,
    "profile": profile_too,
    "notifier": notifier_too,
    "portal": portal_too,
}


async def _base(ground: Ground, size: Size, results: Results) -> None:
    """What a part compares itself with, where that was not measured yet."""
    if not any(run.part == TWO for run in results.runs):
        for _ in range(size.rounds):
            results.add(await from_full_topic(ground, 2, size.records, size.customers))


def _beside(customers: list[str]) -> list[str]:
    """These customers, with the large one between them."""
    return [LARGE if number % LARGE_SHARE == 0 else customer for number, customer in enumerate(customers)]
