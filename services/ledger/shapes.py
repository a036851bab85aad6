"""The shapes of requests and answers over HTTP, as they are described and, of requests, checked.

Points are integers; amounts are minor units of the programme's currency.
"""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from shared.contracts.ledger import Posting, Reason, Totals, Why
from shared.contracts.pos import PurchaseCompleted
from shared.contracts.programme import Label

MOST_POINTS = 10**12
Id = Annotated[str, Field(pattern=r"^[A-Za-z0-9._:-]{1,64}$")]
Points = Annotated[int, Field(ge=1, le=MOST_POINTS)]


def _not_zero(points: int) -> int:
    if points == 0:
        raise ValueError("is 0")
    return points


class Request(BaseModel):
    """What a caller sends: nothing is coerced, and what is unknown is refused."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Hold(Request):
    """Points to reserve, and what for."""

    points: Points
    store_id: Id | None = None
    purchase_id: Id | None = None


class Capture(Request):
    """How many of the reserved points are spent; absent: all."""

    points: Points | None = None


class Use(Request):
    """Where a benefit is used. `code`: of the coupon, as the customer shows it; absent: the one that runs out first."""

    code: Annotated[str, Field(max_length=64)] | None = None
    store_id: Id | None = None
    purchase_id: Id | None = None


class Adjustment(Request):
    """Points to give, or below zero to take; `reason` is a code."""

    points: Annotated[
        int, Field(ge=-MOST_POINTS, le=MOST_POINTS, json_schema_extra={"not": {"const": 0}}), AfterValidator(_not_zero)
    ]
    reason: Id


class Expiring(BaseModel):
    """Available points that expire together: `expires_at` is the first instant at which they are gone."""

    points: int
    expires_at: datetime


class Balance(Totals):
    """A customer's points. `owed` is what whatever becomes available will settle first."""

    expiring: list[Expiring]
    version: int


class Entry(BaseModel):
    """A movement of points: the event as it was published, and what it says to the customer."""

    model_config = ConfigDict(extra="allow")

    version: int
    type: str
    entry_id: str
    occurred_at: datetime
    points: int
    totals: Totals
    postings: list[Posting]
    text: Label


class Entries(BaseModel):
    """Newest first; `next` is the `cursor` of the page after, null on the last one."""

    items: list[Entry]
    next: str | None


class Benefit(BaseModel):
    """A benefit, or one coupon of it.

    `reasons`: all that a locked one still needs. `period`: the year, where it comes again. `code`: of a coupon that may
    be used; one that is not issued yet has none. `points`: what it credits.
    """

    benefit: str
    label: Label | None
    kind: Literal["points", "perk", "coupon"]
    status: Literal["locked", "available", "used", "revoked"]
    reasons: list[Reason]
    period: str | None
    code: str | None
    points: int | None
    value_minor: int | None
    valid_until: datetime | None


class Benefits(BaseModel):
    """All benefits, in the programme's order."""

    items: list[Benefit]


class Quote(BaseModel):
    """What a purchase would earn: pending until `available_at`, gone at `expires_at`."""

    points: int
    why: Why
    text: Label
    available_at: datetime
    expires_at: datetime
    programme_version: int


class Liability(BaseModel):
    """Outstanding points that expire in a month (`yyyy-mm`), and what they are worth."""

    month: str
    points: int
    value_minor: int


class TrialBalance(BaseModel):
    """The accounts of all customers together; `sum` is zero."""

    accounts: dict[str, int]
    sum: int
    customers: int
    liability: list[Liability]


class Held(BaseModel):
    """Reserved points. `available`: what is left."""

    redemption_id: str
    points: int
    expires_at: datetime
    available: int


class Captured(BaseModel):
    """Points that were spent. `available`: what is left."""

    redemption_id: str
    points: int
    available: int


class Adjusted(Totals):
    """Points that staff gave or took, and the balance after it."""

    entry_id: str
    points: int


class Used(BaseModel):
    """A benefit that was used. `status`: `available` where it may be used again at once."""

    benefit: str
    kind: Literal["perk", "coupon"]
    status: Literal["available", "used"]
    period: str | None
    value_minor: int | None
    valid_until: datetime | None


def purchase_schema() -> dict[str, Any]:
    """The JSON Schema of a purchase record whose `type` and `customer_id` may be left out, without references."""
    schema = PurchaseCompleted.model_json_schema()
    schema["properties"]["lines"]["items"] = schema.pop("$defs")["Line"]
    schema["required"] = [name for name in schema["required"] if name not in {"type", "customer_id"}]
    return schema
