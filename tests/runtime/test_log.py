"""Entries as the log writes them: the bytes of an event are those of its contract."""

import json
from datetime import UTC, datetime

import pytest

from shared.contracts.records import Cause, Envelope, wire
from shared.contracts.turnover import ReturnRefused
from shared.rulebook.entry import Entry, Note
from shared.runtime import log


class Waits(Note):
    type: str = "Waits.v1"


FACT = ReturnRefused(
    return_id="r-1", store_id="s-1", purchase_id=None, amount_minor=5, excess_minor=5, reason="exceeds"
)
TIMES = [datetime(2010, 12, 1, 8, 26, tzinfo=UTC), datetime(1999, 1, 2, 3, 4, 5, 678_901, tzinfo=UTC)]
AT = datetime(2010, 12, 1, 9, tzinfo=UTC)


@pytest.mark.parametrize("at", TIMES)
@pytest.mark.parametrize("programme", [3, None])
def test_an_event_is_written_as_its_contract_says(at: datetime, programme: int | None):
    cause = Cause(type="PurchaseReturned.v1", id='s-1/"r"-1')
    entry = Entry(FACT, at, cause, programme)
    envelope = Envelope(
        type=FACT.type,
        customer_id="c-1",
        version=7,
        occurred_at=at,
        recorded_at=AT,
        cause=cause,
        programme_version=programme,
    )
    assert json.loads(log.encode(entry, "c-1", 7, log.rfc3339(AT))) == json.loads(wire(envelope, FACT))


def test_a_note_has_no_version():
    entry = Entry(Waits(), AT, Cause(type="Clock", id="x"))
    assert "version" not in json.loads(log.encode(entry, "c-1", 0, log.rfc3339(AT)))


@pytest.mark.parametrize("at", TIMES)
def test_a_time_is_written_in_utc_with_a_z(at: datetime):
    assert log.rfc3339(at) == at.isoformat().replace("+00:00", "Z")
