"""What the page says, as data: the answer to `GET /api/my-bonus`, and what the templates are given."""

from datetime import date, datetime
from typing import Literal

from pydantic import BaseModel

Status = Literal["locked", "unlocking", "available", "used"]
Kind = Literal["purchase", "return", "tier", "benefit", "redemption", "expiry", "adjustment", "settlement"]


class Tier(BaseModel):
    """A tier. `rank`: its place among the tiers, from 0."""

    id: str
    label: str
    rank: int


class Turnover(BaseModel):
    """Where the customer stands in the current year, in minor units.

    `last_day`: of the tier, `None` where nothing ends it. `to_next_minor`: what is missing to `next_tier`; both are
    `None` at the top. `to_keep_minor`: what is missing to hold the tier for another year.
    """

    year: int
    turnover_minor: int
    tier: Tier
    last_day: date | None
    next_tier: Tier | None
    to_next_minor: int | None
    to_keep_minor: int


class Coming(BaseModel):
    """Points that become available on one day of the customer's; `available_at`: the last of them."""

    points: int
    day: date
    available_at: datetime


class Going(BaseModel):
    """Points that can be used up to and with that day."""

    points: int
    last_day: date


class Points(BaseModel):
    """Points as the ledger counts them. `worth_minor`: of the available ones at the till. Soonest first."""

    available: int
    worth_minor: int
    pending: int
    held: int
    owed: int
    coming: list[Coming]
    going: list[Going]


class Worth(BaseModel):
    """A benefit and what it is worth.

    `points`: that it credits; `value_minor`: in money, of these or of the coupon; `percent_of_turnover`: what a coupon
    gives of the turnover of the last closed year, while its amount is not known.
    """

    benefit: str
    label: str
    kind: Literal["points", "perk", "coupon"]
    every: Literal["year", "birthday"] | None
    points: int | None
    value_minor: int | None
    percent_of_turnover: str | None


class Field(BaseModel):
    """A field of the profile that is missing, and what it unlocks."""

    field: str
    label: str
    kind: Literal["email", "phone", "date", "text"]
    unlocks: list[Worth]


class Filled(BaseModel):
    """A field of the profile that is filled; its value is the profile's business."""

    field: str
    label: str


class Completion(BaseModel):
    """How complete the profile is. `waiting`: benefits of the tier held that wait for that alone."""

    percent: int
    complete: bool
    missing: list[Field]
    filled: list[Filled]
    waiting: list[Worth]


class Reason(BaseModel):
    """Why a benefit is locked. `label`: of the field or tier. `to_go_minor`: what is missing to the next tier."""

    kind: Literal["field", "tier", "profile"]
    id: str | None
    label: str | None
    to_go_minor: int | None


class Benefit(Worth):
    """A benefit as it stands.

    `unlocking`: everything that it requires is there, and the ledger is about to say so. `since`: of the status.
    `last_day`: of a coupon.
    """

    status: Status
    since: datetime | None
    reasons: list[Reason]
    period: str | None
    last_day: date | None


class Month(BaseModel):
    """A month such as `2010-12`: turnover in minor units and points earned, both without what came back."""

    month: str
    turnover_minor: int
    points: int


class Item(BaseModel):
    """A line of the history. `points`: signed. `explanations`: how the points came about, in the reader's language."""

    at: datetime
    kind: Kind
    title: str
    store_id: str | None
    reference: str | None
    amount_minor: int | None
    points: int | None
    explanations: list[str]


class History(BaseModel):
    """Newest first; `next` is the `cursor` of the page after, null on the last one."""

    items: list[Item]
    next: str | None


class MyBonus(BaseModel):
    """Everything about one customer. `version` counts what was heard of them; texts are in `language`.

    `known`: they take part. `completion` and `reminders` are null while nothing is known of their profile.
    """

    customer_id: str
    version: int
    language: str
    currency: str
    known: bool
    turnover: Turnover
    points: Points
    completion: Completion | None
    benefits: list[Benefit]
    months: list[Month]
    reminders: bool | None
    consents: dict[str, bool]
    card: str | None
    history: History
