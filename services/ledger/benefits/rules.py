"""How benefits unlock, lock, come again and end. Whatever happens changes their basis, then all are looked at once.

So it does not matter which of tier and profile comes last, or whether they come together.
"""

from datetime import datetime, timedelta
from typing import Final

from msgspec.structs import replace

from services.ledger.benefits import terms
from services.ledger.benefits.changes import Scene, change, revoked, withdrawn
from services.ledger.benefits.state import Basis, BasisNoted, Benefits, Birthday, Closed
from services.ledger.points.credit import credit
from services.ledger.state import Memo, State, evolve
from shared.contracts.ledger import BenefitRevoked, BenefitsFact, BenefitUnlocked, BenefitUsed, Why
from shared.contracts.profile import BirthdayCame, CompletionChanged, CustomerEnrolled, CustomerErased, ErasureAccepted
from shared.contracts.records import Cause, Fact
from shared.contracts.turnover import TierChanged, TurnoverRecorded, TurnoverReduced, YearTurned
from shared.rulebook.entry import Entry
from shared.rulebook.programme import Programme, Version
from shared.runtime.rules import Heard

# How long a birthday lasts from when profile announces it; in which zone it does is a secret of profile.
_DAY: Final = timedelta(days=1)


def heard(state: State, message: Heard, programme: Programme, now: datetime, cause: Cause) -> list[Entry]:
    """What an event of a sister service changes; `state` is settled up to `now`, the customer's. `cause`: the event.

    A record takes effect now, and never before what took effect already; what the clock brought takes effect at its own
    time, however late it is heard.
    """
    benefits, envelope, fact = state.benefits, message.envelope, message.fact
    if fact is None or benefits.basis.gone:
        return []
    at = envelope.occurred_at
    if not _by_clock(fact):
        at = max(at, now, benefits.at or now)
    before = _settle(state, programme, at) if at > now else []
    state = _after(state, before)
    brought = _look(state, _told(state.benefits.basis, fact, envelope.occurred_at), programme, at, cause)
    return before + brought + (_settle(_after(state, brought), programme, now) if brought else [])


def due(state: State, programme: Programme) -> datetime | None:
    """The next instant at which the clock alone changes a benefit: a coupon runs out, or the year turns."""
    benefits = state.benefits
    if benefits.at is None or benefits.basis.gone:
        return None
    times = _ends(benefits)
    version = programme.in_force(benefits.at)
    if version is not None and _follow_clock(version, benefits.basis):
        times.append(programme.calendar.start_of_year(benefits.basis.clock + 1))
    return min(times, default=None)


def instants(state: State, programme: Programme, now: datetime) -> set[datetime]:
    """The instants up to `now` at which the clock or a new version may change benefits; nearly always none."""
    benefits, calendar = state.benefits, programme.calendar
    if benefits.at is None or benefits.basis.gone:
        return set()
    found = {version.starts for version in programme.starting(benefits.at, now)}
    found.update([end for end in _ends(benefits) if end <= now])
    for year in range(benefits.basis.clock + 1, calendar.year(now) + 1):
        start = calendar.start_of_year(year)
        version = programme.in_force(start)
        if version is not None and _follow_clock(version, benefits.basis):
            found.add(start)
    return found


def settle_at(state: State, programme: Programme, instant: datetime) -> list[Entry]:
    """What the clock or a new version changes at that instant, one of `instants`."""
    benefits = state.benefits
    if benefits.at is None or benefits.basis.gone:
        return []
    at = max(instant, benefits.at)
    entries: list[Entry] = []
    for key, grant in benefits.grants.items():
        if grant.status == "given" and grant.until is not None and grant.until <= instant:
            name, _, period = key.partition("/")
            fact = BenefitRevoked(
                benefit=name, kind="coupon", period=period or None, value_minor=grant.value, valid_until=grant.until
            )
            entries.append(Entry(fact, instant, _clock(instant), benefits.basis.version))
    return entries + _look(_after(state, entries), benefits.basis, programme, at, _settled_by(state, programme, at))


def review(state: State, programme: Programme, now: datetime) -> list[Entry]:
    """What the programme in force at `now` changes, if it is another than the one they were looked at under."""
    benefits = state.benefits
    if benefits.at is None or benefits.basis.gone:
        return []
    at = max(now, benefits.at)
    version = programme.in_force(at)
    if version is None or version.number == benefits.basis.version:
        return []
    return _look(state, benefits.basis, programme, at, _settled_by(state, programme, at))


def _told(basis: Basis, fact: Fact, at: datetime) -> Basis:
    """The basis after an event of a sister service that happened `at`."""
    match fact:
        case TurnoverRecorded() | TurnoverReduced() | TierChanged() | YearTurned():
            standing = fact.standing
            if standing.tier != basis.tier or standing.year > basis.year:
                # Until turnover knew the customer, the clock told the year: it does not go back.
                year = max(standing.year, basis.clock if basis.tier is None else basis.year)
                basis = replace(basis, tier=standing.tier, year=year)
            if isinstance(fact, YearTurned) and fact.closed is not None:
                basis = replace(basis, closed=Closed(fact.closed.year, fact.closed.turnover_minor))
            return basis
        case CustomerEnrolled():
            return replace(basis, enrolled=True)
        case CompletionChanged():
            return replace(basis, filled=tuple(sorted(fact.filled)))
        case BirthdayCame() if basis.birthday is None or basis.birthday.year < fact.year:
            return replace(basis, birthday=Birthday(fact.year, at + _DAY))
        case ErasureAccepted() | CustomerErased():
            return replace(basis, gone=True, filled=())
        case _:
            return basis


def _look(state: State, basis: Basis, programme: Programme, at: datetime, cause: Cause) -> list[Entry]:
    """The entries that lead to this basis, and to what it makes of each benefit."""
    before = state.benefits
    version = programme.in_force(max(at, before.at or at))
    number, clock = version.number if version else None, programme.calendar.year(at)
    if basis.version != number or basis.clock < clock:
        basis = replace(basis, version=number, clock=max(clock, basis.clock))
    if basis == before.basis:
        return []
    facts: list[BenefitsFact | BasisNoted] = []
    if basis.gone:
        facts += [revoked(name, before, programme) for name in before.unlocked]
    elif version is not None:
        scene = Scene(before, basis, version, programme, at)
        facts += [revoked(name, before, programme) for name in withdrawn(scene)]
        facts += [fact for one in version.terms.benefits if (fact := change(one, scene)) is not None]
    entries: list[Entry] = []
    memo: Memo | None = Memo(basis=basis)
    for fact in facts or [BasisNoted()]:
        entry = Entry(fact, at, cause, number, memo)
        memo, state = None, evolve(state, entry)
        entries.append(entry)
        if isinstance(fact, BenefitUnlocked) and fact.points:
            entries += (credited := _credited(state, fact, fact.points, entry, programme))
            state = _after(state, credited)
    return entries


def _credited(state: State, fact: BenefitUnlocked, points: int, entry: Entry, programme: Programme) -> list[Entry]:
    """The points of a benefit that has just unlocked (in `entry`), and that it is used with them."""
    why = Why(rule="benefit", benefit=fact.benefit, period=fact.period)
    lot_id = f"b:{fact.benefit}" if fact.period is None else f"b:{fact.benefit}:{fact.period}"
    used = BenefitUsed(benefit=fact.benefit, kind="points", period=fact.period, points=points)
    return [
        *credit(state, points, why, entry.occurred_at, lot_id, programme, entry.cause),
        replace(entry, fact=used, memo=None),
    ]


def _follow_clock(version: Version, basis: Basis) -> bool:
    """Whether the New Year of the clock can bring a benefit: not one for whose tier nothing was bought yet."""
    within_reach = (None, version.tiers[0]) if basis.tier is None else (None, *version.tiers)
    yearly = [one for one in version.terms.benefits if one.every == "year"]
    return any(terms.follows_clock(one, basis) and one.requires.tier in within_reach for one in yearly)


def _ends(benefits: Benefits) -> list[datetime]:
    return [one.until for one in benefits.grants.values() if one.status == "given" and one.until is not None]


def _by_clock(fact: Fact) -> bool:
    """Whether the clock alone led to an event, or a version of the programme."""
    match fact:
        case YearTurned() | BirthdayCame() | TierChanged(reason="year_end" | "programme"):
            return True
        case _:
            return False


def _settled_by(state: State, programme: Programme, at: datetime) -> Cause:
    version = programme.in_force(at)
    if version is None or version.number == state.benefits.basis.version:
        return _clock(at)
    return Cause(type="Programme", id=str(version.number))


def _clock(instant: datetime) -> Cause:
    return Cause(type="Clock", id=instant.strftime("%Y-%m-%dT%H:%M:%SZ"))


def _settle(state: State, programme: Programme, until: datetime) -> list[Entry]:
    entries: list[Entry] = []
    for instant in sorted(instants(state, programme, until)):
        settled = settle_at(state, programme, instant)
        state = _after(state, settled)
        entries += settled
    return entries


def _after(state: State, entries: list[Entry]) -> State:
    for entry in entries:
        state = evolve(state, entry)
    return state
