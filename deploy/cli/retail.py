"""The Online Retail file as records: a real year of a web shop (contract: "Running it", Online Retail CSV)."""

import csv
import io
import lzma
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation
from functools import cache
from operator import itemgetter
from typing import Any, Final

import msgspec

from deploy.cli.source import Input, Outgoing, Tally
from deploy.cli.trouble import Trouble
from shared.contracts.topics import PURCHASES

COLUMNS: Final = ("InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID")
STORE: Final = "web"
CURRENCY: Final = "EUR"
MINOR: Final = 100  # cents of a euro
BLOCK: Final = 500  # records that are sent at once


class Line(msgspec.Struct, gc=False):
    """A line of a purchase, as it is sent. Half a million of them would keep the garbage collector busy."""

    sku: str
    name: str | None
    quantity: int
    amount_minor: int


def records(source: Input, tally: Tally) -> Iterator[list[Outgoing]]:
    """One record per invoice and customer, in the file's order.

    An invoice may be scattered over the file, so the file is read whole before the first record leaves; a row that
    cannot be read stops it there, and nothing has been sent.
    """
    invoices: dict[tuple[str, str], tuple[str, list[Line]]] = {}
    for number, row in _rows(source):
        invoice, sku, name, quantity, date, price, customer = row
        if not customer.strip():
            tally.skip("rows without a customer")
            continue
        try:
            key = (invoice, _customer(customer))
            line = _line(sku, name, int(quantity), _price(price))
            known = invoices.get(key) or invoices.setdefault(key, (_moment(date), []))
        except (ValueError, InvalidOperation) as error:
            raise Trouble(f"{source.name}, line {number}: {_reason(row, error)}") from None
        known[1].append(line)

    encode = msgspec.json.Encoder().encode
    block: list[Outgoing] = []
    for (invoice, customer), (date, lines) in invoices.items():
        record = _record(invoice, customer, date, lines)
        if record is None:
            tally.skip("invoices whose sum is not above zero")
            continue
        block.append(Outgoing(PURCHASES, customer.encode(), encode(record), date))
        if len(block) == BLOCK:
            yield block
            block = []
    yield block


def _record(invoice: str, customer: str, date: str, lines: list[Line]) -> dict[str, Any] | None:
    """The purchase or, where the number begins with C, the return; `None` where its sum is not above zero."""
    total = sum(line.amount_minor for line in lines)
    common = {"store_id": STORE, "customer_id": customer, "occurred_at": date, "currency": CURRENCY}
    if invoice.startswith("C"):
        given_back = {"type": "PurchaseReturned.v1", "return_id": invoice, **common, "amount_minor": -total}
        return given_back if total < 0 else None
    bought = {"type": "PurchaseCompleted.v1", "purchase_id": invoice, **common, "total_minor": total, "lines": lines}
    return bought if total > 0 else None


@cache
def _customer(number: str) -> str:
    """Its id; the file writes numbers with decimals, as 17850.0."""
    return f"c-{int(Decimal(number))}"


_price = cache(Decimal)


def _line(sku: str, name: str, quantity: int, price: Decimal) -> Line:
    amount = (price * quantity * MINOR).quantize(Decimal(1), ROUND_HALF_EVEN)
    return Line(sku, name.strip() or None, quantity, int(amount))


def _moment(date: str) -> str:
    read = datetime.fromisoformat(date)
    if read.tzinfo is not None:
        raise ValueError
    return read.replace(tzinfo=UTC).isoformat().replace("+00:00", "Z")


def _rows(source: Input) -> Iterator[tuple[int, tuple[str, ...]]]:
    """The columns that count of each row, with the number of its line."""
    rows = csv.reader(io.TextIOWrapper(source.stream, encoding="utf-8-sig", newline=""))
    try:
        header = next(rows, list[str]())
        if missing := [column for column in COLUMNS if column not in header]:
            raise Trouble(f"{source.name}: no Online Retail file, its first line lacks {', '.join(missing)}")
        chosen = itemgetter(*(header.index(column) for column in COLUMNS))
        for row in rows:
            if len(row) != len(header):
                raise Trouble(f"{source.name}, line {rows.line_num}: {len(row)} columns instead of {len(header)}")
            yield rows.line_num, chosen(row)
    except UnicodeDecodeError:
        raise Trouble(f"{source.name}: not UTF-8 after line {rows.line_num}") from None
    except (csv.Error, OSError, EOFError, lzma.LZMAError) as error:
        raise Trouble(f"{source.name}, after line {rows.line_num}: {error}") from None


def _reason(row: tuple[str, ...], error: Exception) -> str:
    """Which column of the row could not be read."""
    checks = {"CustomerID": (6, Decimal), "Quantity": (3, int), "UnitPrice": (5, Decimal), "InvoiceDate": (4, _moment)}
    for column, (place, check) in checks.items():
        try:
            check(row[place])
        except (ValueError, InvalidOperation):
            return f"{column} cannot be read"
    return str(error)
