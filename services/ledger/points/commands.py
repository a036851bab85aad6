"""What tills and staff ask of a customer's points: the bodies of the ledger's commands.

`at` is when the request was made; it counts only for a customer who has no now yet. What every command carries beside
its body (`sent_at`, `command_id`) is read from there: a request that is sent again has the same body.
"""

from typing import Annotated

from pydantic import Field

from shared.contracts.records import Id, MinorAboveZero, Moment, Record

MOST_POINTS = 10**12


class HoldPoints(Record):
    """Reserve points at a till. The id of the command becomes that of the redemption; it begins with the partition."""

    redemption_id: Id = Field(validation_alias="command_id")
    points: MinorAboveZero
    store_id: Id | None = None
    purchase_id: Id | None = None
    at: Moment = Field(validation_alias="sent_at")


class CapturePoints(Record):
    """Spend what is held: `points` of it, the rest is released; `None`: all."""

    redemption_id: Id
    points: MinorAboveZero | None = None
    at: Moment = Field(validation_alias="sent_at")


class ReleaseHold(Record):
    """Let go of what is held."""

    redemption_id: Id
    at: Moment = Field(validation_alias="sent_at")


class AdjustPoints(Record):
    """Give points, or below zero take available ones; never 0. `reason`: a code."""

    points: Annotated[int, Field(ge=-MOST_POINTS, le=MOST_POINTS)]
    reason: Id
    at: Moment = Field(validation_alias="sent_at")
