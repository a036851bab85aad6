"""What a purchase would earn, and why: equal to what it earns when it is then made."""

from datetime import datetime
from typing import Any

from services.ledger.points import earning
from services.ledger.state import State
from services.ledger.texts import texts
from shared.contracts.pos import PurchaseCompleted
from shared.rulebook.money import convert
from shared.rulebook.programme import Programme, Version
from shared.rulebook.refused import Refused


def quote(state: State | None, sale: PurchaseCompleted, programme: Programme) -> dict[str, Any]:
    """The answer to `POST /customers/{id}/quotes`: points, why, and from when to when they are good.

    It stands on the tier that turnover said last. Raises `Refused` for a purchase that would be a dead letter.
    """
    version = programme.in_force(sale.occurred_at)
    if version is None:
        raise Refused("occurred_at: is before the first version of the programme")
    known = state or State()
    amount = _counted(sale, programme)
    points, why = earning.earning(amount, _tier(known.benefits.basis.tier, version, programme), version)
    if earning.is_full(known.points):
        points = 0
    span = earning.span(sale.occurred_at, version, programme.calendar, pending=True)
    told = why.model_copy(update={"purchase_id": sale.purchase_id, "store_id": sale.store_id}).model_dump(mode="json")
    text = texts({"type": "PointsEarned.v1", "points": points, "why": told, "programme_version": None}, programme)
    return {
        "points": points,
        "why": told,
        "text": text,
        "available_at": _time(span.available_at),
        "expires_at": _time(span.expires_at),
        "programme_version": version.number,
    }


def _counted(sale: PurchaseCompleted, programme: Programme) -> int:
    """The amount as turnover counts it, in minor units of the programme's currency."""
    counted = sale.total_minor - (sale.tax_minor or 0) if programme.net else sale.total_minor
    if sale.currency == programme.currency:
        return counted
    if sale.fx_rate is None:
        raise Refused(f"fx_rate: is needed for {sale.currency}")
    return convert(counted, sale.fx_rate, sale.currency, programme.currency)


def _tier(held: str | None, version: Version, programme: Programme) -> str:
    """The tier held, by the version of the purchase: where that has another name for it, the one of its threshold."""
    if held in version.tiers:
        return held
    for one in reversed(programme.versions):
        if held in one.tiers:
            return version.tiers[version.tier_reached(one.thresholds[one.tiers.index(held)])]
    return version.tiers[0]


def _time(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")
