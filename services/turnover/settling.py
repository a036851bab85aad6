"""What the clock and new versions of the programme change by themselves: years turn, days leave, tiers move."""

from datetime import datetime, timedelta
from typing import Final, Literal

from services.turnover import tiers
from services.turnover.state import Memo, State, evolve
from services.turnover.tiers import Sums
from shared.contracts.records import Cause, made
from shared.contracts.turnover import Closed, TierChanged, YearTurned
from shared.rulebook.entry import Entry
from shared.rulebook.programme import Programme, Version

_INSTANT: Final = timedelta(microseconds=1)
Reason = Literal["turnover", "return", "year_end", "programme"]


def due_at(state: State, programme: Programme) -> datetime | None:
    """The next instant at which the clock alone changes something; `None` for a customer who is not known."""
    if state.clock is None:
        return None
    calendar = programme.calendar
    new_year = calendar.next_year(state.clock)
    return min(new_year, calendar.start_of_day(tiers.leaves(min(state.days)))) if state.days else new_year


def settle(state: State, programme: Programme, now: datetime, *, review: bool = False) -> tuple[State, list[Entry]]:
    """What fell due up to and with `now`, instant by instant, and the state after it.

    `review`: look at the tier even under a programme of one version, which may be a new one.
    """
    due, review = due_at(state, programme), review or len(programme.versions) > 1
    if due is None or (due > now and not review):
        return state, []
    entries: list[Entry] = []
    for instant in _instants(state, programme, now, due, review):
        for entry in _turn(state, programme, instant):
            state = evolve(state, entry)
            entries.append(entry)
    return state, entries


def tier_changed(
    state: State, programme: Programme, version: Version, found: Sums, tier: int, reason: Reason
) -> TierChanged | None:
    """The change to `tier`, if that is another than the one held so far."""
    before, after = state.tier or version.tiers[0], version.tiers[tier]
    if before == after:
        return None
    return made(
        TierChanged,
        from_=before,
        to=after,
        direction="down" if tier < _rank(programme, version, before) else "up",
        reason=reason,
        standing=tiers.standing(programme, version, found, tier),
    )


def _instants(state: State, programme: Programme, now: datetime, due: datetime, review: bool) -> list[datetime]:
    """The instants up to `now` at which something may change, in order of time."""
    since = state.clock
    if since is None:
        return []
    instants: set[datetime] = set()
    if review:
        instants.update(version.starts for version in programme.starting(since, now))
    if review and _outdated(state, programme, since):
        instants.add(since)
    if due <= now:
        start_of_year, year_of = programme.calendar.start_of_year, programme.calendar.year
        instants.update(start_of_year(year) for year in range(year_of(since) + 1, year_of(now) + 1))
        instants.update(programme.calendar.start_of_day(tiers.leaves(day)) for day in state.days)
    return sorted(instant for instant in instants if instant <= now) if instants else []


def _outdated(state: State, programme: Programme, since: datetime) -> bool:
    """Whether a version was published when its day was already behind this customer, and moves the tier now."""
    version = programme.in_force(since)
    if version is None:
        return False
    tier = tiers.held(version, tiers.sums(state.years, state.days, programme, since))
    return version.tiers[tier] != (state.tier or version.tiers[0])


def _turn(state: State, programme: Programme, instant: datetime) -> list[Entry]:
    """What changes at one instant: the year turns or days leave, a version comes into force; the tier is set once."""
    calendar, version = programme.calendar, programme.in_force(instant)
    if version is None or state.clock is None:
        return []
    year, today = calendar.year(instant), calendar.day(instant)
    left = [day for day in state.days if tiers.leaves(day) <= today]
    turned = calendar.year(state.clock) < year
    found = tiers.sums(state.years, state.days, programme, instant)
    tier = tiers.held(version, found)
    by_clock = made(Cause, type="Clock", id=instant.strftime("%Y-%m-%dT%H:%M:%SZ"))
    entries: list[Entry] = []
    if turned or left:
        closed = state.years.get(year - 1)
        fact = made(
            YearTurned,
            standing=tiers.standing(programme, version, found, tier),
            closed=made(Closed, year=year - 1, turnover_minor=max(0, closed.net) if closed else 0) if turned else None,
        )
        entries.append(Entry(fact, instant, by_clock, version.number, Memo(left=left) if left else None))
    # At a New Year that brings a version too, the version is the reason only if the year alone moves nothing.
    earlier = programme.in_force(instant - _INSTANT) or version
    moved = bool(entries) and earlier.tiers[tiers.held(earlier, found)] != (state.tier or earlier.tiers[0])
    change = tier_changed(state, programme, version, found, tier, "year_end" if moved else "programme")
    if change is not None:
        cause = by_clock if moved else made(Cause, type="Programme", id=str(version.number))
        entries.append(Entry(change, instant, cause, version.number))
    return entries


def _rank(programme: Programme, version: Version, tier: str) -> int:
    """The place of a tier among the version's; one that it dropped has the place that it had last."""
    known = next((one for one in (version, *reversed(programme.versions)) if tier in one.tiers), None)
    return known.tiers.index(tier) if known else 0
