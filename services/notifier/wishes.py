"""What profile says of a customer: how they want to be spoken to, what their profile lacks, and that they leave."""

from msgspec.structs import replace

from services.notifier.coming import announce
from services.notifier.course import Course
from services.notifier.policy import QUIET, REMINDER, refusal, targets
from services.notifier.settling import settle
from services.notifier.slots import hold_back, release, revise
from services.notifier.state import Completion, Preferences, Slot, channel_of
from services.notifier.templates.params import ErasureReceipt, MissingField, Params, template_of
from shared.contracts.profile import CompletionChanged, CustomerErased, ErasureAccepted, PreferencesChanged
from shared.contracts.records import Cause, Envelope


def preferred(course: Course, fact: PreferencesChanged, cause: Cause) -> None:
    """What is not wanted any more is withdrawn, wherever it is; what waited for these preferences comes up."""
    channels = fact.channels.model_dump()
    preferences = Preferences(
        locale=fact.locale,
        time_zone=fact.time_zone,
        known=tuple(name for name, one in channels.items() if one["known"]),
        on=tuple(name for name, one in channels.items() if one["on"]),
        reminders=fact.reminders,
        consent=fact.consents.programme,
    )
    before = course.state.preferences
    if preferences == before:
        return
    waited = {} if before is not None else course.state.slots
    course.note("preferences", cause, preferences=preferences, slots=dict.fromkeys(waited, Slot()))
    for key, slot in waited.items():
        for message in slot.held:
            if channel_of(key) not in targets(course.state, template_of(message.params)):
                course.withdrawn(key, course.slot(key), message, "channel_unknown")
            announce(course, message.params, Cause(type=message.cause[0], id=message.cause[1]), message.at, message.key)
    for key in tuple(course.state.slots):
        template = key.partition("/")[0]
        reason = refusal(course.state, template, channel_of(key))
        if reason is not None:
            revise(course, key, _nothing, reason)
        else:  # days and hours may be cut elsewhere now
            if course.slot(key).queued is not None and channel_of(key) in QUIET:
                hold_back(course, key)
            release(course, key)
    _remind(course, cause)
    if before is not None and before.time_zone != preferences.time_zone:
        settle(course)  # what was due later may be due by now where it is later


def completed(course: Course, fact: CompletionChanged, cause: Cause) -> None:
    """What the profile lacks; a reminder that has not been sent tells the newest, or nothing."""
    missing = tuple(MissingField(one.field, one.unlocks) for one in fact.missing)
    completion = Completion(fact.percent, missing)
    if completion == course.state.completion:
        return
    course.note("completion", cause, completion=completion)

    def newest(params: Params) -> Params | None:
        return replace(params, percent=fact.percent, missing=missing) if missing else None  # type: ignore[call-arg]

    for key in tuple(course.state.slots):
        if key.startswith(f"{REMINDER}/"):
            revise(course, key, newest, "complete")
    _remind(course, cause)


def leaving(course: Course, fact: ErasureAccepted, envelope: Envelope, cause: Cause) -> None:
    """Erasure is accepted: all that waits is withdrawn, and nothing comes up any more but the receipt."""
    for key in tuple(course.state.slots):
        revise(course, key, _nothing, "erasure")
    course.note("erasure", cause, stage="accepted", reminded=None)
    version = envelope.programme_version or course.version
    receipt = ErasureReceipt(programme_version=version, receipt_id=fact.receipt_id, accepted_at=envelope.occurred_at)
    announce(course, receipt, cause, envelope.occurred_at, f"profile/{envelope.version}")


def erased(course: Course, _fact: CustomerErased, cause: Cause) -> None:
    """The key is gone, and with it every address: a receipt that was not sent by now never is."""
    for key, slot in course.state.slots.items():
        for message in (*((slot.queued,) if slot.queued else ()), *slot.held):
            course.failed(key, course.slot(key), message, "erased")
    course.note("erasure", cause, stage="erased")


def _remind(course: Course, cause: Cause) -> None:
    """Reminders run from the moment on at which all that they need is there, and end with it."""
    wanted = refusal(course.state, REMINDER, "email") is None
    if wanted and course.state.reminded is None:
        course.note("reminders", cause, reminded=course.now)
    elif not wanted and course.state.reminded is not None:
        course.note("reminders", cause, reminded=None)


def _nothing(_params: Params) -> Params | None:
    return None
