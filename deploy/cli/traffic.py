"""Traffic that looks like a shop's, from a seed: the same arguments always give the same records. Pure."""

import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, Final, NamedTuple

import msgspec

from deploy.cli.crm import Crm
from shared.contracts.topics import CUSTOMERS, PURCHASES

STORES: Final = ("s-01", "s-02", "s-03", "s-04", "web")
TAX: Final = (19, 119)  # of a price that includes 19 % of tax
LATEST: Final = timedelta(days=30)  # how long a till stays offline at most
WITHHELD: Final = 50  # purchases by which an out-of-order one is overtaken at most
REPEATED: Final = 500  # purchases after which a duplicate comes at the latest
RETURNED: Final = 1_000  # purchases after which goods come back at the latest
RETURN_FIRST: Final = 0.05  # of the returns reach us before their purchase
UNNAMED: Final = 0.1  # of the returns name no purchase
BEYOND: Final = 0.1  # of the returns ask for more than is left
WHOLE: Final = 0.3  # of the returns bring everything back
DISCOUNT: Final = 0.15  # of the baskets have one

# What, in which category, at about which price in cents.
GOODS: Final = (
    ("Espresso beans 1 kg", "coffee", 1899), ("Filter coffee 500 g", "coffee", 799), ("Hand grinder", "coffee", 6490),
    ("Moka pot", "coffee", 3495), ("Green tea 100 g", "tea", 649), ("Teapot 1 l", "tea", 2990),
    ("Dark chocolate", "food", 349), ("Olive oil 0.75 l", "food", 1290), ("Wildflower honey", "food", 895),
    ("Almond biscuits", "food", 425), ("Linen tablecloth", "home", 4990), ("Beeswax candle", "home", 1195),
    ("Wool blanket", "home", 8900), ("Cotton towel", "home", 1795), ("Ceramic bowl", "kitchen", 1450),
    ("Chef's knife", "kitchen", 7995), ("Cast-iron pan", "kitchen", 6900), ("Bread box", "kitchen", 3990),
    ("Notebook A5", "paper", 990), ("Fountain pen", "paper", 4250), ("Wrapping paper", "paper", 395),
    ("Gift card", "paper", 2500),
)  # fmt: skip


@dataclass(frozen=True)
class Shares:
    """How many of all purchases, from 0 to 1, are reported days late, are sent twice, are overtaken by others, are
    brought back, or are followed by a record that is none; and how many customers are `known` to the CRM."""

    late: float = 0.0
    duplicates: float = 0.0
    out_of_order: float = 0.0
    returns: float = 0.0
    garbage: float = 0.0
    known: float = 0.0


class Sent(NamedTuple):
    """A record: the key is the customer, the value is JSON but for garbage."""

    topic: str
    key: str
    value: bytes


def traffic(
    seed: int, *, start: datetime, every: timedelta, customers: int, shares: Shares, count: int | None = None
) -> Iterator[Sent]:
    """Purchases of a shop, the first at `start`, `every` so much time on average; `count` of them, or without end.

    What is late, twice, out of order, given back or garbage comes on top, in its share, and what the CRM says of those
    who buy: in the share of garbage with a bad field. Business keys contain the start and the seed, so that no two runs
    speak of the same purchase.
    """
    rng = Random(seed)  # noqa: S311 - a simulation is to be repeatable
    crm = Crm(seed, shares.known, shares.garbage)
    run = f"{int(start.timestamp()):x}-{seed:x}"
    waiting: list[tuple[int, int, Sent]] = []  # what comes later: at which purchase, in which order, what
    order = 0
    number = 0
    while count is None or number < count:
        now = start + every * (number + rng.random())
        outgoing: list[tuple[int, dict[str, Any] | bytes, str]] = []
        purchase = _purchase(rng, f"{run}-{number:x}", now, customers, late=rng.random() < shares.late)
        customer = purchase["customer_id"]
        comes = number + (rng.randint(1, WITHHELD) if rng.random() < shares.out_of_order else 0)
        for said in crm.about(customer, _written(now)):
            order += 1
            heapq.heappush(waiting, (number, order, Sent(CUSTOMERS, customer, msgspec.json.encode(said))))
        outgoing.append((comes, purchase, customer))
        if rng.random() < shares.duplicates:
            outgoing.append((comes + rng.randint(0, REPEATED), purchase, customer))
        if rng.random() < shares.returns:
            longest = RETURNED if count is None else min(RETURNED, count - 1 - number)
            for wait, record in _returns(rng, purchase, now, every, longest):
                outgoing.append((number + wait, record, customer))
        if rng.random() < shares.garbage:
            outgoing.append((number, _garbage(rng, purchase), customer))
        for at, record, key in outgoing:
            order += 1
            value = record if isinstance(record, bytes) else msgspec.json.encode(record)
            heapq.heappush(waiting, (at, order, Sent(PURCHASES, key, value)))
        while waiting and waiting[0][0] <= number:
            yield heapq.heappop(waiting)[2]
        number += 1
    while waiting:
        yield heapq.heappop(waiting)[2]


def _purchase(rng: Random, name: str, now: datetime, customers: int, late: bool) -> dict[str, Any]:
    # Squared, so that a few customers come often and most come rarely, as in any shop.
    customer = f"c-{int(customers * rng.random() ** 2):06d}"
    lines: list[dict[str, Any]] = []
    for goods, category, price in rng.sample(GOODS, rng.choice((1, 1, 1, 2, 2, 3, 4, 6))):
        quantity = rng.choice((1, 1, 1, 2, 3))
        sku = f"{category[:3].upper()}-{price:05d}"
        lines.append(_line(sku, goods, category, quantity, quantity * price))
    total = sum(line["amount_minor"] for line in lines)
    if rng.random() < DISCOUNT:
        off = total // 10
        lines.append(_line("DISCOUNT", "Offer of the week", None, 1, -off))
        total -= off
    occurred_at = now - LATEST * rng.uniform(0.03, 1) if late else now
    return {
        "type": "PurchaseCompleted.v1",
        "purchase_id": f"p-{name}",
        "store_id": rng.choice(STORES),
        "terminal_id": f"t-{rng.randint(1, 9)}",
        "customer_id": customer,
        "occurred_at": _written(occurred_at),
        "currency": "EUR",
        "total_minor": total,
        "tax_minor": _tax(total),
        "lines": lines,
    }


def _returns(
    rng: Random, purchase: dict[str, Any], now: datetime, every: timedelta, longest: int
) -> Iterator[tuple[int, dict[str, Any]]]:
    """One return of a purchase, or two of which the second asks for more than is left; each with how many purchases
    later it comes, at most `longest`."""
    wait = 0 if rng.random() < RETURN_FIRST else rng.randint(0, longest)
    total: int = purchase["total_minor"]
    amount = total if rng.random() < WHOLE else max(1, rng.randint(total // 10, total))
    named = rng.random() >= UNNAMED
    at = now + every * wait
    yield wait or -1, _return(purchase, "a", amount, at, named)
    if named and rng.random() < BEYOND:
        yield wait, _return(purchase, "b", total - amount + 100, at, named)


def _return(purchase: dict[str, Any], suffix: str, amount: int, at: datetime, named: bool) -> dict[str, Any]:
    return {
        "type": "PurchaseReturned.v1",
        "return_id": f"r{purchase['purchase_id'][1:]}-{suffix}",
        "store_id": purchase["store_id"],
        "purchase_id": purchase["purchase_id"] if named else None,
        "customer_id": purchase["customer_id"],
        "occurred_at": _written(at),
        "currency": purchase["currency"],
        "amount_minor": amount,
        "tax_minor": _tax(amount),
        "lines": [],
    }


def _garbage(rng: Random, purchase: dict[str, Any]) -> bytes:
    """A record that breaks the contract, each in another way."""
    good = {**purchase, "purchase_id": f"{purchase['purchase_id']}-x"}
    broken: tuple[Any, ...] = (
        b"not json",
        b"null",
        {**good, "total_minor": str(good["total_minor"])},
        {**good, "total_minor": -1},
        {**good, "occurred_at": good["occurred_at"].removesuffix("Z")},
        {**good, "currency": "EURO"},
        {**good, "type": "PurchaseWished.v1"},
        {**good, "lines": good["lines"][:-1] or [_line("X", "X", None, 1, 1)]},
        {name: value for name, value in good.items() if name != "store_id"},
    )
    chosen = rng.choice(broken)
    return chosen if isinstance(chosen, bytes) else msgspec.json.encode(chosen)


def _line(sku: str, name: str, category: str | None, quantity: int, amount: int) -> dict[str, Any]:
    return {"sku": sku, "name": name, "category": category, "quantity": quantity, "amount_minor": amount}


def _tax(amount: int) -> int:
    return round(amount * TAX[0] / TAX[1])


def _written(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
