"""What the ledger made of a demonstration: points by where they are, what they are worth, benefits by status."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

import httpx
import msgspec

from deploy.cli import kafka
from deploy.cli.trouble import Trouble
from shared.contracts.topics import events_topic

SERVICE: Final = "ledger"
STATUSES: Final = ("available", "locked", "used", "revoked")


class Event(msgspec.Struct):
    """As much of an event of the ledger as is counted."""

    type: str
    customer_id: str
    version: int
    points: int | None = None
    benefit: str = ""
    kind: str = ""


@dataclass
class Points:
    """`earned`: by purchases and benefits. `accounts`: what all customers have together. `liability_minor`: what is
    outstanding, in minor units. `benefits`: of all customers, by status."""

    earned: int = 0
    accounts: dict[str, int] = field(default_factory=dict[str, int])
    liability_minor: int = 0
    benefits: Counter[str] = field(default_factory=Counter[str])


async def points(options: dict[str, Any], url: str, token: str) -> Points:
    """The outcome so far, from the events and the trial balance. `url`: of the ledger; `token`: an operator's."""
    values = [record.value or b"" async for record in kafka.read(options, events_topic(SERVICE))]
    found = count(msgspec.json.decode(value, type=Event) for value in values)
    try:
        async with httpx.AsyncClient(timeout=10) as client:
            answer = await client.get(f"{url}/trial-balance", headers={"Authorization": f"Bearer {token}"})
            balance = answer.raise_for_status().json()
    except httpx.HTTPError as error:
        raise Trouble(f"{url}/trial-balance: {type(error).__name__} {error}") from None
    if balance["sum"]:
        raise Trouble(f"the accounts of all customers sum to {balance['sum']}, not to zero")
    found.accounts = balance["accounts"]
    found.liability_minor = sum(month["value_minor"] for month in balance["liability"])
    return found


def count(events: Iterable[Event]) -> Points:
    """What the events say. They must come in order for each customer; those that come again are dropped."""
    found, status, seen = Points(), dict[tuple[str, str], str](), dict[str, int]()
    for event in events:
        if event.version <= seen.get(event.customer_id, 0):
            continue
        seen[event.customer_id] = event.version
        match event.type:
            case "PointsEarned.v1":
                found.earned += event.points or 0
            case "BenefitUnlocked.v1":
                status[event.customer_id, event.benefit] = "available"
            case "BenefitLocked.v1":
                status[event.customer_id, event.benefit] = "locked"
            case "BenefitUsed.v1" if event.kind != "perk":  # that may be used again
                status[event.customer_id, event.benefit] = "used"
            case "BenefitRevoked.v1":
                status[event.customer_id, event.benefit] = "revoked"
            case _:
                pass
    counted = Counter(status.values())
    found.benefits = Counter({name: counted[name] for name in STATUSES if counted[name]})
    return found


def rows(found: Points) -> list[tuple[str, str]]:
    """What there is to read, as pairs of words and figures."""
    account = found.accounts
    return [
        ("points earned", f"{found.earned:,}"),
        ("points pending", f"{account['pending']:,}"),
        ("points available", f"{account['available']:,}"),
        ("points expired", f"{account['expired']:,}"),
        ("points owed by customers", f"{-account['owed']:,}"),
        ("worth of outstanding points", f"{found.liability_minor / 100:,.2f}"),
        *((f"benefits {name}", f"{number:,}") for name, number in found.benefits.items()),
    ]
