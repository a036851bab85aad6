"""What turnover and the ledger say that a customer is told, and what takes such a message back."""

from services.notifier.coming import announce
from services.notifier.course import Course
from services.notifier.merging import Change, at_most, without
from services.notifier.policy import GATHERING
from services.notifier.slots import revise
from services.notifier.templates import params
from services.notifier.wishes import completed, erased, leaving, preferred
from shared.contracts.ledger import (
    BenefitLocked,
    BenefitRevoked,
    BenefitUnlocked,
    PointsAdjusted,
    PointsExpired,
    PointsExpiring,
    PointsRedeemed,
    PointsReversed,
    Totals,
)
from shared.contracts.profile import CompletionChanged, CustomerErased, ErasureAccepted, PreferencesChanged
from shared.contracts.records import Cause
from shared.contracts.turnover import TierChanged
from shared.runtime.rules import Heard


def heard(course: Course, message: Heard) -> None:
    """A sister service said something. Of a customer who leaves, only that they are gone still matters."""
    envelope, fact = message.envelope, message.fact
    cause = Cause(type=envelope.type, id=f"{message.service}/{envelope.customer_id}/{envelope.version}")
    key = f"{message.service}/{envelope.version}"
    at, version = envelope.occurred_at, envelope.programme_version or course.version
    if course.state.stage:
        if isinstance(fact, CustomerErased) and course.state.stage == "accepted":
            erased(course, fact, cause)
        return
    match fact:
        case PreferencesChanged():
            preferred(course, fact, cause)
        case CompletionChanged():
            completed(course, fact, cause)
        case ErasureAccepted():
            leaving(course, fact, envelope, cause)
        case CustomerErased():
            erased(course, fact, cause)
        case TierChanged():
            announce(course, _tier(course, fact, version), cause, at, key)
        case BenefitUnlocked():
            announce(course, _benefit(fact, version), cause, at, key, envelope.recorded_at + GATHERING)
        case BenefitLocked() | BenefitRevoked():
            _everywhere(course, "benefit_unlocked", without(fact.benefit))
        case PointsExpiring():
            soon = params.PointsExpiring(
                programme_version=version, points=fact.points, expires_at=fact.expires_at, days=fact.days
            )
            announce(course, soon, cause, at, key)
        case PointsRedeemed():
            _spent(course, fact.totals)
            paid = params.PointsRedeemed(programme_version=version, points=fact.points, available=fact.totals.available)
            announce(course, paid, cause, at, key)
        case PointsExpired() | PointsReversed() | PointsAdjusted():
            _spent(course, fact.totals)
        case _:
            pass


def _tier(course: Course, fact: TierChanged, version: int) -> params.TierChanged:
    standing, done = fact.standing, course.state.completion
    return params.TierChanged(
        programme_version=version,
        from_tier=fact.from_,
        to_tier=fact.to,
        direction=fact.direction,
        year=standing.year,
        turnover_minor=standing.turnover_minor,
        valid_until=standing.valid_until,
        next_tier=standing.next_tier,
        to_next_minor=standing.to_next_minor,
        complete=done is not None and not done.missing,
    )


def _benefit(fact: BenefitUnlocked, version: int) -> params.BenefitUnlocked:
    one = params.Unlocked(benefit=fact.benefit, value_minor=fact.value_minor, valid_until=fact.valid_until)
    return params.BenefitUnlocked(programme_version=version, benefits=(one,))


def _spent(course: Course, totals: Totals) -> None:
    """No more points can expire than there are."""
    _everywhere(course, "points_expiring", at_most(totals.available + totals.held))


def _everywhere(course: Course, template: str, change: Change) -> None:
    for key in tuple(course.state.slots):
        if key.startswith(f"{template}/"):
            revise(course, key, change, "reversed")
