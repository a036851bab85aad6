"""What the clock alone changes: birthdays come, versions of the programme start, an erasure is completed."""

from datetime import datetime, timedelta
from typing import Final

from services.profile import birthdays
from services.profile.showing import completed
from services.profile.state import BirthdayAwaited, Memo, State, evolve
from shared.contracts.profile import BirthdayCame, CustomerErased
from shared.contracts.records import Cause
from shared.rulebook.entry import Entry
from shared.rulebook.programme import Programme
from shared.sealing import Sealer

RECEIPT: Final = timedelta(hours=24)  # that an erasure waits for its receipt, at the latest


def due_at(state: State, programme: Programme) -> datetime | None:
    """The next instant at which the clock alone changes something.

    That a version starts is not among them: with a new one, the runtime settles everybody.
    """
    if state.erasure is not None:
        return None if state.erasure.done else state.erasure.at + RECEIPT
    return birthdays.next_look(state, programme.calendar)


def settle(
    state: State, programme: Programme, now: datetime, sealer: Sealer | None, *, review: bool = False
) -> tuple[State, list[Entry]]:
    """What fell due up to and with `now`, instant by instant, and the state after it.

    `review`: look at the completion even without a version that starts, for one may be published after its day.
    """
    due, since = due_at(state, programme), state.clock
    is_due = due is not None and due <= now
    entries: list[Entry] = []
    if state.erasure is not None:
        if due is not None and is_due:
            entries.append(erased(state.erasure.receipt_id, due, _clock(due), now))
    elif since is not None:
        came = dict[datetime, int]()
        if is_due:
            assert sealer is not None
            came = birthdays.came(state, programme.calendar, now, sealer)
        versions = {version.starts: version for version in programme.starting(since, now)}
        for instant in sorted({*versions, *came}):
            if instant in versions:
                entries += completed(_after(state, entries), versions[instant], instant)
            if instant in came:
                entries.append(Entry(BirthdayCame(year=came[instant]), instant, _clock(instant), memo=Memo(clock=now)))
        if is_due and not came:
            entries.append(Entry(BirthdayAwaited(), now, _clock(now)))  # moves the timer on
        version = programme.in_force(now)
        if review and version is not None:
            entries += completed(_after(state, entries), version, now)
    return _after(state, entries), entries


def erased(receipt_id: str, at: datetime, cause: Cause, now: datetime) -> Entry:
    """The last entry of a customer. `at`: when it takes effect."""
    return Entry(CustomerErased(receipt_id=receipt_id), at, cause, memo=Memo(clock=now))


def _clock(at: datetime) -> Cause:
    return Cause(type="Clock", id=at.strftime("%Y-%m-%dT%H:%M:%SZ"))


def _after(state: State, entries: list[Entry]) -> State:
    for entry in entries:
        state = evolve(state, entry)
    return state
