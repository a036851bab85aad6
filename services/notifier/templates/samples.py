"""Messages to look at: of every template, as the programme at hand would cause them."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

from services.notifier.templates.params import (
    BenefitUnlocked,
    ErasureReceipt,
    MissingField,
    Params,
    PointsExpiring,
    PointsRedeemed,
    ProfileReminder,
    TierChanged,
    Unlocked,
)
from shared.contracts.programme import Benefit, ProgrammeVersion
from shared.rulebook.calendar import calendar

_AT: Final = datetime(2026, 3, 31, 22, tzinfo=UTC)


def sample(template: str, terms: ProgrammeVersion) -> Params:
    """A message of that template; raises `KeyError` for another name."""
    return SAMPLES[template](terms)


def _tier_changed(terms: ProgrammeVersion) -> Params:
    """A step up: to the second tier, where there is one."""
    first, *others = terms.tiers
    to, above = [*others, None, None][:2]
    to = to or first
    turnover = to.from_minor + (above.from_minor - to.from_minor) // 4 if above else to.from_minor
    return TierChanged(
        programme_version=terms.version,
        from_tier=first.id,
        to_tier=to.id,
        direction="up",
        year=_AT.year,
        turnover_minor=turnover,
        valid_until=calendar(terms.time_zone).start_of_year(_AT.year + 2),
        next_tier=above.id if above else None,
        to_next_minor=above.from_minor - turnover if above else None,
        complete=False,
    )


def _benefit_unlocked(terms: ProgrammeVersion) -> Params:
    """All benefits at once."""
    return BenefitUnlocked(
        programme_version=terms.version, benefits=tuple(_unlocked(benefit) for benefit in terms.benefits)
    )


def _unlocked(benefit: Benefit) -> Unlocked:
    if benefit.kind != "coupon":
        return Unlocked(benefit=benefit.id)
    return Unlocked(benefit=benefit.id, value_minor=benefit.value_minor or 1020, valid_until=_AT + timedelta(days=60))


def _points_expiring(terms: ProgrammeVersion) -> Params:
    return PointsExpiring(programme_version=terms.version, points=1240, expires_at=_AT, days=30)


def _profile_reminder(terms: ProgrammeVersion) -> Params:
    """All fields but the first are missing."""
    wanting = {field.id: _asking(terms, field.id) for field in terms.profile.fields}
    asked = [field for field, benefits in wanting.items() if benefits]
    missing = asked[1:] or asked
    return ProfileReminder(
        programme_version=terms.version,
        percent=100 * (len(asked) - len(missing)) // max(1, len(asked)),
        missing=tuple(MissingField(field, wanting[field]) for field in missing),
    )


def _asking(terms: ProgrammeVersion, field: str) -> tuple[str, ...]:
    return tuple(benefit.id for benefit in terms.benefits if field in benefit.requires.fields)


def _points_redeemed(terms: ProgrammeVersion) -> Params:
    return PointsRedeemed(programme_version=terms.version, points=500, available=740)


def _erasure_receipt(terms: ProgrammeVersion) -> Params:
    return ErasureReceipt(programme_version=terms.version, receipt_id="r-2026-0331-7c1f", accepted_at=_AT)


SAMPLES: Final[Mapping[str, Callable[[ProgrammeVersion], Params]]] = {
    "tier_changed": _tier_changed,
    "benefit_unlocked": _benefit_unlocked,
    "points_expiring": _points_expiring,
    "profile_reminder": _profile_reminder,
    "points_redeemed": _points_redeemed,
    "erasure_receipt": _erasure_receipt,
}
