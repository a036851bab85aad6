"""A benefit is used at the till: a perk again and again or once a year, a coupon once."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from pydantic import Field

from services.ledger.benefits import terms
from services.ledger.benefits.state import Benefits, Grant, grant_key, grants_of
from services.ledger.state import State
from shared.contracts.ledger import BenefitUsed
from shared.contracts.records import Cause, Id, Moment, Record
from shared.rulebook.entry import Entry
from shared.rulebook.programme import Programme
from shared.runtime.rules import Command, Reply

_REFUSALS: Final = {
    "locked": "The benefit is locked",
    "waiting": "The benefit is not issued yet",
    "used": "The benefit is used",
    "revoked": "The coupon ran out",
}


class UseBenefit(Record):
    """The body of the command. `period`: of the coupon, where the till read it from its code; otherwise the one that
    runs out first is used. `at`: when it was asked for, the now of a customer who has none yet."""

    benefit: Id
    period: Id | None = None
    store_id: Id | None = None
    purchase_id: Id | None = None
    at: Moment = Field(validation_alias="sent_at")


def use(state: State, command: Command, programme: Programme, now: datetime) -> list[Entry]:
    """What a use leads to; nothing where it is refused. `state` is settled up to `now`, the customer's."""
    body: UseBenefit = command.body
    benefits, at = state.benefits, max(now, state.benefits.at or now)
    version = programme.in_force(at)
    benefit = version and terms.benefit_of(version, body.benefit)
    if version is None or benefit is None or body.benefit not in benefits.unlocked or benefits.basis.gone:
        return []
    period, coupon = terms.period(benefit, benefits.basis), Grant("given")
    match benefit.kind:
        case "points":
            return []
        case "perk":
            if period is not None and grant_key(body.benefit, period) in benefits.grants:
                return []
        case "coupon":
            found = _coupon(benefits, body, at)
            if found is None:
                return []
            period, coupon = found
    fact = BenefitUsed(
        benefit=body.benefit,
        kind=benefit.kind,
        period=period,
        value_minor=coupon.value,
        valid_until=coupon.until,
        store_id=body.store_id,
        purchase_id=body.purchase_id,
    )
    return [Entry(fact, at, Cause(type=command.kind, id=command.command_id), version.number)]


def answer(state: State, command: Command, entries: Sequence[Entry]) -> Reply:
    """What the till is told, from the state after: 200 and what was used, or 409 and why not."""
    body: UseBenefit = command.body
    for entry in entries:
        if isinstance(entry.fact, BenefitUsed) and entry.cause.id == command.command_id:
            used = entry.fact
            status = "available" if used.kind == "perk" and used.period is None else "used"
            fields = {"benefit", "kind", "period", "value_minor", "valid_until"}
            return Reply(200, used.model_dump(mode="json", include=fields) | {"status": status})
    reason = "locked"
    if body.benefit in state.benefits.unlocked:
        grants = [grant for period, grant in grants_of(state.benefits, body.benefit) if body.period in (None, period)]
        reason = "waiting" if not grants else "used" if grants[-1].status == "used" else "revoked"
    return Reply(409, {"type": "conflict", "detail": _REFUSALS[reason], "reason": reason})


def _coupon(benefits: Benefits, body: UseBenefit, at: datetime) -> tuple[str | None, Grant] | None:
    """The coupon that is meant, if it is good: with its period."""
    good = [
        (until, period, grant)
        for period, grant in grants_of(benefits, body.benefit)
        if grant.status == "given" and (until := grant.until) is not None and until > at
        if body.period in (None, period)
    ]
    if not good:
        return None
    _, period, grant = min(good, key=lambda one: one[0])
    return period, grant
