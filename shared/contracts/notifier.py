"""What the notifier publishes: what became of each message. No message, no address, and no name is in it."""

from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from shared.contracts.records import Fact, Id


class NotificationFact(Fact):
    """What became of one message in one channel.

    `template`, `channel`, `reason`: names of open sets, so that a new one is no new version of the event. Templates:
    `tier_changed`, `benefit_unlocked`, `points_expiring`, `profile_reminder`, `points_redeemed`, `erasure_receipt`.
    """

    notification_id: Id
    template: Id
    channel: Id


class NotificationSent(NotificationFact):
    """A server has taken it over. `attempts`: how often it was tried, this time included."""

    type: Literal["NotificationSent.v1"] = "NotificationSent.v1"
    reason: None = None
    attempts: Annotated[int, Field(ge=1)]


class NotificationFailed(NotificationFact):
    """It will not arrive. `reason`: `rejected` (the address, for good), `refused` (the message), `gave_up` (nobody took
    it in two days), `no_address`, `bad_address`, `not_configured`, `unrenderable`, or `erased` (the key went first)."""

    type: Literal["NotificationFailed.v1"] = "NotificationFailed.v1"
    reason: Id


class NotificationSuppressed(NotificationFact):
    """It was not to be sent when it came up. `reason`: `no_consent`, `channel_unknown`, `channel_off`, `stale` (its
    cause lies more than two days back), `no_address`, `bad_address` (rejected before, and not changed since), or
    `not_configured` (we do not offer that channel)."""

    type: Literal["NotificationSuppressed.v1"] = "NotificationSuppressed.v1"
    reason: Id


class NotificationWithdrawn(NotificationFact):
    """It waited, and then was not to be sent any more. `reason`: `reversed` (its cause), `merged` (an earlier one says
    it), `unchanged` (it says what was told last), `complete`, `switched_off`, `no_consent`, `channel_unknown`,
    `channel_off`, `over` (what it announces is past), or `erasure`.

    One that was on its way in that moment is sent all the same, and that is told afterwards.
    """

    type: Literal["NotificationWithdrawn.v1"] = "NotificationWithdrawn.v1"
    reason: Id


NotifierFact = NotificationSent | NotificationFailed | NotificationSuppressed | NotificationWithdrawn
NOTIFIER: TypeAdapter[NotifierFact] = TypeAdapter(Annotated[NotifierFact, Field(discriminator="type")])
