"""The programme as rules read it: all its versions on one line of time."""

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise

from shared.contracts.coherence import ProgrammeError, conflicts
from shared.contracts.programme import ProgrammeVersion
from shared.rulebook.calendar import Calendar, calendar


@dataclass(frozen=True, slots=True)
class Version:
    """A version of the programme, in force from `starts` (UTC). `tiers` and `thresholds` (minor units) go in pairs.

    `kinds`: of the profile's fields, in the order in which they are asked for. `unlocks`: the fields that benefits
    name, in the same order, and those benefits.
    """

    number: int
    starts: datetime
    terms: ProgrammeVersion
    tiers: tuple[str, ...]
    thresholds: tuple[int, ...]
    kinds: Mapping[str, str] = field(compare=False)
    unlocks: Mapping[str, tuple[str, ...]] = field(compare=False)

    def tier_reached(self, turnover_minor: int) -> int:
        """The place in `tiers` of the highest that a shown turnover (never below 0) reaches."""
        return bisect_right(self.thresholds, turnover_minor) - 1


class Programme:
    """All versions of the programme. Immutable: a new version makes a new one.

    `currency`, `calendar`, `rolling` (the window) and `net` (the basis) are the same in every version.
    """

    def __init__(self, versions: Iterable[ProgrammeVersion]) -> None:
        """Takes versions in any order; raises `ProgrammeError` when there is none, or they do not go together."""
        ordered = sorted(versions, key=lambda terms: (terms.effective_from, terms.version))
        found = [fault for older, newer in pairwise(ordered) for fault in conflicts([older], newer)]
        if found or not ordered:
            raise ProgrammeError(found or ["record: there is no version"])
        first = ordered[0]
        self.currency: str = first.currency
        self.calendar: Calendar = calendar(first.time_zone)
        self.rolling: bool = first.turnover.window == "rolling_12_months"
        self.net: bool = first.turnover.basis == "net"
        # Of those that start on one day, the highest number is in force; the others never are.
        self.versions: tuple[Version, ...] = tuple(
            _version(terms, self.calendar) for terms in {terms.effective_from: terms for terms in ordered}.values()
        )
        self._starts = [version.starts for version in self.versions]

    def in_force(self, at: datetime) -> Version | None:
        """The version in force at an instant; `None` before the first."""
        place = bisect_right(self._starts, at)
        return self.versions[place - 1] if place else None

    def starting(self, after: datetime, until: datetime) -> tuple[Version, ...]:
        """The versions that come into force later than `after` and not later than `until`, in that order."""
        return self.versions[bisect_right(self._starts, after) : bisect_right(self._starts, until)]


def _version(terms: ProgrammeVersion, zone: Calendar) -> Version:
    fields, benefits = terms.profile.fields, terms.benefits
    named = {one.id: tuple(each.id for each in benefits if one.id in each.requires.fields) for one in fields}
    return Version(
        number=terms.version,
        starts=zone.start_of_day(terms.effective_from),
        terms=terms,
        tiers=tuple(tier.id for tier in terms.tiers),
        thresholds=tuple(tier.from_minor for tier in terms.tiers),
        kinds={one.id: one.kind for one in fields},
        unlocks={name: unlocked for name, unlocked in named.items() if unlocked},
    )
