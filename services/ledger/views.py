"""What the ledger shows: documents made of a customer's state and events, and of the sums over all customers."""

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from itertools import groupby
from typing import Any, Literal

from services.ledger.benefits import terms
from services.ledger.benefits.state import Benefits, Grant, grant_key, grants_of
from services.ledger.points.account import Accounts
from services.ledger.points.lots import moment, total
from services.ledger.state import State
from services.ledger.texts import benefit_labels, label, texts
from shared.contracts.programme import Benefit, PointsBenefit
from shared.rulebook.programme import Programme

Document = dict[str, Any]
Status = Literal["locked", "available", "used", "revoked"]
Code = Callable[[str, str | None], str]


def balance(state: State | None, version: int) -> Document:
    """The answer to `GET /customers/{id}/balance`, in points. `expiring`: all that is available, soonest first."""
    points = (state or State()).points
    groups = groupby(points.lots, lambda lot: lot.expires_at)
    expiring = [{"points": total(lots), "expires_at": _time(moment(at))} for at, lots in groups]
    return points.accounts.totals.model_dump() | {"expiring": expiring, "version": version}


def entry_item(programme: Programme) -> Callable[[bytes], Document | None]:
    """What `GET /customers/{id}/entries` lists of an event: a movement of points and its text, or `None`."""

    def item(event: bytes) -> Document | None:
        found: Document = json.loads(event)
        if "postings" not in found:
            return None
        return found | {"text": texts(found, programme)}

    return item


def benefits(state: State | None, programme: Programme, now: datetime, code: Code) -> Document:
    """The answer to `GET /customers/{id}/benefits`: those of the version in force at `now`, then those withdrawn.

    `code`: what a coupon shows at the till, by benefit and period. Of a benefit with several coupons each is listed.
    """
    known = (state or State()).benefits
    # Before the first version nobody has a benefit; what is shown then is what will hold.
    rules = programme.in_force(now) or programme.versions[0]
    items: list[Document] = []
    for one in rules.terms.benefits:
        reasons = [reason.model_dump() for reason in terms.reasons(one, known.basis, rules, programme)]
        for status, period, grant in _standing(known, one, now):
            document = _item(one, status, programme, period, grant)
            if status == "locked":
                document["reasons"] = reasons
            if status == "available" and grant is not None:
                document["code"] = code(one.id, period)
            items.append(document)
    offered = {one.id for one in rules.terms.benefits}
    for name in dict.fromkeys([*known.unlocked, *(key.partition("/")[0] for key in known.grants)]):
        former = [one for version in programme.versions if (one := terms.benefit_of(version, name)) is not None]
        if name not in offered and former:
            items.append(_item(former[-1], "revoked", programme))
    return {"items": items}


def trial_balance(totals: Mapping[str, int], programme: Programme, now: datetime) -> Document:
    """The answer to `GET /trial-balance`: balances of all customers in points, which sum to zero; and the liability.

    `totals`: the sums of the rules. `liability`: outstanding points by the month in which they expire, and their value
    in minor units by the version in force at `now`.
    """
    rules = programme.in_force(now) or programme.versions[0]
    value = rules.terms.points.value_minor
    accounts = {name: totals.get(f"accounts/{name}", 0) for name in Accounts.__struct_fields__}
    months = {name.partition("/")[2]: points for name, points in totals.items() if name.startswith("liability/")}
    return {
        "accounts": accounts,
        "sum": sum(accounts.values()),
        "customers": totals.get("customers", 0),
        "liability": [
            {"month": month, "points": points, "value_minor": points * value}
            for month, points in sorted(months.items())
            if points
        ],
    }


def _standing(known: Benefits, one: Benefit, now: datetime) -> Iterator[tuple[Status, str | None, Grant | None]]:
    """Where a customer stands with a benefit: its status, period and grant; several where there are several coupons."""
    unlocked, period = one.id in known.unlocked, terms.period(one, known.basis)
    good = unlocked and one.kind == "coupon"
    coupons = [each for each in grants_of(known, one.id) if good and _is_good(each[1], now)]
    for span, coupon in coupons:
        yield "available", span, coupon
    if coupons:
        return
    grant = None if one.kind == "perk" and period is None else known.grants.get(grant_key(one.id, period))
    match grant:
        case Grant(status="used") if unlocked or one.every != "birthday":
            yield "used", period, grant
        case Grant(status="over") | Grant(status="given") if grant.until and grant.until <= now:
            yield "revoked", period, grant
        case _:
            span = period if one.every == "year" else None
            yield ("available" if unlocked else "locked"), span, None


def _item(
    one: Benefit, status: Status, programme: Programme, period: str | None = None, grant: Grant | None = None
) -> Document:
    return {
        "benefit": one.id,
        "label": label(programme, benefit_labels, one.id),
        "kind": one.kind,
        "status": status,
        "reasons": [],
        "period": period,
        "code": None,
        "points": one.points if isinstance(one, PointsBenefit) else None,
        "value_minor": grant and grant.value,
        "valid_until": grant and grant.until and _time(grant.until),
    }


def _is_good(coupon: Grant, now: datetime) -> bool:
    return coupon.status == "given" and coupon.until is not None and coupon.until > now


def _time(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")
