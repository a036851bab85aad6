"""What may be sent to whom, through which channel, how often and how long. Source: domain rules, "Notifications"."""

from datetime import datetime, timedelta
from typing import Final

from services.notifier.hours import after_quiet, local_day, next_day
from services.notifier.state import Slot, State
from shared.rulebook.programme import Programme

RECEIPT: Final = "erasure_receipt"
REMINDER: Final = "profile_reminder"
CHANNELS: Final[dict[str, tuple[str, ...]]] = {
    "tier_changed": ("email", "push"),
    "benefit_unlocked": ("email", "push"),
    "points_expiring": ("email",),
    REMINDER: ("email",),
    "points_redeemed": ("push",),
    RECEIPT: ("email",),
}
"""The channels of each template, the most usual first."""

QUIET: Final = frozenset({"sms", "push"})  # channels that ring
STALE: Final = timedelta(days=2)
# The events of one moment are published one after the other; until then nobody takes a message that may yet grow.
GATHERING: Final = timedelta(seconds=2)
PAUSES: Final = tuple(timedelta(minutes=minutes) for minutes in (1, 5, 15, 30, 60, 120, 240, 480, 720, 1080))
"""Before the second try of a message, the third and so on; with the last, two days are nearly over, and so is it."""


def refusal(state: State, template: str, channel: str) -> str | None:
    """Why a customer does not get a message of that template in that channel; `None` where nothing is against it."""
    wishes = state.preferences
    if template != RECEIPT and (wishes is None or not wishes.consent):
        return "no_consent"
    if wishes is None or channel not in wishes.known:
        return "channel_unknown"
    if channel not in wishes.on:
        return "channel_off"
    if template == REMINDER and not wishes.reminders:
        return "switched_off"
    if template == REMINDER and (state.completion is None or not state.completion.missing):
        return "complete"
    return None


def targets(state: State, template: str) -> tuple[str, ...]:
    """The channels in which a message comes up: those that the customer has given; without any, the first."""
    known = state.preferences.known if state.preferences else ()
    return tuple(one for one in CHANNELS[template] if one in known) or CHANNELS[template][:1]


def zone(state: State, programme: Programme) -> str:
    """The time zone in which a customer's days and hours are cut."""
    return state.preferences.time_zone if state.preferences else programme.versions[0].terms.time_zone


def capped(slot: Slot, zone_name: str, at: datetime) -> bool:
    """Whether the one message of this day was sent already. A day that the customer travelled back to is over, too."""
    return slot.day is not None and local_day(zone_name, at) <= slot.day


def earliest(slot: Slot, channel: str, zone_name: str, at: datetime) -> datetime:
    """The first instant from `at` on at which a message may go."""
    if slot.day is not None and capped(slot, zone_name, at):
        at = next_day(zone_name, slot.day)
    return after_quiet(zone_name, at) if channel in QUIET else at
