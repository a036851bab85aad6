"""What a pile of records comes to, worked out a second time: plain sums over raw records, in no particular order.

It shares no line with the rules, and knows nothing of state, events or arrival: it looks at all records at once.
"""

import csv
import lzma
import re
from calendar import monthrange
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any, TextIO
from zoneinfo import ZoneInfo

DIGITS = {"JPY": 0, "KRW": 0, "ISK": 0, "BHD": 3, "KWD": 3, "TND": 3}

Raw = Mapping[str, Any]


@dataclass
class Account:
    """What one customer ends with: `years` as (purchases, returns) in minor units, and what is shown of the current."""

    years: dict[int, tuple[int, int]] = field(default_factory=dict)
    year: int = 0
    turnover: int = 0
    tier: str = ""


def accounts(records: Iterable[Raw], versions: Sequence[Raw], tick: str | None = None) -> dict[str, Account]:
    """Each customer's account after all records. `versions`: programme documents, the oldest first."""
    by_customer: dict[str, dict[tuple[str, ...], Raw]] = defaultdict(dict)
    for record in records:
        own_id = record["purchase_id"] if _is_purchase(record) else record["return_id"]
        by_customer[record["customer_id"]].setdefault((record["type"], record["store_id"], own_id), record)
    return {customer: _account(list(found.values()), versions, tick) for customer, found in by_customer.items()}


def _account(records: list[Raw], versions: Sequence[Raw], tick: str | None) -> Account:
    programme = versions[0]
    zone = ZoneInfo(programme["time_zone"])
    now = max(_at(one["occurred_at"]) for one in records)
    now = max(now, _at(tick)) if tick else now
    moves: list[tuple[date, int, int]] = []  # the day on which something counts, what was bought, what was returned
    named: dict[tuple[str, str], list[Raw]] = defaultdict(list)
    for back in (one for one in records if not _is_purchase(one)):
        if back.get("purchase_id") is None:
            moves.append((_local(back, zone).date(), 0, _counted(back, back["amount_minor"], programme)))
        else:
            named[back.get("purchase_store_id") or back["store_id"], back["purchase_id"]].append(back)
    for sale in (one for one in records if _is_purchase(one)):
        day = _local(sale, zone).date()
        total = _counted(sale, sale["total_minor"], programme)
        left = _left(sale, named[sale["store_id"], sale["purchase_id"]], versions, zone)
        moves.append((day, total, total - left))
    account = Account(year=now.astimezone(zone).year)
    for day, bought, returned in moves:
        before = account.years.get(day.year, (0, 0))
        account.years[day.year] = (before[0] + bought, before[1] + returned)
    tiers = _in_force(versions, now, zone)["tiers"]
    if programme["turnover"]["window"] == "rolling_12_months":
        today = now.astimezone(zone).date()
        first = _months_later(today, -12)
        account.turnover = max(0, sum(bought - returned for day, bought, returned in moves if first < day <= today))
        account.tier = _tier(tiers, account.turnover)["id"]
    else:
        shown = [
            max(0, bought - returned)
            for bought, returned in (account.years.get(account.year - ago, (0, 0)) for ago in (0, 1))
        ]
        account.turnover = shown[0]
        account.tier = max((_tier(tiers, one) for one in shown), key=lambda tier: tier["from_minor"])["id"]
    return account


def _left(sale: Raw, returns: list[Raw], versions: Sequence[Raw], zone: ZoneInfo) -> int:
    """What is left of a purchase, as counted, in minor units of the programme's currency."""
    programme = versions[0]
    back = [one for one in returns if _at(one["occurred_at"]) <= _deadline(sale, versions, zone)]
    same = [one for one in back if one["currency"] == sale["currency"]]
    other = [one for one in back if one["currency"] != sale["currency"]]

    def rest(with_tax: bool) -> int:
        def own(one: Raw, amount: int) -> int:
            return amount if with_tax else amount - (one.get("tax_minor") or 0)

        foreign = max(0, own(sale, sale["total_minor"]) - sum(own(one, one["amount_minor"]) for one in same))
        elsewhere = sum(_convert(own(one, one["amount_minor"]), one, programme) for one in other)
        return max(0, _convert(foreign, sale, programme) - elsewhere)

    gross = rest(with_tax=True)
    return gross and rest(with_tax=programme["turnover"]["basis"] == "gross")


def _counted(record: Raw, amount: int, programme: Raw) -> int:
    tax = (record.get("tax_minor") or 0) if programme["turnover"]["basis"] == "net" else 0
    return _convert(amount - tax, record, programme)


def _convert(amount: int, record: Raw, programme: Raw) -> int:
    if record["currency"] == programme["currency"]:
        return amount
    shift = DIGITS.get(programme["currency"], 2) - DIGITS.get(record["currency"], 2)
    return round(Fraction(record["fx_rate"]) * amount * Fraction(10) ** shift)  # Python rounds half to even


def _tier(tiers: Sequence[Raw], shown: int) -> Raw:
    return [tier for tier in tiers if tier["from_minor"] <= shown][-1]


def _in_force(versions: Sequence[Raw], at: datetime, zone: ZoneInfo) -> Raw:
    today = at.astimezone(zone).date()
    return [one for one in versions if date.fromisoformat(str(one["effective_from"])) <= today][-1]


def _deadline(sale: Raw, versions: Sequence[Raw], zone: ZoneInfo) -> datetime:
    window = _in_force(versions, _at(sale["occurred_at"]), zone)["returns"]["window"]
    parts = re.fullmatch(r"P(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)D)?", window)
    assert parts, f"a window that the oracle cannot read: {window}"
    years, months, days = (int(one or 0) for one in parts.groups())
    local = _local(sale, zone).replace(tzinfo=None)
    day = _months_later(local.date(), 12 * years + months) + timedelta(days=days)
    return datetime.combine(day, local.time(), zone).astimezone(UTC)


def _months_later(day: date, months: int) -> date:
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def _local(record: Raw, zone: ZoneInfo) -> datetime:
    return _at(record["occurred_at"]).astimezone(zone)


def _at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _is_purchase(record: Raw) -> bool:
    return record["type"] == "PurchaseCompleted.v1"


def online_retail(path: Path) -> Iterator[dict[str, Any]]:
    """The records of the Online Retail file (`.csv` or `.csv.xz`), as contracts.md reads it; needs about 300 MB."""
    invoices: dict[tuple[str, str], tuple[str, list[int]]] = {}
    with (
        lzma.open(path, "rt", encoding="utf-8", newline="")
        if path.suffix == ".xz"
        else path.open(encoding="utf-8", newline="") as text
    ):
        for row in _rows(text):
            key = (row["InvoiceNo"], row["CustomerID"])
            invoices.setdefault(key, (row["InvoiceDate"], []))[1].append(_cents(row["Quantity"], row["UnitPrice"]))
    for (invoice, customer), (when, lines) in invoices.items():
        record: dict[str, Any] = {
            "store_id": "web",
            "customer_id": "c-" + customer.split(".")[0],
            "occurred_at": when.replace(" ", "T") + "Z",
            "currency": "EUR",
        }
        total = sum(lines)
        if invoice.startswith("C"):
            record |= {"type": "PurchaseReturned.v1", "return_id": invoice, "amount_minor": -total}
        else:
            record |= {"type": "PurchaseCompleted.v1", "purchase_id": invoice, "total_minor": total}
        if record.get("amount_minor", 0) > 0 or record.get("total_minor", 0) > 0:
            yield record


def _rows(text: TextIO) -> Iterator[dict[str, str]]:
    return (row for row in csv.DictReader(text) if row["CustomerID"])


def _cents(quantity: str, price: str) -> int:
    return int((Decimal(quantity) * Decimal(price) * 100).quantize(Decimal(1), rounding=ROUND_HALF_EVEN))
