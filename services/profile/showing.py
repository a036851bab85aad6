"""What others are told of a state: how complete it is, how the customer wants to be spoken to, and what changed."""

from datetime import datetime
from functools import lru_cache
from typing import Final

from services.profile import birthdays
from services.profile.merging import Change
from services.profile.state import (
    ADDRESSES,
    LOCALE,
    PURPOSES,
    TIME_ZONE,
    Completion,
    Consent,
    Memo,
    ProfileNoted,
    State,
    apply,
)
from shared.contracts.profile import (
    BirthdayCame,
    Channel,
    Channels,
    CompletionChanged,
    CustomerEnrolled,
    Granted,
    Missing,
    PreferencesChanged,
    ProfileChanged,
)
from shared.contracts.records import Cause, Fact
from shared.rulebook.entry import Entry
from shared.rulebook.programme import Programme, Version

LANGUAGE: Final = "en"  # where nobody has named one
ENROLLED: Final = CustomerEnrolled(via="crm")


def told(
    state: State, change: Change, programme: Programme, version: Version, at: datetime, cause: Cause, now: datetime
) -> list[Entry]:
    """The entries that a change leads to; what it changes rides on the first. `version`: in force at `now`."""
    memo, enrolled = change.memo, state.said is not None
    after = apply(state, memo)
    facts: list[tuple[Fact | ProfileNoted, int | None]] = []
    if not enrolled:
        facts.append((ENROLLED, None))
    elif paths := _changed(state, memo):
        facts.append((ProfileChanged(fields=paths), None))
    preferred = _preferred(after)
    if not enrolled or preferred != _preferred(state):
        facts.append((preferences(after, version.terms.time_zone), None))
    said = completion(after, version)
    if said != state.said:
        facts.append((_completion_changed(said), version.number))
    today = programme.calendar.day(now)
    if change.birthday is not None and birthdays.is_due(state, change.birthday, today):
        facts.append((BirthdayCame(year=today.year), None))
    (fact, number), *others = facts or [(ProfileNoted(), None)]
    first = Entry(fact, at, cause, number, ahead(memo, at, now))
    return [first, *(Entry(fact, at, cause, number) for fact, number in others)]


def completed(state: State, version: Version, instant: datetime) -> list[Entry]:
    """The change that a version brings by itself, if it brings one to this customer."""
    said = completion(state, version)
    if said == state.said:
        return []
    cause = Cause(type="Programme", id=str(version.number))
    return [Entry(_completion_changed(said), instant, cause, version.number)]


def completion(state: State, version: Version) -> Completion:
    """How complete a profile is: floor(100 × filled required fields / required fields), 100 when nothing is required.

    Source: domain, "Profile". A field is required when a benefit of the version in force names it.
    """
    filled = tuple([name for name in version.kinds if state.box(f"fields.{name}") is not None])
    missing = tuple([(name, unlocks) for name, unlocks in version.unlocks.items() if name not in filled])
    required = len(version.unlocks)
    percent = 100 * (required - len(missing)) // required if required else 100
    return Completion(percent, filled, missing)


def preferences(state: State, usual_zone: str) -> PreferencesChanged:
    """The preferences that hold. A channel is on once its address is known, until the customer switches it off.

    `usual_zone`: the programme's, where the customer named none.
    """
    return _preferences_changed(_preferred(state), usual_zone)


def ahead(memo: Memo, at: datetime, now: datetime) -> Memo | None:
    """The memo of an entry of the time `at`; `None` where it has nothing to say."""
    if at != now:
        memo = Memo(memo.kept, memo.consents, memo.reminders, memo.off, memo.birth_month, now)
    return None if memo == _NOTHING else memo


_NOTHING: Final = Memo()
_Preferred = tuple[str | None, str | None, tuple[str, ...], tuple[str, ...], bool, tuple[str, ...]]


def _preferred(state: State) -> _Preferred:
    """Language, zone, known channels, those that are on, reminders and granted consents: cheap to compare."""
    known = tuple([name for name, path in ADDRESSES.items() if state.box(path) is not None])
    on = tuple([name for name in known if name not in state.off])
    granted = tuple([name for name in PURPOSES if (history := state.consents.get(name)) and history[-1].granted])
    return state.box(LOCALE), state.box(TIME_ZONE), known, on, state.reminders, granted


# Building models costs as much as sealing three values, and many customers say the same.
@lru_cache(maxsize=4096)
def _preferences_changed(preferred: _Preferred, usual_zone: str) -> PreferencesChanged:
    locale, zone, known, on, reminders, granted = preferred
    return PreferencesChanged(
        locale=locale or LANGUAGE,
        time_zone=zone or usual_zone,
        channels=Channels(**{name: Channel(known=name in known, on=name in on) for name in ADDRESSES}),
        reminders=reminders,
        consents=Granted(**{name: name in granted for name in PURPOSES}),
    )


@lru_cache(maxsize=4096)
def _completion_changed(said: Completion) -> CompletionChanged:
    return CompletionChanged(
        percent=said.percent,
        complete=not said.missing,
        filled=said.filled,
        missing=tuple([Missing(field=name, unlocks=unlocks) for name, unlocks in said.missing]),
    )


def _changed(state: State, memo: Memo) -> tuple[str, ...]:
    """The paths of what others see change, of all that a memo brings."""
    values = [path for path, kept in memo.kept.items() if kept.box != state.box(path)]
    return (*values, *(f"consents.{purpose}" for purpose, one in memo.consents.items() if _holds(state, purpose, one)))


def _holds(state: State, purpose: str, consent: Consent) -> bool:
    history = state.consents.get(purpose)
    return not history or consent.rank > history[-1].rank
