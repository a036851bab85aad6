"""What a measured stretch of time cost: CPU by kind of process, memory, and how much the machine did for others."""

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil


@dataclass(frozen=True)
class Cost:
    """`cpu`: user and system seconds by kind of process; `others`: cores that were busy with something else."""

    cpu: dict[str, float]
    others: float


class Meter:
    """Counts from its making. `kinds`: process ids by kind; a kind without any (a server elsewhere) is left out."""

    def __init__(self, kinds: Mapping[str, Sequence[int]]) -> None:
        self._kinds = {kind: [psutil.Process(pid) for pid in pids] for kind, pids in kinds.items() if pids}
        self._at, self._busy, self._cpu = time.monotonic(), _busy(), self._now()

    def read(self) -> Cost:
        """The cost since the beginning."""
        seconds = time.monotonic() - self._at
        busy = _busy() - self._busy
        cpu = {kind: total - self._cpu[kind] for kind, total in self._now().items()}
        return Cost(
            {kind: used for kind, used in cpu.items() if kind != "bench"},
            max(0.0, (busy - sum(cpu.values())) / seconds),
        )

    def _now(self) -> dict[str, float]:
        found = {kind: sum(map(_used, processes)) for kind, processes in self._kinds.items()}
        if any(process.pid == os.getpid() for processes in self._kinds.values() for process in processes):
            return found
        return {**found, "bench": _used(psutil.Process())}


def peak_rss(pid: int) -> float:
    """The most memory that a process has ever held, in MiB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise LookupError(f"no VmHWM of {pid}")


def speed() -> float:
    """Million additions a second in a plain loop of Python, just now: a shared machine is not always as fast."""
    count, total = 2_000_000, 0
    began = time.monotonic()
    for number in range(count):
        total += number
    return count / (time.monotonic() - began) / 1e6


def machine() -> dict[str, object]:
    """What the figures were measured on."""
    names = [line.split(":")[1] for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line]
    return {
        "cores": os.cpu_count(),
        "processor": names[0].strip() if names else "unknown",
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "system": " ".join(os.uname()[i] for i in (0, 2)),
        "load": os.getloadavg()[0],
    }


def _used(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system


def _busy() -> float:
    times = psutil.cpu_times()
    return sum(times) - times.idle - times.iowait - times.guest - times.guest_nice
