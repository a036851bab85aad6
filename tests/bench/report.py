"""What was found, as tables to read and as a document to keep."""

import json
import subprocess
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from platform import python_version
from typing import Any, Final, NamedTuple

from rich.table import Table

from tests.bench.figures import (
    ALONE,
    BESIDE,
    EDIT,
    ENROLMENTS,
    HISTORY,
    HOLD,
    HUNG,
    LEDGER,
    MAIL,
    MAILS,
    MILLION,
    ONE,
    PAGE,
    PLAIN,
    RAW,
    TWO,
    UPDATE,
    UPDATES,
    Latency,
    Part,
    parts,
)
from tests.bench.meter import machine
from tests.bench.parts import RATES, Results, Size

PACKAGES: Final = ("faststream", "aiokafka", "pydantic", "motor", "pymongo", "msgspec", "uvloop")


_AT_MOST_MS: Final = {f"{RATES[1]:,}/s": 100, HOLD: 60, EDIT: 60, MAIL: 1_000, PAGE: 150, UPDATE: 1_000}


class Goal(NamedTuple):
    """A goal, what was found, and whether that meets it. Nothing fails where it does not."""

    words: str
    found: str
    met: bool


def goals(results: Results) -> list[Goal]:
    """The goals about which something was measured."""
    found = parts(results.runs)
    made: list[Goal] = []

    def against(name: str, other: str, least: float, words: str) -> None:
        if name in found and other in found:
            share = found[name].rate.median / found[other].rate.median
            made.append(Goal(words, f"{share:.2f}" if share < 10 else f"{share:.0f}", share >= least))

    if TWO in found:
        two = found[TWO]
        made.append(Goal(f"{TWO}: about 25,000 a second", f"{two.rate.median:,.0f}", two.rate.median >= 25_000))
        words = f"{TWO}: at most 75 µs of CPU a record, servers included"
        made.append(Goal(words, f"{two.cost:.0f}", two.cost <= 75))
    against(TWO, PLAIN, 65, f"{TWO}: at least 65 times the handler")
    against(TWO, RAW, 0.7, f"{TWO}: at least 0.7 of the raw transactions")
    against(HISTORY, TWO, 0.8, "ten times the history: at least 0.8 of the rate")
    against(MILLION, TWO, 0.6, "a million customers: at least 0.6 of the rate")
    against(BESIDE, ALONE, 0.9, "beside a large customer: at least 0.9 of the others' rate")
    against(LEDGER, ONE, 0.6, f"{LEDGER}: at least 0.6 of the rate of {ONE}")
    for name in (ENROLMENTS, UPDATES):
        if name in found:
            rate = found[name].rate.median
            made.append(Goal(f"{name}: at least 8,000 a second", f"{rate:,.0f}", rate >= 8_000))
    for name in (MAILS, f"{MAILS}, {HUNG}"):
        if name in found:
            rate = found[name].rate.median
            made.append(Goal(f"{name}: at least 200 a second", f"{rate:,.0f}", rate >= 200))
    peak = max((run.memory_mib or 0 for run in results.runs), default=0)
    if peak:
        made.append(Goal("memory of a process: below 400 MiB at any time", f"{peak:.0f}", peak < 400))
    for latency in results.latencies:
        most = next((most for words, most in _AT_MOST_MS.items() if latency.part.startswith(words)), 50)
        made.append(Goal(f"{latency.part}: p99 below {most} ms", f"{latency.p99:.1f}", latency.p99 < most))
    return made


def document(results: Results, size: Size) -> dict[str, Any]:
    """Everything, for .run/bench.json."""
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": _commit(),
        "machine": machine() | {"speeds": results.speeds},
        "versions": {"python": python_version()} | {name: version(name) for name in PACKAGES} | results.servers,
        "size": asdict(size),
        "parts": [asdict(part) | {"cpu_together": part.cost} for part in parts(results.runs).values()],
        "latencies": [asdict(latency) for latency in results.latencies],
        "goals": [goal._asdict() for goal in goals(results)],
        "runs": [asdict(run) | {"rate": run.rate} for run in results.runs],
    }


def write(file: Path, found: dict[str, Any]) -> None:
    """Keep the document."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(found, indent=2, ensure_ascii=False) + "\n")


def tables(results: Results) -> list[Table]:
    """What there is to read."""
    made: list[Table] = []
    if results.runs:
        made.append(_throughput(list(parts(results.runs).values())))
    if results.latencies:
        made.append(_latency(results.latencies))
    return [*made, _goals(goals(results))]


def _throughput(found: Sequence[Part]) -> Table:
    table = _table("From a full topic: medians (least to most)", "", "records a second", "CPU", "others", "MiB")
    for part in found:
        rate, used = part.rate, [f"{figure.median:,.0f}" for figure in part.cpu.values()]
        spread = f" ({rate.low:,.0f} to {rate.high:,.0f})" if part.rounds > 1 else ""
        memory = "" if part.memory_mib is None else f"{part.memory_mib:.0f}"
        cost = f"{part.cost:,.0f} = {' + '.join(used)}"
        table.add_row(part.name, f"{rate.median:,.0f}{spread}", cost, f"{part.others.median:.1f}", memory)
    table.caption = (
        "CPU: milliseconds per thousand records, of service + mongod + broker. "
        "others: cores busy with something else. MiB: peak of a process."
    )
    return table


def _latency(found: Sequence[Latency]) -> Table:
    title = "From produce to published, or from request to answer: milliseconds (between the broker's times of both)"
    table = _table(title, "", "p50", "p99", "longest", "of")
    for one in found:
        within = ("", "") if one.service_p50 is None else (f" ({one.service_p50:.0f})", f" ({one.service_p99:.0f})")
        p50, p99 = f"{one.p50:.1f}{within[0]}", f"{one.p99:.1f}{within[1]}"
        table.add_row(one.part, p50, p99, f"{one.longest:.1f}", f"{one.purchases:,}")
    return table


def _goals(found: Sequence[Goal]) -> Table:
    table = _table("Goals", "", "found", "")
    for goal in found:
        table.add_row(goal.words, goal.found, "[green]met[/]" if goal.met else "[yellow]not met[/]")
    return table


def _table(title: str, first: str, *rest: str) -> Table:
    table = Table(title=title)
    table.add_column(first)
    for words in rest:
        table.add_column(words, justify="right")
    return table


def _commit() -> str:
    command = ["git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
