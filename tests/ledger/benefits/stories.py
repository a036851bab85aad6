"""What happens to a customer's benefits, in short words: profile speaks, tills ask, and these events follow."""

from typing import Any

from services.ledger import views
from services.ledger.benefits.use import UseBenefit
from shared.contracts.profile import (
    BirthdayCame,
    CompletionChanged,
    CustomerEnrolled,
    CustomerErased,
    ErasureAccepted,
)
from shared.runtime.rules import Command
from tests.ledger.world import Customer, Given, at, command, event, profile, programme_of, terms

ALL = ("address", "birthday", "email", "phone")
WELCOME = {"id": "welcome", "kind": "points", "points": 100, "requires": {"fields": ["email"]}}
GIFT = {
    "id": "gift",
    "kind": "points",
    "points": 250,
    "every": "birthday",
    "requires": {"fields": ["birthday", "email"]},
}
CATALOGUE = {"id": "catalogue", "kind": "perk", "requires": {"fields": ["address"]}}
DELIVERY = {"id": "delivery", "kind": "perk", "requires": {"tier": "silver"}}
SHOPPER = {"id": "shopper", "kind": "perk", "requires": {"tier": "gold"}}
COUPON = {
    "id": "coupon",
    "kind": "coupon",
    "percent_of_turnover": "2",
    "valid": "P60D",
    "every": "year",
    "requires": {"tier": "silver"},
}
VOUCHER = {"id": "voucher", "kind": "coupon", "value_minor": 500, "valid": "P30D", "requires": {"fields": ["phone"]}}


def under(*benefits: dict[str, Any], **changes: Any) -> Given:
    """A customer nobody knows yet, under a programme with these benefits."""
    return Given(Customer(programme_of(terms(benefits=list(benefits), **changes))))


def under_versions(*documents: dict[str, Any]) -> Given:
    """A customer nobody knows yet, under these versions."""
    return Given(Customer(programme_of(*documents)))


def enrolled(when: str = "2010-01-01") -> Any:
    """The CRM named the customer for the first time."""
    return profile(CustomerEnrolled(via="crm"), when)


def filled(*fields: str, when: str = "2010-01-01") -> Any:
    """These fields of the profile are filled now."""
    return profile(CompletionChanged(percent=0, complete=False, filled=fields, missing=()), when)


def birthday(year: int, when: str) -> Any:
    """The customer's birthday came."""
    return profile(BirthdayCame(year=year), when)


def accepted(when: str = "2010-06-01") -> Any:
    """The customer's erasure was accepted."""
    return profile(ErasureAccepted(receipt_id="r"), when)


def erased(when: str = "2010-06-02") -> Any:
    """The customer is erased."""
    return profile(CustomerErased(receipt_id="r"), when)


def use(benefit: str, period: str | None = None, when: str = "2010-01-01", **fields: Any) -> Command:
    """A till uses a benefit."""
    return command("UseBenefit.v1", UseBenefit(benefit=benefit, period=period, at=at(when), **fields))


def unlocked(benefit: str, **fields: Any) -> dict[str, Any]:
    """It may be used now."""
    return event("BenefitUnlocked", benefit=benefit, reasons=[], **fields)


def locked(benefit: str, *reasons: str, **fields: Any) -> dict[str, Any]:
    """It still needs all this: `field:email`, `tier:silver`, `profile`."""
    parts = [one.partition(":") for one in reasons]
    return event(
        "BenefitLocked", benefit=benefit, reasons=[{"kind": k, "id": i or None} for k, _, i in parts], **fields
    )


def used(benefit: str, **fields: Any) -> dict[str, Any]:
    """It was used."""
    return event("BenefitUsed", benefit=benefit, **fields)


def revoked(benefit: str, **fields: Any) -> dict[str, Any]:
    """It is not offered any more, or ran out."""
    return event("BenefitRevoked", benefit=benefit, **fields)


def earned(points: int, benefit: str, **fields: Any) -> dict[str, Any]:
    """A benefit credited points."""
    return event("PointsEarned", points, why={"rule": "benefit", "benefit": benefit}, **fields)


def shown(given: Given, benefit: str, now: str | None = None) -> list[dict[str, Any]]:
    """What `GET /customers/{id}/benefits` lists of a benefit; `code` is made of benefit and period."""
    customer = given.customer
    known = [customer.tick, customer.state.clock, customer.state.benefits.at, at(now) if now else None]
    latest = max(one for one in known if one is not None)
    items = views.benefits(customer.state, customer.programme, latest, lambda *named: "/".join(map(str, named)))
    return [item for item in items["items"] if item["benefit"] == benefit]


def status(given: Given, benefit: str) -> str:
    """The one status that is shown of a benefit."""
    (item,) = shown(given, benefit)
    return item["status"]
