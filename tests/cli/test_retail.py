"""The Online Retail CSV becomes the records that the contract says."""

import json
import lzma
from pathlib import Path
from typing import Any

import pytest

from deploy.cli import retail
from deploy.cli.source import Input, Tally
from deploy.cli.trouble import Trouble
from shared.contracts.pos import POS
from shared.contracts.records import read

HEADER = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country"
LAMP = '536365,71053,"WHITE LANTERN, METAL",6,2010-12-01 08:26:00,3.39,17850.0,United Kingdom'


@pytest.fixture
def rows(tmp_path: Path) -> Any:
    """Records, and what was skipped, of a file with these rows."""

    def make(*rows: str, header: str = HEADER) -> tuple[list[dict[str, Any]], dict[str, int]]:
        file = tmp_path / "shop.csv.xz"
        file.write_bytes(lzma.compress("\r\n".join([header, *rows, ""]).encode()))
        tally = Tally()
        with Input(str(file)) as source:
            records = [record for block in retail.records(source, tally) for record in block]
        for record in records:
            assert record.topic == "pos.purchases"
            assert read(POS, record.value).customer_id == record.key.decode()
        return [json.loads(record.value) for record in records], tally.skipped

    return make


def test_the_rows_of_an_invoice_become_one_purchase(rows: Any) -> None:
    (purchase,), skipped = rows(LAMP, "536365,85123A,,2,2010-12-01 08:27:00,2.55,17850.0,United Kingdom")

    assert purchase == {
        "type": "PurchaseCompleted.v1",
        "purchase_id": "536365",
        "store_id": "web",
        "customer_id": "c-17850",
        "occurred_at": "2010-12-01T08:26:00Z",
        "currency": "EUR",
        "total_minor": 2544,
        "lines": [
            {"sku": "71053", "name": "WHITE LANTERN, METAL", "quantity": 6, "amount_minor": 2034},
            {"sku": "85123A", "name": None, "quantity": 2, "amount_minor": 510},
        ],
    }
    assert skipped == {}


def test_an_invoice_that_is_scattered_over_the_file_is_one_purchase_in_the_place_of_its_first_row(rows: Any) -> None:
    other = LAMP.replace("536365", "536366")

    purchases, _ = rows(LAMP, other, LAMP)

    assert [(one["purchase_id"], one["total_minor"]) for one in purchases] == [("536365", 4068), ("536366", 2034)]


def test_an_invoice_of_two_customers_is_a_purchase_of_each(rows: Any) -> None:
    purchases, _ = rows(LAMP, LAMP.replace("17850.0", "17851"))

    assert [one["customer_id"] for one in purchases] == ["c-17850", "c-17851"]


@pytest.mark.parametrize(
    ("quantity", "price", "minor"),
    [("1", "0.125", 12), ("1", "0.135", 14), ("3", "0.115", 34), ("1", "0.1250001", 13), ("1000", "0.001", 100)],
)
def test_a_line_is_rounded_half_even_and_exactly(rows: Any, quantity: str, price: str, minor: int) -> None:
    (purchase,), _ = rows(f"1,X,,{quantity},2010-12-01 08:26:00,{price},1.0,")

    assert purchase["total_minor"] == minor


def test_an_invoice_that_begins_with_c_is_a_return_without_a_purchase(rows: Any) -> None:
    (returned,), _ = rows("C536379,D,Discount,-1,2010-12-01 09:41:00,27.50,14527.0,United Kingdom")

    assert returned["type"] == "PurchaseReturned.v1"
    assert (returned["return_id"], returned["amount_minor"]) == ("C536379", 2750)
    assert "purchase_id" not in returned
    assert "lines" not in returned


def test_what_has_no_customer_or_no_positive_sum_is_skipped_and_counted(rows: Any) -> None:
    records, skipped = rows(
        "1,X,,1,2010-12-01 08:26:00,1.00,,",
        "2,X,,1,2010-12-01 08:26:00,0.00,1.0,",
        "C3,X,,1,2010-12-01 08:26:00,1.00,1.0,",
        "A4,X,,-1,2010-12-01 08:26:00,1.00,1.0,",
        LAMP,
    )

    assert [one["purchase_id"] for one in records] == ["536365"]
    assert skipped == {"rows without a customer": 1, "invoices whose sum is not above zero": 3}


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("3.39", "cheap", "line 3: UnitPrice cannot be read"),
        (",6,", ",six,", "line 3: Quantity cannot be read"),
        ("2010-12-01 08:26:00", "12/1/2010 8:26", "line 3: InvoiceDate cannot be read"),
        ("17850.0", "nobody", "line 3: CustomerID cannot be read"),
        (",United Kingdom", "", "line 3: 7 columns instead of 8"),
    ],
)
def test_a_row_that_cannot_be_read_is_named_before_anything_is_sent(rows: Any, old: str, new: str, reason: str) -> None:
    with pytest.raises(Trouble, match=reason):
        rows(LAMP, LAMP.replace("536365", "536366").replace(old, new))


def test_another_csv_is_refused_with_the_columns_that_it_lacks(rows: Any) -> None:
    with pytest.raises(Trouble, match="its first line lacks UnitPrice, CustomerID"):
        rows(header=HEADER.replace("UnitPrice", "Price").replace("CustomerID", "Customer"))


def test_a_file_that_ends_early_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "shop.csv.xz"
    file.write_bytes(lzma.compress("\n".join([HEADER, *[LAMP] * 1000]).encode())[:-20])

    with Input(str(file)) as source, pytest.raises(Trouble, match="ended before"):
        list(retail.records(source, Tally()))
