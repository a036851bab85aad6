"""What was measured: runs, and the medians of the runs of one part."""

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from tests.bench.meter import Cost

PLAIN: Final = "FastStream handler"
RAW: Final = "raw transactions, 1 thread"
ONE: Final = "turnover, 1 process"
LEDGER: Final = "ledger, 1 process"
HOLD: Final = "hold to answer"
ENROLMENTS: Final = "profile, 2 processes, enrolments"
UPDATES: Final = "profile, 2 processes, updates"
EDIT: Final = "edit to answer"
MAILS: Final = "notifier, 1 process, mails"
MAIL: Final = "change of tier to mail"
PAGE: Final = "page of the portal"
UPDATE: Final = "purchase to open page"
HUNG: Final = "SMS gateway hung"
TWO: Final = "turnover, 2 processes"
HISTORY: Final = "… ten times the history"
MILLION: Final = "… a million customers"
ALONE: Final = "… without a large customer"
BESIDE: Final = "… beside a large customer"


@dataclass(frozen=True)
class Run:
    """One measured stretch. `cpu`: microseconds a record by kind of process. `others`: cores busy with other things.
    `memory_mib`: the most that a process of the service has ever held."""

    part: str
    records: int
    seconds: float
    cpu: dict[str, float]
    others: float
    memory_mib: float | None = None

    @staticmethod
    def of(part: str, records: int, seconds: float, cost: Cost) -> "Run":
        """A run with the cost of its records."""
        cpu = {kind: used / records * 1e6 for kind, used in cost.cpu.items()}
        return Run(part, records, seconds, cpu, cost.others)

    @property
    def rate(self) -> float:
        """Records a second."""
        return self.records / self.seconds

    def with_memory(self, mib: float) -> "Run":
        """The same, with the peak of memory."""
        return replace(self, memory_mib=mib)


@dataclass(frozen=True)
class Figure:
    """A median and its spread."""

    median: float
    low: float
    high: float

    @staticmethod
    def of(values: Sequence[float]) -> "Figure":
        """Of at least one value."""
        return Figure(statistics.median(values), min(values), max(values))


@dataclass(frozen=True)
class Part:
    """The runs of one name together."""

    name: str
    rounds: int
    rate: Figure
    cpu: dict[str, Figure]
    others: Figure
    memory_mib: float | None

    @property
    def cost(self) -> float:
        """Microseconds of CPU a record, of everything that works for it."""
        return sum(figure.median for figure in self.cpu.values())


def parts(runs: Iterable[Run]) -> dict[str, Part]:
    """Medians by name, in the order in which the names came up."""
    by: dict[str, list[Run]] = {}
    for run in runs:
        by.setdefault(run.part, []).append(run)
    return {
        name: Part(
            name=name,
            rounds=len(same),
            rate=Figure.of([run.rate for run in same]),
            cpu={kind: Figure.of([run.cpu[kind] for run in same]) for kind in same[0].cpu},
            others=Figure.of([run.others for run in same]),
            memory_mib=max((run.memory_mib for run in same if run.memory_mib is not None), default=None),
        )
        for name, same in by.items()
    }


@dataclass(frozen=True)
class Latency:
    """Milliseconds from the time at which a purchase was to be produced until its event was seen, at a fixed rate; or
    from when a till was to ask until it was answered. `service_…`: the part of it between the broker's times of the
    purchase and of the event."""

    part: str
    purchases: int
    p50: float
    p99: float
    longest: float
    service_p50: float | None
    service_p99: float | None

    @staticmethod
    def of(part: str, whole: Sequence[float], service: Sequence[float] = ()) -> "Latency":
        """Of at least two latencies in milliseconds."""
        cuts, within = statistics.quantiles(whole, n=100), statistics.quantiles(service, n=100) if service else None
        p50, p99 = (within[49], within[98]) if within else (None, None)
        return Latency(part, len(whole), cuts[49], cuts[98], max(whole), p50, p99)
