"""Turnover as a subject of fault tests: its traffic, and what that comes to."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from random import Random
from typing import Any

from services.turnover.app import SERVICE
from services.turnover.rules import State
from shared.contracts.topics import PURCHASES
from shared.sealing import Sealer
from tests.faults.subject import Outcome, Record, Sent, Subject
from tests.faults.undisturbed import TERMS, Undisturbed
from tests.turnover.oracle import accounts

_BEGIN = datetime.fromisoformat("2010-03-01T10:00:00+00:00")


class Till:
    """Purchases and returns of a few customers, in 2010; one in six comes twice, changed, late or broken."""

    def __init__(self, label: str, customers: int = 12) -> None:
        self._random = Random(label)
        self._label, self._customers = label, customers
        self._sold: list[dict[str, Any]] = []
        self._made = 0

    def next(self, count: int) -> list[Sent]:
        return [self._any() for _ in range(count)]

    def one(self, customer: str, mark: str = "") -> Sent:
        """A purchase that makes its customer silver."""
        sale = self._purchase(customer, 600_00)
        return sent(sale | {"purchase_id": f"{sale['purchase_id']}{mark}"})

    def about(self, earlier: Sent) -> Sent:
        """A return of a third of such a purchase."""
        return sent(self._return(json.loads(earlier.value)))

    def _any(self) -> Sent:
        customer = f"{self._label}-{self._random.randrange(self._customers)}"
        dice = self._random.random()
        before = self._random.choice(self._sold) if self._sold else None
        if before is None or dice < 0.7:
            self._sold.append(self._purchase(customer, self._random.randrange(1, 300_00)))
            return sent(self._sold[-1])
        if dice < 0.8:
            return sent(before)  # twice
        if dice < 0.84:
            return sent(before | {"total_minor": before["total_minor"] + 1})  # the same, but for its content
        if dice < 0.87:
            return Sent(PURCHASES, customer, b'{"type": "PurchaseCompleted.v1", "total_minor": "much"')
        if dice < 0.9:
            self._sold.append(self._purchase(customer, 5_00))
            return sent(self._return(self._sold[-1]))  # of a purchase that is yet to come, if ever
        return sent(self._return(before if dice < 0.97 else {**before, "purchase_id": None}))

    def _purchase(self, customer: str, minor: int) -> dict[str, Any]:
        self._made += 1
        at = _BEGIN + timedelta(minutes=self._made, days=-self._random.randrange(3))
        return {
            "type": "PurchaseCompleted.v1",
            "purchase_id": f"p{self._made}",
            "store_id": "s-1",
            "customer_id": customer,
            "occurred_at": at.isoformat(),
            "currency": "EUR",
            "total_minor": minor,
        }

    def _return(self, of: Mapping[str, Any]) -> dict[str, Any]:
        self._made += 1
        return {
            "type": "PurchaseReturned.v1",
            "return_id": f"r{self._made}",
            "store_id": "s-1",
            "purchase_id": of["purchase_id"],
            "customer_id": of["customer_id"],
            "occurred_at": (_BEGIN + timedelta(minutes=self._made)).isoformat(),
            "currency": "EUR",
            "amount_minor": max(1, of["total_minor"] // 3),
        }


def sent(record: Mapping[str, Any]) -> Sent:
    """A record of a till, on its topic."""
    return Sent(PURCHASES, record["customer_id"], json.dumps(record).encode())


def undisturbed(
    records: Sequence[Record], partitions: int, bugs: Collection[str], sealers: Mapping[str, Sealer]
) -> Outcome:
    """What the rules alone make of the records, and what those that count sum up to."""
    fold = Undisturbed(SERVICE, partitions, sealers)
    fold.take(records, bugs)
    newest = max(fold.ticks.values(), default=None)
    sums = {
        customer: (account.years, account.tier)
        for customer, account in accounts(fold.counted, [TERMS], newest.isoformat() if newest else None).items()
    }
    return replace(fold.outcome, sums=sums)


def sums(state: State) -> Any:
    """What the oracle works out by itself: each year's purchases and returns, and the tier."""
    years = {int(year): (one.purchases, one.returns) for year, one in state.years.items()}
    return years, state.tier or "bronze"


TURNOVER = Subject(
    service=SERVICE,
    module="services.turnover.app",
    traffic=Till,
    source=PURCHASES,
    undisturbed=undisturbed,
    sums=sums,
    due="2012-01-01T00:00:00+01:00",  # two years later nobody is silver any more
)
