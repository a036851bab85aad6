"""What becomes of a single benefit when what it rests on changes: unlocked, locked, given anew, or withdrawn."""

from datetime import datetime

from msgspec import Struct

from services.ledger.benefits import terms
from services.ledger.benefits.state import Basis, Benefits, grant_key, grants_of
from shared.contracts.ledger import BenefitLocked, BenefitRevoked, BenefitUnlocked, Reason
from shared.contracts.programme import Benefit, Coupon, Perk, PointsBenefit
from shared.rulebook.programme import Programme, Version


class Scene(Struct, frozen=True, gc=False):
    """What a benefit is looked at with: the benefits before, their new basis, the rules in force, and when."""

    benefits: Benefits
    basis: Basis
    version: Version
    programme: Programme
    at: datetime


def change(benefit: Benefit, scene: Scene) -> BenefitUnlocked | BenefitLocked | None:
    """What becomes of a benefit. Of one that is used up, or whose coupon ran out, nothing until its next period."""
    benefits, basis = scene.benefits, scene.basis
    name, kind, period = benefit.id, benefit.kind, terms.period(benefit, basis)
    grant = None if kind == "perk" and period is None else benefits.grants.get(grant_key(name, period))
    given = grants_of(benefits, name)
    if period is not None and any(span is not None and span > period for span, _ in given):
        return None  # a new version counts the years otherwise; it catches up
    coupons = [(span, one) for span, one in given if one.status == "given"]
    if grant is not None and grant.status != "given" and not coupons and benefit.every != "birthday":
        return None
    opened = name in benefits.unlocked
    why = terms.reasons(benefit, basis, scene.version, scene.programme)
    if why:
        told = opened or (basis.enrolled and why != _told_before(name, scene))
        span = period if benefit.every == "year" else None
        return BenefitLocked(benefit=name, kind=kind, reasons=why, period=span) if told else None
    match benefit:
        case PointsBenefit(every=every) if grant is None and (every != "birthday" or _is_birthday(scene)):
            return BenefitUnlocked(benefit=name, kind=kind, period=period, points=benefit.points)
        case Coupon() if grant is None and (value := terms.coupon_value(benefit, basis)):
            until = scene.programme.calendar.add(scene.at, benefit.valid)
            return BenefitUnlocked(benefit=name, kind=kind, period=period, value_minor=value, valid_until=until)
        case Coupon() if coupons and not opened:
            span, coupon = coupons[-1]
            return BenefitUnlocked(
                benefit=name, kind=kind, period=span, value_minor=coupon.value, valid_until=coupon.until
            )
        case Perk(every="year") if period != terms.period(benefit, benefits.basis):
            return BenefitUnlocked(benefit=name, kind=kind, period=period)
        case _ if not opened:  # a perk; what comes with the birthday; a coupon that waits for a year to close
            return BenefitUnlocked(benefit=name, kind=kind, period=period if kind == "perk" else None)
        case _:
            return None


def withdrawn(scene: Scene) -> list[str]:
    """What the version before offered to this customer, and this one does not."""
    benefits = scene.benefits
    version = _version(scene.programme, benefits.basis.version)
    if version is scene.version:
        return []
    kept = {one.id for one in scene.version.terms.benefits}
    known = dict.fromkeys([*benefits.unlocked, *(key.partition("/")[0] for key in benefits.grants)])
    # A version whose place another took on its first day is not known any more; what came of it is.
    offered = list(known) if version is None else [one.id for one in version.terms.benefits]
    return [name for name in offered if name not in kept and (benefits.basis.enrolled or name in known)]


def revoked(name: str, benefits: Benefits, programme: Programme) -> BenefitRevoked:
    """That a benefit is not offered to this customer any more."""
    known = [one for version in programme.versions if (one := terms.benefit_of(version, name)) is not None]
    if known:
        return BenefitRevoked(benefit=name, kind=known[-1].kind)
    grants = [grant for _, grant in grants_of(benefits, name)]
    kind = "coupon" if any(grant.until for grant in grants) else "points" if grants else "perk"
    return BenefitRevoked(benefit=name, kind=kind)


def _is_birthday(scene: Scene) -> bool:
    """Whether it was announced just now, or is not over yet."""
    birthday = scene.basis.birthday
    return birthday is not None and (birthday != scene.benefits.basis.birthday or scene.at < birthday.until)


def _told_before(name: str, scene: Scene) -> tuple[Reason, ...] | None:
    """The reasons that were told last, while it was locked; `None` if there never were any."""
    before = scene.benefits.basis
    version = _version(scene.programme, before.version)
    benefit = version and terms.benefit_of(version, name)
    if version is None or benefit is None or not before.enrolled:
        return None
    return terms.reasons(benefit, before, version, scene.programme)


def _version(programme: Programme, number: int | None) -> Version | None:
    return next((version for version in programme.versions if version.number == number), None)
