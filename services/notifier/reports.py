"""What the sender says became of a message, and what follows."""

from datetime import datetime
from typing import Any, Literal

from msgspec.structs import replace

from services.notifier.coming import offer
from services.notifier.course import Course, message_id
from services.notifier.hours import after_quiet, local_day, quiet
from services.notifier.merging import tier_from, untold
from services.notifier.policy import PAUSES, QUIET, RECEIPT
from services.notifier.slots import release
from services.notifier.state import Message, Recalled, Slot, channel_of, slot_key
from services.notifier.templates.params import BenefitUnlocked, Params, PointsRedeemed, TierChanged, read
from shared.contracts.records import Id, Moment, Record

Outcome = Literal["sent", "retry", "refused", "rejected", "unrenderable", "no_address", "bad_address", "not_configured"]


class DeliveryReported(Record):
    """What became of an attempt.

    `outcome`: a server took it; it may be tried again (`retry`); the message was `refused`, or its address `rejected`,
    for good; the message could not be made; the customer has no address in that channel; it is still the address that
    was rejected; the channel is not configured.
    `at`: the sender's time. `ref`: of the address. `params`: what the message said.
    """

    notification_id: Id
    template: Id
    channel: Id
    attempt: int
    outcome: Outcome
    at: Moment
    ref: str | None = None
    params: dict[str, Any]


def reported(course: Course, report: DeliveryReported) -> None:
    """The outcome of an attempt. One of a message that is withdrawn counts only if it was sent for all that."""
    key = slot_key(report.template, report.channel)
    slot = course.slot(key)
    message, after = _taken_out(slot, report.notification_id)
    recalled = slot.recalled
    if report.outcome == "sent":
        if message is not None:
            _sent(course, key, after, message, report)
        elif recalled is not None and recalled.id == report.notification_id:
            _sent_after_all(course, key, slot, recalled, report)
    elif message is None or message.attempt != report.attempt:
        return
    elif report.outcome == "retry":
        _again(course, key, slot, message, report.at)
    elif report.outcome in ("refused", "rejected", "unrenderable"):
        course.failed(key, after, message, report.outcome)
        if report.outcome == "rejected" and report.ref is not None:
            bad = {**course.state.bad, report.channel: report.ref}
            course.note("address", course.entries[-1].cause, bad=bad)
        release(course, key)
    elif report.template == RECEIPT:
        course.failed(key, after, message, report.outcome)
        release(course, key)
    else:
        course.suppressed(key, after, message, report.outcome)
        release(course, key)


def _sent(course: Course, key: str, after: Slot, message: Message, report: DeliveryReported) -> None:
    """It was sent. What it did not say yet, because that came while it was on its way, is a message of its own."""
    told = read(report.params)
    after = replace(after, day=local_day(course.zone, course.now), told=told)
    course.sent(key, after, message, report.attempt)
    rest = _beyond(course, told, message.params)
    if rest is not None:
        _follow(course, key, report, replace(message, params=rest))
    release(course, key)


def _sent_after_all(course: Course, key: str, slot: Slot, recalled: Recalled, report: DeliveryReported) -> None:
    """It was on its way when it was withdrawn. Who was told what is not true any more is told what is."""
    told = read(report.params)
    after = replace(slot, recalled=None, day=local_day(course.zone, course.now), told=told)
    cause = ("DeliveryReported.v1", report.notification_id)
    course.sent(key, after, Message(recalled.id, "", told, cause, course.now, course.now), report.attempt)
    if recalled.instead is not None and not slot.held and slot.queued is None:
        rest = _beyond(course, told, recalled.instead.params)
        if rest is not None:
            _follow(course, key, report, replace(recalled.instead, params=rest))


def _beyond(course: Course, told: Params, params: Params) -> Params | None:
    match told, params:
        case TierChanged(), TierChanged():
            return tier_from(course.programme, params, told.to_tier)
        case BenefitUnlocked(), BenefitUnlocked():
            return untold(told, params)
        case PointsRedeemed(), PointsRedeemed() if told.points < params.points:
            return replace(params, points=params.points - told.points)
        case _:
            return None


def _follow(course: Course, key: str, report: DeliveryReported, message: Message) -> None:
    after = f"{message.key}/after"
    identity = message_id(course.state.customer_id, report.template, report.channel, after)
    offer(course, key, Message(identity, after, message.params, message.cause, message.at, course.now))


def _again(course: Course, key: str, slot: Slot, message: Message, at: datetime) -> None:
    """It is tried again after a pause, or after the quiet hours into which that would fall."""
    if message.attempt > len(PAUSES):
        course.failed(key, _taken_out(slot, message.id)[1], message, "gave_up")
        release(course, key)
        return
    pause = PAUSES[message.attempt - 1]
    later = replace(message, attempt=message.attempt + 1, since=course.now, due=at + pause)
    if slot.queued is not message:
        held = tuple(later if one is message else one for one in slot.held)
        course.place(key, replace(slot, held=held), later)
    elif channel_of(key) in QUIET and quiet(course.zone, course.now + pause):
        later = replace(later, until=after_quiet(course.zone, course.now + pause), due=None)
        course.place(key, replace(slot, queued=None, held=(later, *slot.held)), later)
    else:
        course.place(key, replace(slot, queued=later), later)


def _taken_out(slot: Slot, identity: str) -> tuple[Message | None, Slot]:
    """A message of a slot, and the slot without it."""
    if slot.queued is not None and slot.queued.id == identity:
        return slot.queued, replace(slot, queued=None)
    found = next((one for one in slot.held if one.id == identity), None)
    return found, replace(slot, held=tuple(one for one in slot.held if one is not found))
