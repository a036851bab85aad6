"""Records of the CRM: their parts stand by themselves, and what is no record at all is refused."""

import json
from typing import Any

import pytest

from shared.contracts.crm import CRM, Bad, ConsentSaid, CustomerErasureRequested, CustomerUpserted
from shared.contracts.records import UnreadableError, read

RECORD: dict[str, Any] = {
    "type": "CustomerUpserted.v1",
    "customer_id": "c-17850",
    "occurred_at": "2010-12-01T00:00:00Z",
    "fields": {"email": "a@example.org", "phone": None, "birthday": "1980-02-29"},
    "name": "A. Example",
    "locale": "en",
    "time_zone": "Europe/Berlin",
    "consents": {"programme": {"granted": True, "text": "2010-1", "at": "2010-12-01T01:00:00+01:00"}},
}


def upserted(**changes: Any) -> CustomerUpserted:
    record = read(CRM, json.dumps(RECORD | changes).encode())
    assert isinstance(record, CustomerUpserted)
    return record


def test_a_record_is_read_as_it_was_written():
    record = upserted()
    assert (record.fields, record.name) == (RECORD["fields"], "A. Example")
    assert isinstance(record.consents, dict)
    consent = record.consents["programme"]
    assert isinstance(consent, ConsentSaid)
    assert (consent.granted, consent.text, consent.at) == (True, "2010-1", record.occurred_at)


def test_what_is_absent_is_told_from_what_is_null():
    assert "name" in upserted(name=None).model_fields_set
    bare = read(CRM, json.dumps({name: RECORD[name] for name in ("type", "customer_id", "occurred_at")}).encode())
    assert bare.model_fields_set == {"type", "customer_id", "occurred_at"}


@pytest.mark.parametrize("part", ["fields", "name", "locale", "time_zone", "consents"])
def test_a_part_that_cannot_be_leaves_the_others(part: str):
    whole, record = upserted(), upserted(**{part: 5})
    assert isinstance(getattr(record, part), Bad)
    for other in {"fields", "name", "locale", "time_zone", "consents"} - {part}:
        assert getattr(record, other) == getattr(whole, other)


def test_a_value_that_cannot_be_leaves_its_neighbours():
    record = upserted(fields={"email": "a@example.org", "phone": 5, "address": "x" * 501})
    assert isinstance(record.fields, dict)
    assert {name for name, value in record.fields.items() if isinstance(value, Bad)} == {"phone", "address"}


@pytest.mark.parametrize("field", ["customer_id", "occurred_at"])
def test_without_whose_and_when_it_is_no_record(field: str):
    for value in (None, "", 5):
        with pytest.raises(UnreadableError, match=f"^{field}: is "):
            upserted(**{field: value})


def test_a_record_shows_no_value_of_a_person():
    record = upserted(fields={"email": "MARKED"}, name="MARKED", consents={"programme": "MARKED"})
    assert "MARKED" not in f"{record!r}{record}{record.consents}"


def test_an_erasure_request_is_a_record_of_its_own():
    value = {"type": "CustomerErasureRequested.v1", "customer_id": "c-1", "occurred_at": "2010-12-01T00:00:00Z"}
    assert isinstance(read(CRM, json.dumps(value).encode()), CustomerErasureRequested)
