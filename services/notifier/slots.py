"""The life of a message between its cause and the sender: it waits, is queued, changes what it says, is withdrawn."""

from msgspec.structs import replace

from services.notifier import merging
from services.notifier.course import Course
from services.notifier.merging import Change
from services.notifier.policy import QUIET, RECEIPT, STALE, capped, earliest
from services.notifier.state import Message, Recalled, Slot, channel_of
from services.notifier.templates.params import Params, template_of


def release(course: Course, key: str, slot: Slot | None = None, newcomer: Message | None = None) -> None:
    """Queue the first message that waits, if nothing is before it and it may go; otherwise say when it may.

    `slot`: with a `newcomer`, which is not in the state yet.
    """
    slot, channel = slot or course.slot(key), channel_of(key)
    if slot.queued is not None or not slot.held or _lacks_preferences(course, slot.held[0]):
        if newcomer is not None:
            course.place(key, slot, newcomer)
        return
    first, rest = slot.held[0], slot.held[1:]
    if first.at < course.now - STALE:
        give_up(course, key, first, slot)
        return
    until = earliest(slot, channel, course.zone, course.now)
    held_back = first.capped or capped(slot, course.zone, course.now)
    if until > course.now:
        waits = replace(first, since=course.now, until=until, capped=held_back)
        if newcomer is not None or until != first.until:
            course.place(key, replace(slot, held=(waits, *rest)), newcomer if rest and newcomer else waits)
        return
    params, reason = merging.refreshed(course, first.params), "over"
    if params is not None and held_back:
        params, reason = merging.untold(slot.told, params), "unchanged"
    if params is None:
        course.withdrawn(key, replace(slot, held=rest), first, reason)
        release(course, key)
        return
    queued = replace(first, params=params, since=course.now, until=None, capped=False)
    recalled = slot.recalled and Recalled(slot.recalled.id)
    course.place(key, replace(slot, queued=queued, held=rest, recalled=recalled), queued)


def withdraw(course: Course, key: str, message: Message, reason: str, instead: Message | None = None) -> None:
    """Take a message out of its slot, and let the next one go. `instead`: see `Recalled`."""
    course.withdrawn(key, _without(course.slot(key), message, instead), message, reason)
    release(course, key)


def give_up(course: Course, key: str, message: Message, slot: Slot | None = None) -> None:
    """Two days have gone by since the cause of a message: it is not sent any more."""
    after = _without(slot or course.slot(key), message)
    if message.attempt > 1:
        course.failed(key, after, message, "gave_up")
    else:
        course.suppressed(key, after, message, "stale")
    release(course, key)


def hold_back(course: Course, key: str) -> None:
    """Quiet hours have begun, and may be over, since a message was queued that nobody has taken."""
    slot = course.slot(key)
    assert slot.queued is not None
    assert channel_of(key) in QUIET
    until = earliest(Slot(), channel_of(key), course.zone, course.now)
    if until > course.now:
        waits = replace(slot.queued, since=course.now, until=until, due=None, change=slot.queued.change + 1)
        course.place(key, replace(slot, queued=None, held=(waits, *slot.held)), waits)
    else:
        queued = replace(slot.queued, since=course.now)
        course.place(key, replace(slot, queued=queued), queued)


def revise(course: Course, key: str, change: Change, reason: str) -> None:
    """Change what the messages of a slot say; those that then say nothing are withdrawn for that reason."""
    slot = course.slot(key)
    # The last one first, so that none is queued that is about to go.
    for message in (*reversed(slot.held), *((slot.queued,) if slot.queued else ())):
        said = change(message.params)
        if said is None:
            withdraw(course, key, message, reason)
        elif said != message.params:
            restate(course, key, message, said)


def restate(course: Course, key: str, message: Message, params: Params) -> None:
    """A message says something else from now on."""
    slot, other = course.slot(key), replace(message, params=params, change=message.change + 1)
    if slot.queued is not None and slot.queued.id == message.id:
        course.place(key, replace(slot, queued=other), other)
    else:
        held = tuple(other if one.id == other.id else one for one in slot.held)
        course.place(key, replace(slot, held=held), other)


def _without(slot: Slot, message: Message, instead: Message | None = None) -> Slot:
    if slot.queued is not None and slot.queued.id == message.id:
        return replace(slot, queued=None, recalled=Recalled(message.id, instead))
    held = tuple(one for one in slot.held if one.id != message.id)
    # One that was tried before may be on its way, though it waits again.
    tried = message.attempt > 1 or message.change > 0
    return replace(slot, held=held, recalled=Recalled(message.id, instead) if tried else slot.recalled)


def _lacks_preferences(course: Course, message: Message) -> bool:
    """Topics do not keep each other's order: what profile says of a customer may come after a cause."""
    return course.state.preferences is None and template_of(message.params) != RECEIPT
