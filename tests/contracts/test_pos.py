"""Records of tills: what is taken, and what is refused with a reason that names the field."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from shared.contracts.pos import POS, Line, PurchaseCompleted, PurchaseReturned
from shared.contracts.records import MAX_BYTES, UnreadableError, canonical, check_time, content, read

PURCHASE: dict[str, Any] = {
    "type": "PurchaseCompleted.v1",
    "purchase_id": "536365",
    "store_id": "s-01",
    "terminal_id": "t-3",
    "customer_id": "c-17850",
    "occurred_at": "2010-12-01T08:26:00Z",
    "currency": "EUR",
    "total_minor": 13912,
    "tax_minor": 2221,
    "fx_rate": None,
    "redemption_id": None,
    "lines": [{"sku": "85123A", "name": "White hanging heart", "category": None, "quantity": 6, "amount_minor": 13912}],
}
RETURN: dict[str, Any] = {
    "type": "PurchaseReturned.v1",
    "return_id": "C536379",
    "store_id": "s-01",
    "customer_id": "c-14527",
    "occurred_at": "2010-12-01T09:41:00Z",
    "currency": "EUR",
    "amount_minor": 2750,
}
NEEDED = ["type", "purchase_id", "store_id", "customer_id", "occurred_at", "currency", "total_minor"]


def purchase(**changes: Any) -> bytes:
    return json.dumps(PURCHASE | changes).encode()


def returned(**changes: Any) -> bytes:
    return json.dumps(RETURN | changes).encode()


def line(amount: object, **changes: Any) -> dict[str, Any]:
    return {"sku": "a", "quantity": 1, "amount_minor": amount} | changes


def refusal(value: bytes | None) -> str:
    with pytest.raises(UnreadableError) as refused:
        read(POS, value)
    return str(refused.value)


def test_a_purchase_is_read_as_it_was_written():
    record = read(POS, purchase())
    assert isinstance(record, PurchaseCompleted)
    assert (record.purchase_id, record.total_minor, record.fx_rate) == ("536365", 13912, None)
    assert record.occurred_at == datetime(2010, 12, 1, 8, 26, tzinfo=UTC)
    assert record.lines == (Line(sku="85123A", name="White hanging heart", quantity=6, amount_minor=13912),)


def test_nullable_fields_may_be_absent_and_unknown_ones_are_ignored():
    record = read(POS, returned(colour="blue"))
    assert isinstance(record, PurchaseReturned)
    assert (record.purchase_id, record.purchase_store_id, record.tax_minor, record.lines) == (None, None, None, ())


@pytest.mark.parametrize("field", NEEDED)
def test_a_missing_field_is_named(field: str):
    record = {name: value for name, value in PURCHASE.items() if name != field}
    assert refusal(json.dumps(record).encode()) == f"{field}: is missing"


@pytest.mark.parametrize("field", NEEDED)
def test_a_null_is_no_value_of_what_is_needed(field: str):
    assert refusal(purchase(**{field: None})).startswith(f"{field}: is ")


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "record: is null"),
        (b"null", "record: is no object"),
        (b"[]", "record: is no object"),
        (b'"PurchaseCompleted.v1"', "record: is no object"),
        (b"", "record: is no JSON"),
        (b"{", "record: is no JSON"),
        (b"[" * 10_000, "record: is no JSON"),
        (b'{"type": "Purchase\xff"}', "record: is no UTF-8"),
        (b"{}", "type: is missing"),
        (b'{"type": "PurchaseForgotten.v1"}', "type: is unknown"),
        (b'{"type": 1}', "type: is unknown"),
        (purchase(padding="x" * MAX_BYTES), "record: is larger than 256 KiB"),
    ],
)
def test_what_is_no_record_is_refused_with_the_reason(value: bytes | None, reason: str):
    assert refusal(value).startswith(reason)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("total_minor", 139.12),
        ("total_minor", 13912.0),
        ("total_minor", "13912"),
        ("total_minor", True),
        ("total_minor", -1),
        ("total_minor", 10**12 + 1),
        ("total_minor", 10**40),
        ("tax_minor", -1),
        ("tax_minor", 13913),
        ("fx_rate", 1.1),
        ("fx_rate", "0"),
        ("fx_rate", "0.000"),
        ("fx_rate", "-1"),
        ("fx_rate", "1e3"),
        ("fx_rate", "NaN"),
        ("fx_rate", "1,5"),
        ("fx_rate", "١"),
        ("fx_rate", "1." + "0" * 40),
        ("currency", "eur"),
        ("currency", "EUX"),
        ("currency", "XXX"),
        ("customer_id", ""),
        ("customer_id", "c 1"),
        ("customer_id", "c-1\n"),
        ("customer_id", "c/1"),
        ("customer_id", "ü"),
        ("customer_id", "c" * 65),
        ("customer_id", 17850),
        ("purchase_id", 536365),
        ("redemption_id", ""),
        ("lines", None),
        ("lines", {}),
        ("lines", [line(13911)]),
        ("lines", [line(13912), line(1)]),
        ("lines.0.amount_minor", [line("13912")]),
        ("lines.0.amount_minor", [line(10**12 + 1)]),
        ("lines.0.quantity", [line(13912, quantity=1.5)]),
        ("lines.0.sku", [line(13912, sku="")]),
        ("lines.0.sku", [line(13912, sku="a" * 65)]),
        ("lines.0.sku", [line(13912, sku="a\u0000")]),
        ("lines.0.sku", [line(13912, sku="a\u202e")]),
        ("lines.0.name", [line(13912, name="x" * 1001)]),
        ("lines.0", [13912]),
    ],
)
def test_a_bad_value_is_refused_by_the_name_of_its_field(field: str, value: object):
    assert refusal(purchase(**{field.split(".", maxsplit=1)[0]: value})).startswith(f"{field}: ")


@pytest.mark.parametrize(
    "value",
    [
        "2010-12-01T08:26:00",
        "2010-12-01",
        "2010-12-01T08:26Z",
        "2010-12-01 08:26:00Z",
        "2010-12-01T08:26:00+01",
        "2010-12-01T08:26:00 Europe/Berlin",
        "2010-12-01T08:26:00+25:00",
        "2010-02-30T08:26:00Z",
        "2010-12-01T24:00:00Z",
        "2010-12-01T08:26:60Z",
        "1899-12-31T08:26:00Z",
        "9999-12-31T23:59:59-12:00",
        "20101201T082600Z",
        "2010-W48-3T08:26:00Z",
        "1291191960",
        "00000000001291191960",
        1291191960,
        1291191960.5,
        "",
    ],
)
def test_a_time_without_offset_or_that_is_a_number_is_refused(value: object):
    assert refusal(purchase(occurred_at=value)).startswith("occurred_at: is no time of RFC 3339 with an offset")


@pytest.mark.parametrize(
    ("value", "utc"),
    [
        ("2010-12-01T08:26:00Z", datetime(2010, 12, 1, 8, 26, tzinfo=UTC)),
        ("2010-12-01T08:26:00.5+01:00", datetime(2010, 12, 1, 7, 26, 0, 500_000, tzinfo=UTC)),
        ("2010-12-01t08:26:00.123456789-00:00", datetime(2010, 12, 1, 8, 26, 0, 123_456, tzinfo=UTC)),
        ("2011-01-01T00:30:00+02:00", datetime(2010, 12, 31, 22, 30, tzinfo=UTC)),
    ],
)
def test_a_time_is_kept_in_utc(value: str, utc: datetime):
    record = read(POS, purchase(occurred_at=value))
    assert record.occurred_at == utc
    assert record.occurred_at.tzinfo is UTC


def test_a_purchase_may_be_free_but_a_return_of_nothing_is_none():
    assert isinstance(read(POS, purchase(total_minor=0, tax_minor=0, lines=[])), PurchaseCompleted)
    assert refusal(returned(amount_minor=0)).startswith("amount_minor: ")


def test_a_discount_is_a_line_below_zero_that_counts_in_the_sum():
    assert read(POS, purchase(lines=[line(14912), line(-1000, sku="Discount 10 %", quantity=-1)])).lines
    assert refusal(returned(lines=[line(2751)])) == "lines: do not sum to amount_minor"


def test_a_return_gives_back_no_more_tax_than_money():
    assert refusal(returned(tax_minor=2751)) == "tax_minor: is more than amount_minor"


def test_every_bad_field_is_named_in_one_line_that_shows_no_value():
    reason = refusal(purchase(customer_id="secret one", total_minor="secret two", currency="secret three"))
    assert [part.split(":")[0] for part in reason.split("; ")] == ["customer_id", "currency", "total_minor"]
    assert "secret" not in reason


def test_an_unknown_type_and_broken_text_show_no_value_either():
    assert "secret" not in refusal(b'{"type": "secret"}')
    assert "secret" not in refusal(b'{"type": "PurchaseCompleted.v1", "customer_id": "secret')


@given(some.binary(max_size=60) | some.text(max_size=60).map(str.encode))
def test_any_bytes_get_a_reason_of_one_short_line(value: bytes):
    reason = refusal(value)
    assert 0 < len(reason) <= 300
    assert "\n" not in reason


def test_a_till_may_run_a_day_ahead_and_no_more():
    record = read(POS, purchase())
    day = timedelta(days=1)
    assert check_time(record, record.occurred_at - day) is None
    assert check_time(record, record.occurred_at + 400 * day) is None
    reason = check_time(record, record.occurred_at - day - timedelta(microseconds=1))
    assert reason == "occurred_at: is more than a day after the broker's time"


def test_the_same_content_has_the_same_bytes_however_it_was_written():
    one = purchase()
    other = json.dumps(
        {"colour": "blue"}
        | dict(reversed(PURCHASE.items()))
        | {"occurred_at": "2010-12-01T09:26:00.000+01:00", "lines": [line(13912, **PURCHASE["lines"][0])]}
    )
    absent = {name: value for name, value in PURCHASE.items() if value is not None}
    for encoded in (canonical, content):
        assert encoded(read(POS, one)) == encoded(read(POS, other.encode()))
        assert encoded(read(POS, one)) == encoded(read(POS, json.dumps(absent).encode()))


@pytest.mark.parametrize(
    "change", [{"total_minor": 13913, "lines": []}, {"lines": []}, {"terminal_id": None}, {"store_id": "s-02"}]
)
def test_other_content_has_other_bytes(change: dict[str, Any]):
    for encoded in (canonical, content):
        assert encoded(read(POS, purchase())) != encoded(read(POS, purchase(**change)))
