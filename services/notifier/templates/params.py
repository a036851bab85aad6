"""What each template needs to know: ids, points, amounts and times, and nothing that tells who somebody is.

Amounts are minor units of the programme's currency, times are UTC. Labels, the currency, the zone in which days are cut
and what a point is worth come from the programme when a message is rendered; names and addresses come with the address.
"""

from datetime import datetime
from typing import Any, Final, Literal

from msgspec import Struct, convert, to_builtins


class _Params(Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True, tag_field="template"):
    """`programme_version`: whose labels and terms the message uses, that of its cause."""

    programme_version: int


class TierChanged(_Params, frozen=True, kw_only=True, tag="tier_changed"):
    """Another tier is held. `from_tier`, `to_tier`, `next_tier`: ids; `next_tier` is `None` at the top.

    `year`, `turnover_minor`, `valid_until`, `to_next_minor`: of the standing after the change. `complete`: whether the
    profile is, since the benefits of a tier can only be used with a complete one.
    """

    from_tier: str
    to_tier: str
    direction: Literal["up", "down"]
    year: int
    turnover_minor: int
    valid_until: datetime | None = None
    next_tier: str | None = None
    to_next_minor: int | None = None
    complete: bool


class Unlocked(Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """A benefit by its id. `value_minor`, `valid_until` (the first instant without it): of a coupon."""

    benefit: str
    value_minor: int | None = None
    valid_until: datetime | None = None


class BenefitUnlocked(_Params, frozen=True, kw_only=True, tag="benefit_unlocked"):
    """The benefits of one moment, at least one, in the programme's order."""

    benefits: tuple[Unlocked, ...]


class PointsExpiring(_Params, frozen=True, kw_only=True, tag="points_expiring"):
    """`expires_at`: the first instant without them. `days`: how long until then, 30 or 7."""

    points: int
    expires_at: datetime
    days: int


class MissingField(Struct, frozen=True, gc=False):
    """A field that is not filled, and the benefits that ask for it, by their ids."""

    field: str
    unlocks: tuple[str, ...]


class ProfileReminder(_Params, frozen=True, kw_only=True, tag="profile_reminder"):
    """`percent`: of the profile that is complete. `missing`: at least one field."""

    percent: int
    missing: tuple[MissingField, ...]


class PointsRedeemed(_Params, frozen=True, kw_only=True, tag="points_redeemed"):
    """`points`: paid with. `available`: what may be spent afterwards."""

    points: int
    available: int


class ErasureReceipt(_Params, frozen=True, kw_only=True, tag="erasure_receipt"):
    """`receipt_id`: to quote in questions. `accepted_at`: when the request was accepted."""

    receipt_id: str
    accepted_at: datetime


Params = TierChanged | BenefitUnlocked | PointsExpiring | ProfileReminder | PointsRedeemed | ErasureReceipt

TEMPLATES: Final[dict[str, type[Params]]] = {
    "tier_changed": TierChanged,
    "benefit_unlocked": BenefitUnlocked,
    "points_expiring": PointsExpiring,
    "profile_reminder": ProfileReminder,
    "points_redeemed": PointsRedeemed,
    "erasure_receipt": ErasureReceipt,
}


def template_of(params: Params) -> str:
    """The name of the template that they are for."""
    return str(params.__struct_config__.tag)


def stored(params: Params) -> dict[str, Any]:
    """As a document: plain values that JSON knows, and `template`."""
    return to_builtins(params)


def read(document: dict[str, Any]) -> Params:
    """What `stored` made; raises `msgspec.ValidationError`."""
    return convert(document, Params)
