"""What the ledger knows of a customer's benefits, and how an entry of the log changes it."""

from datetime import datetime
from typing import Final, Literal

from msgspec import Struct
from msgspec.structs import replace

from shared.contracts.ledger import BenefitLocked, BenefitRevoked, BenefitsFact, BenefitUnlocked, BenefitUsed
from shared.rulebook.entry import Note

_MARK: Final = "/"  # no id holds one


class Closed(Struct, frozen=True, gc=False, array_like=True):
    """A year that is over, and its turnover in minor units of the programme's currency."""

    year: int
    turnover_minor: int


class Birthday(Struct, frozen=True, gc=False, array_like=True):
    """The birthday that was announced last: its year, and the instant at which that day is over."""

    year: int
    until: datetime


class Basis(Struct, frozen=True, gc=False, omit_defaults=True):
    """What benefits rest on; they are looked at again whenever it changes.

    `version`: of the programme, under which they were looked at last. `filled`: fields of the profile. `tier`: held, as
    turnover said last; `None`: turnover does not know this customer. `year`: as turnover has it, by which benefits come
    again that require a tier; the others do by `clock`, the year of the customer's now. `gone`: erasure was accepted.
    """

    version: int | None = None
    enrolled: bool = False
    filled: tuple[str, ...] = ()
    tier: str | None = None
    year: int = 0
    clock: int = 0
    closed: Closed | None = None
    birthday: Birthday | None = None
    gone: bool = False


class Grant(Struct, frozen=True, gc=False, array_like=True):
    """What a benefit gave for a period: points (`used` at once), a perk's use, a coupon.

    `status`: `given` is a coupon that was not used, `over` one that ran out before it was. `value`, `until`: of a
    coupon, in minor units and as the first instant at which it is not valid any more.
    """

    status: Literal["given", "used", "over"]
    value: int | None = None
    until: datetime | None = None


class Benefits(Struct, frozen=True, gc=False, omit_defaults=True):
    """The part of a customer's state that is about benefits.

    `at`: the latest time at which they were looked at. `unlocked`: those which are, by id; one whose period is used up
    stays here until it comes again. `grants`: by `grant_key`, of each benefit the last one and all coupons `given`.
    """

    at: datetime | None = None
    basis: Basis = Basis()
    unlocked: tuple[str, ...] = ()
    grants: dict[str, Grant] = {}


class BasisNoted(Note):
    """What benefits rest on has changed, and none of them did; the entry's memo says how."""

    type: Literal["BasisNoted.v1"] = "BasisNoted.v1"


def grant_key(benefit: str, period: str | None) -> str:
    """Where the grant of a benefit is kept: of a year, or once and for all."""
    return benefit if period is None else benefit + _MARK + period


def grants_of(benefits: Benefits, benefit: str) -> list[tuple[str | None, Grant]]:
    """The grants of a benefit with their periods, in the order in which they were given."""
    parts = [(key.partition(_MARK), grant) for key, grant in benefits.grants.items()]
    return [(period or None, grant) for (name, _, period), grant in parts if name == benefit]


def evolve(benefits: Benefits, fact: BenefitsFact | BasisNoted, at: datetime, basis: Basis | None) -> Benefits:
    """The state after an entry of this fact and this `occurred_at`; `basis`: of its memo, `None` where it stays."""
    if basis is not None:
        benefits = replace(benefits, at=max(at, benefits.at or at), basis=basis)
    match fact:
        case BenefitUnlocked():
            benefits = replace(benefits, unlocked=(*_without(benefits, fact.benefit), fact.benefit))
            if fact.valid_until is None:
                return benefits
            return _granted(benefits, fact, Grant("given", fact.value_minor, fact.valid_until))
        case BenefitLocked():
            return replace(benefits, unlocked=_without(benefits, fact.benefit))
        case BenefitUsed(kind="perk", period=None):  # may be used again and again
            return benefits
        case BenefitUsed():
            return _granted(benefits, fact, Grant("used", fact.value_minor, fact.valid_until))
        case BenefitRevoked(valid_until=None):  # a coupon that the programme takes back may be given anew one day
            grants = {
                key: grant
                for key, grant in benefits.grants.items()
                if key.partition(_MARK)[0] != fact.benefit or grant.status != "given"
            }
            return replace(benefits, unlocked=_without(benefits, fact.benefit), grants=grants)
        case BenefitRevoked():
            return _granted(benefits, fact, Grant("over", fact.value_minor, fact.valid_until))
        case BasisNoted():
            return benefits


def _without(benefits: Benefits, benefit: str) -> tuple[str, ...]:
    return tuple([one for one in benefits.unlocked if one != benefit])


def _granted(benefits: Benefits, fact: BenefitsFact, grant: Grant) -> Benefits:
    """The grant replaces that of an earlier period, unless it is a coupon that is still good."""
    earlier = fact.benefit + _MARK
    kept = {key: one for key, one in benefits.grants.items() if not key.startswith(earlier) or one.status == "given"}
    return replace(benefits, grants=kept | {grant_key(fact.benefit, fact.period): grant})
