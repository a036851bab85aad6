"""What turnover shows: documents made of a customer's state and events."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from services.turnover import tiers
from services.turnover.state import State
from shared.rulebook.programme import Programme


def turnover(
    customer_id: str,
    state: State | None,
    version: int,
    programme: Programme,
    tick: datetime | None,
    today: datetime,
) -> dict[str, Any]:
    """The answer to `GET /customers/{id}/turnover`: amounts in minor units, times in UTC (RFC 3339).

    It stands at the customer's now, `tick` (the last) included. `today` is the caller's time, which decides nothing but
    the year of a customer nobody knows before any tick: zeros with `version` 0. `state` is settled, or will be soon.
    """
    state = state or State()
    now = state.clock or tick or today
    if tick is not None and tick > now:
        now = tick
    # Before the first version nothing can have counted; what is shown then is what will hold.
    rules = programme.in_force(now) or programme.versions[0]
    found = tiers.sums(state.years, state.days, programme, now)
    standing = tiers.standing(programme, rules, found, tiers.held(rules, found))
    years = {
        str(year): {
            "purchases_minor": one.purchases,
            "returns_minor": one.returns,
            "turnover_minor": max(0, one.net),
            "tier_reached": rules.tiers[rules.tier_reached(max(0, one.net))],
        }
        for year, one in sorted(state.years.items())
    }
    return {
        "customer_id": customer_id,
        "currency": programme.currency,
        **standing.model_dump(mode="json"),
        "years": years,
        "version": version,
    }


def purchase_item(event: bytes) -> Mapping[str, Any] | None:
    """What `GET /customers/{id}/purchases` lists of an event; `None` for one that counted no purchase or return.

    `amount_minor`: as counted, in minor units of the programme's currency. `late`: of a purchase only.
    """
    found = json.loads(event)
    if found["type"] not in {"TurnoverRecorded.v1", "TurnoverReduced.v1"}:
        return None
    fields = ("version", "type", "purchase_id", "return_id", "store_id", "occurred_at", "amount_minor", "year", "late")
    return {field: found.get(field) for field in fields}
