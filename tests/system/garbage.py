"""Values on the topic of tills that are no records, and how the reasons of their dead letters begin."""

import json
from collections.abc import Iterator, Mapping
from typing import Any


def garbage() -> Iterator[tuple[bytes | None, str]]:
    """Values that are no records, and how the reason begins."""
    sale: dict[str, Any] = {
        "type": "PurchaseCompleted.v1", "purchase_id": "g-1", "store_id": "web", "customer_id": "garbage",
        "occurred_at": "2011-03-01T10:00:00Z", "currency": "EUR", "total_minor": 500,
    }  # fmt: skip
    back = {**sale, "type": "PurchaseReturned.v1", "return_id": "g-2", "amount_minor": 500}

    def made(record: Mapping[str, Any], **changed: Any) -> bytes:
        return json.dumps({k: v for k, v in {**record, **changed}.items() if v is not ...}).encode()

    yield b"{not json", "record: is no JSON"
    yield b"\xff\xfe{}", "record: is no UTF-8"
    yield b"[1, 2]", "record: is no object"
    yield None, "record: is null"
    yield b"", "record: is no JSON"
    yield (
        made(sale, lines=[{"sku": "a" * 60, "quantity": 1, "amount_minor": 0, "name": "n" * 900}] * 512),
        "record: is larger",
    )
    yield made(sale, total_minor="500"), "total_minor:"
    yield made(sale, total_minor=5.0), "total_minor:"
    yield made(sale, total_minor=-1), "total_minor:"
    yield made(sale, customer_id=17850), "customer_id:"
    yield made(sale, store_id=...), "store_id: is missing"
    yield made(sale, customer_id="no spaces"), "customer_id:"
    yield made(sale, occurred_at="2011-03-01T10:00:00"), "occurred_at:"
    yield made(sale, occurred_at=1298973600), "occurred_at:"
    yield made(sale, occurred_at="2199-01-01T00:00:00Z"), "occurred_at:"
    yield made(sale, occurred_at="2009-12-31T00:00:00Z"), "occurred_at:"
    yield made(sale, currency="EURO"), "currency:"
    yield made(sale, currency="USD"), "fx_rate:"
    yield made(sale, lines=[{"sku": "a", "quantity": 1, "amount_minor": 499}]), "lines:"
    yield made(back, amount_minor=0), "amount_minor:"
    yield made(back, return_id=...), "return_id: is missing"
    yield made(sale, type="PurchaseStolen.v1"), "type"
    yield made(sale, type=...), "type"
