"""What turnover made of its input, counted from what it wrote: topics and metrics, never from what was sent."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec
from prometheus_client.parser import text_string_to_metric_families

from deploy.cli import deadletters, kafka, programme
from shared.contracts.topics import PURCHASES, dead_letters_topic, events_topic

SERVICE: Final = "turnover"


class _Standing(msgspec.Struct):
    tier: str


class Event(msgspec.Struct):
    """As much of an event of turnover as is counted."""

    type: str
    customer_id: str
    version: int
    store_id: str = ""
    return_id: str = ""
    reason: str = ""
    standing: _Standing | None = None


@dataclass
class Outcome:
    """`tiers`: customers by the tier that their newest event tells. `returned`: returns that reduced a turnover;
    `refused`: those that were refused, wholly or in part, by reason; `waiting`: for a purchase that never came.
    `dead`: dead letters by the field that their reason names."""

    tiers: Counter[str] = field(default_factory=Counter[str])
    purchases: int = 0
    returned: int = 0
    refused: Counter[str] = field(default_factory=Counter[str])
    waiting: int = 0
    duplicates: int = 0
    dead: Counter[str] = field(default_factory=Counter[str])


async def outcome(options: dict[str, Any], metrics: str) -> Outcome:
    """The outcome so far, from the events, the dead letters, and the text of `/metrics`."""
    values = [record.value or b"" async for record in kafka.read(options, events_topic(SERVICE))]
    counted = count(msgspec.json.decode(value, type=Event) for value in values)
    records = {
        sample["outcome"]: number
        for sample, number in samples(metrics, "perkstream_records_total")
        if sample["topic"] == PURCHASES
    }
    counted.duplicates = int(records.get("duplicate", 0))
    # What was counted and led to no event of its own is a return whose purchase has not been seen.
    counted.waiting += int(records.get("counted", 0))
    async for record in kafka.read(options, dead_letters_topic(SERVICE)):
        counted.dead[str(deadletters.described(record)["reason"]).partition(":")[0]] += 1
    versions = await programme.published(options)
    order = [tier.id for tier in versions[-1].tiers] if versions else []
    counted.tiers = Counter({tier: counted.tiers[tier] for tier in [*order, *counted.tiers]})
    return counted


def count(events: Iterable[Event]) -> Outcome:
    """What the events say. They must come in order for each customer; those that come again are dropped.

    `waiting` is what they lack, below zero.
    """
    found = Outcome()
    tiers: dict[str, str] = {}
    seen: dict[str, int] = {}
    settled: set[tuple[str, str, str]] = set()
    for event in events:
        if event.version <= seen.get(event.customer_id, 0):
            continue
        seen[event.customer_id] = event.version
        if event.standing is not None:
            tiers[event.customer_id] = event.standing.tier
        match event.type:
            case "TurnoverRecorded.v1":
                found.purchases += 1
            case "TurnoverReduced.v1" | "ReturnRefused.v1":
                settled.add((event.customer_id, event.store_id, event.return_id))
                if event.type == "TurnoverReduced.v1":
                    found.returned += 1
                else:
                    found.refused[event.reason] += 1
            case _:
                pass
    found.tiers = Counter(tiers.values())
    found.waiting = -found.purchases - len(settled)
    return found


def samples(metrics: str, name: str) -> list[tuple[dict[str, str], float]]:
    """The labels and the value of each sample of that name in the text of `/metrics`."""
    families = text_string_to_metric_families(metrics)
    return [(dict(one.labels), one.value) for family in families for one in family.samples if one.name == name]


def buckets(metrics: str, name: str) -> dict[float, float]:
    """A histogram: how many observations were at most so many seconds."""
    return {float(labels["le"]): number for labels, number in samples(metrics, f"{name}_bucket")}


def quantile(before: Mapping[float, float], after: Mapping[float, float], share: float) -> float | None:
    """The seconds within which that share of the observations between two readings stayed; `None` without any.

    Between the bounds of a bucket it is interpolated, as Prometheus does; above the last bound it is infinite.
    """
    bounds = sorted(after)
    new = [after[bound] - before.get(bound, 0) for bound in bounds]
    if not new or new[-1] <= 0:
        return None
    wanted = share * new[-1]
    low, below = 0.0, 0.0
    for bound, number in zip(bounds, new, strict=True):
        if number >= wanted:
            return bound if bound == float("inf") else low + (bound - low) * (wanted - below) / max(number - below, 1)
        low, below = bound, number
    return None
