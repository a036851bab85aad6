"""What the clock alone brings: messages that may go now, quiet hours, reminders, and what nobody needs any more."""

from datetime import datetime, timedelta
from typing import Final

from services.notifier.coming import announce
from services.notifier.course import Course
from services.notifier.hours import later_at, quiet_from
from services.notifier.policy import QUIET, STALE, zone
from services.notifier.slots import give_up, hold_back, release
from services.notifier.state import Message, Slot, State, channel_of
from services.notifier.templates.params import ProfileReminder
from shared.contracts.records import Cause
from shared.rulebook.programme import Programme

_INSTANT: Final = timedelta(microseconds=1)


def due_at(state: State, programme: Programme) -> datetime | None:
    """The next instant at which the clock alone changes something; `None` if it never does."""
    where = zone(state, programme)
    instants = [at for key, slot in state.slots.items() for at in _due(key, slot, where)]
    if state.reminded is not None:
        instants.append(_next_reminder(state, programme, state.reminded))
    return min(instants, default=None)


def settle(course: Course) -> None:
    """What fell due up to and with now."""
    now = course.now
    for key in tuple(course.state.slots):
        while (old := _stale(course.slot(key), now)) is not None:
            give_up(course, key, old)
        queued = course.slot(key).queued
        if queued is not None and channel_of(key) in QUIET and quiet_from(course.zone, queued.since) <= now:
            hold_back(course, key)
        release(course, key)
    if course.state.reminded is not None:
        _remind(course, course.state.reminded)


def _stale(slot: Slot, now: datetime) -> Message | None:
    return next((one for one in _open(slot) if one.at < now - STALE), None)


def _open(slot: Slot) -> tuple[Message, ...]:
    return (*((slot.queued,) if slot.queued else ()), *slot.held)


def _due(key: str, slot: Slot, where: str) -> list[datetime]:
    """When a slot is due. A message that waits behind another one has no time but that of being stale."""
    instants = [message.at + STALE + _INSTANT for message in _open(slot)]
    if slot.queued is not None:
        if channel_of(key) in QUIET:
            instants.append(quiet_from(where, slot.queued.since))
    elif slot.held and slot.held[0].until is not None:
        instants.append(slot.held[0].until)
    return instants


def _remind(course: Course, since: datetime) -> None:
    """A reminder that is due, once, however many of them were missed."""
    due = None
    while (at := _next_reminder(course.state, course.programme, since)) <= course.now:
        due = since = at
    done = course.state.completion
    if due is None or done is None:
        return
    cause = Cause(type="Clock", id=due.strftime("%Y-%m-%dT%H:%M:%SZ"))
    course.note("reminders", cause, reminded=due)
    version = course.version
    reminder = ProfileReminder(programme_version=version, percent=done.percent, missing=done.missing)
    announce(course, reminder, cause, course.now, f"clock/{cause.id}")


def _next_reminder(state: State, programme: Programme, since: datetime) -> datetime:
    terms = (programme.in_force(since) or programme.versions[0]).terms.reminders
    return later_at(zone(state, programme), since, terms.every, terms.at)
