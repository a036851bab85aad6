"""A message comes up: who gets it, through which channels, and what it makes of those that are not sent yet."""

from datetime import datetime

from msgspec.structs import replace

from services.notifier.course import Course, message_id
from services.notifier.merging import APART, join
from services.notifier.policy import CHANNELS, RECEIPT, STALE, refusal, targets
from services.notifier.slots import release, restate, withdraw
from services.notifier.state import Message, Recalled, slot_key
from services.notifier.templates.params import BenefitUnlocked, Params, TierChanged, template_of
from shared.contracts.records import Cause


def announce(
    course: Course, params: Params, cause: Cause, at: datetime, key: str, gathered: datetime | None = None
) -> None:
    """A message comes up, in each of its channels that the customer has given.

    `at`: the business time of its cause. `key`: what makes its ids. `gathered`: the sender's time until which it may
    still grow. Before profile has said anything of a customer, it waits for that, in its first channel.
    """
    state, template = course.state, template_of(params)
    unknown = state.preferences is None and template != RECEIPT
    stale = at < course.now - STALE
    for channel in CHANNELS[template][:1] if unknown else targets(state, template):
        name = slot_key(template, channel)
        identity = message_id(state.customer_id, template, channel, key)
        message = Message(identity, key, params, (cause.type, cause.id), at, course.now, due=gathered)
        reason = "stale" if stale else None if unknown else refusal(state, template, channel)
        if reason is None:
            offer(course, name, message)
        elif template == RECEIPT and not stale:
            course.failed(name, course.slot(name), message, "no_address")  # profile waits until it is sent or fails
        else:
            course.suppressed(name, course.slot(name), message, reason)


def offer(course: Course, key: str, message: Message) -> None:
    """Put a message into its slot: into the last ones that wait there, if one can say all, or behind them.

    A change of tier that takes back the one that is queued withdraws that, and is told from where the customer was.
    """
    slot = course.slot(key)
    queued, others = slot.queued, slot.held
    if queued is not None and _one_moment(queued, message):
        said = join(course.programme, queued.params, message.params)
        assert said is not None
        assert said != APART
        restate(course, key, queued, said)
        return
    known = False  # whether the message has its place already
    while others:
        last = others[-1]
        said = join(course.programme, last.params, message.params)
        if said is None:
            course.withdrawn(key, slot, message, "reversed")
            withdraw(course, key, last, "reversed")
            return
        if said == APART:
            break
        if known or not _one_moment(last, message):
            course.withdrawn(key, slot, message, "merged")
        others, known = others[:-1], True
        slot = replace(slot, held=others)
        message = replace(last, params=said, cause=message.cause, at=message.at, change=last.change + 1)
    if queued is not None and _takes_back(queued.params, message.params):
        said = join(course.programme, queued.params, message.params)
        assert said != APART
        if said is None:
            course.withdrawn(key, replace(slot, held=others), message, "reversed")
            withdraw(course, key, queued, "reversed", instead=message)
            return
        after = replace(slot, queued=None, held=others, recalled=Recalled(queued.id))
        course.withdrawn(key, after, queued, "reversed")
        slot, message = after, replace(message, params=said)
    release(course, key, replace(slot, held=(*others, message)), message)


def _one_moment(earlier: Message, later: Message) -> bool:
    """Whether both tell of the benefits of one moment: those are one message."""
    return isinstance(earlier.params, BenefitUnlocked) and earlier.at == later.at


def _takes_back(queued: Params, later: Params) -> bool:
    return isinstance(queued, TierChanged) and isinstance(later, TierChanged) and queued.direction != later.direction
