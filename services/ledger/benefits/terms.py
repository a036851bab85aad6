"""What a version of the programme says of a benefit, to a customer of whom this and that is known."""

from typing import Final

from services.ledger.benefits.state import Basis
from shared.contracts.ledger import Reason
from shared.contracts.programme import Benefit, Coupon
from shared.rulebook.programme import Programme, Version

_INCOMPLETE: Final = Reason(kind="profile", id=None)


def benefit_of(version: Version, name: str) -> Benefit | None:
    """The benefit of that id, if the version has it."""
    return next((one for one in version.terms.benefits if one.id == name), None)


def required_fields(version: Version) -> frozenset[str]:
    """The fields that a complete profile has: those which a benefit names."""
    return frozenset(name for one in version.terms.benefits for name in one.requires.fields)


def reasons(benefit: Benefit, basis: Basis, version: Version, programme: Programme) -> tuple[Reason, ...]:
    """All that keeps the benefit locked: fields that are missing, the tier, and with a tier an incomplete profile."""
    requires = benefit.requires
    missing = [Reason(kind="field", id=name) for name in requires.fields if name not in basis.filled]
    if requires.tier is None:
        return tuple(missing)
    if not _reaches(basis.tier, requires.tier, version, programme):
        missing.append(Reason(kind="tier", id=requires.tier))
    if not required_fields(version).issubset(basis.filled):
        missing.append(_INCOMPLETE)
    return tuple(missing)


def period(benefit: Benefit, basis: Basis) -> str | None:
    """The period in which the benefit stands: a year where it comes again, that of the last birthday, or none."""
    match benefit.every:
        case "year":
            return str(basis.clock if follows_clock(benefit, basis) else basis.year)
        case "birthday":
            return None if basis.birthday is None else str(basis.birthday.year)
        case None:
            return None


def follows_clock(benefit: Benefit, basis: Basis) -> bool:
    """Whether the year of a benefit that comes again turns by the clock.

    Otherwise it turns when turnover says so, and with that what tier is held and what the closed year came to.
    """
    if benefit.every != "year":
        return False
    rests_on_turnover = benefit.requires.tier is not None or (
        isinstance(benefit, Coupon) and benefit.percent_of_turnover is not None
    )
    return basis.tier is None or not rests_on_turnover


def coupon_value(coupon: Coupon, basis: Basis) -> int:
    """What a coupon given now is worth, in minor units; 0: there is no closed year of which it would be a part."""
    if coupon.percent_of_turnover is None:
        return coupon.value_minor or 0
    year = basis.clock if basis.tier is None else basis.year
    if basis.closed is None or basis.closed.year != year - 1:
        return 0
    whole, _, decimals = coupon.percent_of_turnover.partition(".")
    return basis.closed.turnover_minor * int(whole + decimals) // (100 * 10 ** len(decimals))


def _reaches(held: str | None, required: str, version: Version, programme: Programme) -> bool:
    """Whether a tier is the required one or higher.

    A tier that the version dropped is compared where both were known last, until turnover says what it became.
    """
    if required == version.tiers[0]:
        return True
    for one in (version, *reversed(programme.versions)):
        if held in one.tiers and required in one.tiers:
            return one.tiers.index(held) >= one.tiers.index(required)
    return False
