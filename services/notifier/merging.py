"""What two messages of one template say together, and what is left of one when its cause is gone."""

from collections.abc import Callable
from typing import Final, Literal

from msgspec.structs import replace

from services.notifier.course import Course
from services.notifier.templates.params import (
    BenefitUnlocked,
    Params,
    PointsExpiring,
    PointsRedeemed,
    ProfileReminder,
    TierChanged,
    Unlocked,
)
from shared.rulebook.programme import Programme

APART: Final = "apart"  # each for itself
Change = Callable[[Params], Params | None]


def join(programme: Programme, earlier: Params, later: Params) -> Params | Literal["apart"] | None:
    """Both in one, as it is after the later one; `None` where together they say nothing."""
    match earlier, later:
        case TierChanged(), TierChanged():
            return tier_from(programme, later, earlier.from_tier)
        case BenefitUnlocked(), BenefitUnlocked():
            named = {one.benefit: one for one in (*earlier.benefits, *later.benefits)}
            return replace(later, benefits=in_order(programme, later.programme_version, tuple(named.values())))
        case PointsExpiring(), PointsExpiring() if earlier.expires_at != later.expires_at:
            return APART
        case PointsRedeemed(), PointsRedeemed():
            return replace(later, points=earlier.points + later.points)
        case _:
            return later


def tier_from(programme: Programme, change: TierChanged, before: str) -> TierChanged | None:
    """The change as seen by who last heard of the tier `before`; `None` where that is held again."""
    if before == change.to_tier:
        return None
    tiers = _tiers(programme, change.programme_version)
    if before not in tiers or change.to_tier not in tiers:
        return replace(change, from_tier=before)
    up = tiers.index(change.to_tier) > tiers.index(before)
    return replace(change, from_tier=before, direction="up" if up else "down")


def in_order(programme: Programme, number: int, benefits: tuple[Unlocked, ...]) -> tuple[Unlocked, ...]:
    """Benefits in the order of that version of the programme; those that it does not have come last."""
    version = next((one for one in programme.versions if one.number == number), programme.versions[-1])
    order = {benefit.id: place for place, benefit in enumerate(version.terms.benefits)}
    return tuple(sorted(benefits, key=lambda one: (order.get(one.benefit, len(order)), one.benefit)))


def untold(told: Params | None, params: Params) -> Params | None:
    """What a message says beyond what was told last; `None` where that is nothing."""
    match told, params:
        case TierChanged(), TierChanged():
            return None if told.to_tier == params.to_tier else params
        case BenefitUnlocked(), BenefitUnlocked():
            rest = tuple(one for one in params.benefits if one not in told.benefits)
            return replace(params, benefits=rest) if rest else None
        case PointsExpiring(), PointsExpiring():
            return None if (told.points, told.expires_at) == (params.points, params.expires_at) else params
        case ProfileReminder(), ProfileReminder():
            return None if told.missing == params.missing else params
        case _:
            return params


def refreshed(course: Course, params: Params) -> Params | None:
    """A message that waited, as it is on the day on which it goes; `None` where what it announces is past."""
    match params:
        case PointsExpiring():
            day = course.programme.calendar.day
            left = (day(params.expires_at) - day(course.now)).days
            return replace(params, days=left) if left > 0 else None
        case ProfileReminder() if course.state.completion is not None:
            done = course.state.completion
            return replace(params, percent=done.percent, missing=done.missing)
        case _:
            return params


def without(benefit: str) -> Change:
    """Takes a benefit that is locked again out of a message."""

    def change(params: Params) -> Params | None:
        if not isinstance(params, BenefitUnlocked) or all(one.benefit != benefit for one in params.benefits):
            return params
        rest = tuple(one for one in params.benefits if one.benefit != benefit)
        return replace(params, benefits=rest) if rest else None

    return change


def at_most(points: int) -> Change:
    """No more points can expire than a customer still has."""

    def change(params: Params) -> Params | None:
        if not isinstance(params, PointsExpiring) or params.points <= points:
            return params
        return replace(params, points=points) if points else None

    return change


def _tiers(programme: Programme, number: int) -> tuple[str, ...]:
    return next((one.tiers for one in programme.versions if one.number == number), ())
