"""What purchases, and returns that name none, come to in points: worked out a second time, from raw records alone.

It shares no line with the rules, and takes nothing from turnover: tiers are worked out here as well. It knows what a
shop's file needs: one version of a programme with calendar years, one currency, no redemptions, no benefits.
"""

from calendar import monthrange
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

Raw = Mapping[str, Any]


@dataclass
class Lot:
    """Points of one purchase that are left, and the times between which they are good."""

    points: int
    begins: datetime
    ends: datetime
    order: int
    pending: bool = True


@dataclass
class Account:
    """What one customer has. `given`: all that was ever earned, less what returns took back, owed or not."""

    lots: list[Lot] = field(default_factory=list[Lot])
    given: int = 0
    owed: int = 0
    expired: int = 0

    @property
    def pending(self) -> int:
        return sum(lot.points for lot in self.lots if lot.pending)

    @property
    def available(self) -> int:
        return sum(lot.points for lot in self.lots if not lot.pending)

    @property
    def expiring(self) -> list[tuple[int, datetime]]:
        """Available points by when they are gone."""
        found: Counter[datetime] = Counter()
        for lot in self.lots:
            found[lot.ends] += 0 if lot.pending else lot.points
        return sorted(((points, at) for at, points in found.items() if points), key=lambda one: one[1])

    def liability(self, zone: ZoneInfo) -> Counter[str]:
        """Outstanding points by the month of their last day."""
        found: Counter[str] = Counter()
        for lot in self.lots:
            found[f"{(lot.ends - timedelta(seconds=1)).astimezone(zone):%Y-%m}"] += lot.points
        return found


def accounts(records: Iterable[Raw], terms: Raw) -> dict[str, Account]:
    """Each customer's account after these records, in the order in which they arrive; what comes twice counts once."""
    by_customer: dict[str, dict[tuple[str, str, str], Raw]] = defaultdict(dict)
    for record in records:
        key = (record["type"], record["store_id"], record.get("purchase_id") or record["return_id"])
        by_customer[record["customer_id"]].setdefault(key, record)
    return {customer: _Customer(terms).after(found.values()) for customer, found in by_customer.items()}


class _Customer:
    def __init__(self, terms: Raw) -> None:
        self._terms, self._zone = terms, ZoneInfo(terms["time_zone"])
        self._account, self._net = Account(), Counter[int]()
        self._now = datetime.min.replace(tzinfo=UTC)

    def after(self, records: Iterable[Raw]) -> Account:
        for number, record in enumerate(records):
            at = datetime.fromisoformat(record["occurred_at"])
            self._now = max(self._now, at)
            self._settle()
            if record["type"] == "PurchaseCompleted.v1":
                self._bought(record["total_minor"], at, number)
                self._net[self._local(at).year] += record["total_minor"]
            else:
                self._brought_back(record["amount_minor"])
                self._net[self._local(at).year] -= record["amount_minor"]
            self._settle()
        return self._account

    def _bought(self, minor: int, at: datetime, number: int) -> None:
        if points := self._worth(minor, self._tier()):
            begins = self._plus_days(at, int(self._terms["points"]["pending"][1:-1]))
            self._account.lots.append(Lot(points, begins, self._end(begins), number))
            self._account.given += points

    def _brought_back(self, minor: int) -> None:
        account, missing = self._account, self._worth(minor, self._terms["tiers"][0])
        account.given -= missing
        for lot in sorted(account.lots, key=_age, reverse=True):
            taken = min(lot.points, missing)
            lot.points -= taken
            missing -= taken
        account.owed += missing

    def _settle(self) -> None:
        account = self._account
        instants = {at for lot in account.lots for at in ((lot.begins, lot.ends) if lot.pending else (lot.ends,))}
        for at in sorted(at for at in instants if at <= self._now):
            for lot in account.lots:
                lot.pending = lot.pending and lot.begins > at
            for lot in account.lots:
                if not lot.pending and lot.ends <= at:
                    account.expired += lot.points
                    lot.points = 0
            self._pay()
        account.lots = [lot for lot in account.lots if lot.points]

    def _pay(self) -> None:
        account = self._account
        for lot in sorted((lot for lot in account.lots if not lot.pending), key=_age):
            taken = min(lot.points, account.owed)
            lot.points -= taken
            account.owed -= taken

    def _tier(self) -> Raw:
        """That of this year or of the last, whichever is higher."""
        year = self._local(self._now).year
        reached = [
            [tier for tier in self._terms["tiers"] if tier["from_minor"] <= max(0, self._net[one])][-1]
            for one in (year, year - 1)
        ]
        return max(reached, key=lambda tier: tier["from_minor"])

    def _worth(self, minor: int, tier: Raw) -> int:
        return int(Fraction(minor, self._terms["points"]["per_minor"]) * Fraction(tier["earn_multiplier"]))

    def _local(self, at: datetime) -> datetime:
        return at.astimezone(self._zone)

    def _plus_days(self, at: datetime, days: int) -> datetime:
        return (self._local(at).replace(fold=0) + timedelta(days=days)).astimezone(UTC)

    def _end(self, begins: datetime) -> datetime:
        """The first instant of the day after the last one; the expiry is given in months."""
        begun = self._local(begins).date()
        year, month = divmod(begun.year * 12 + begun.month - 1 + int(self._terms["points"]["expiry"][1:-1]), 12)
        last = date(year, month + 1, min(begun.day, monthrange(year, month + 1)[1]))
        return datetime.combine(last + timedelta(days=1), time(), self._zone).astimezone(UTC)


def _age(lot: Lot) -> tuple[datetime, datetime, int]:
    return lot.ends, lot.begins, lot.order
