"""Events: one flat object on the wire, read by who knows the envelope and by who knows the fact."""

import json
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from shared.contracts.clock import TICK
from shared.contracts.coherence import read_programme
from shared.contracts.export import EVENTS, INPUTS
from shared.contracts.records import Cause, Envelope, Fact, canonical, made, read, wire
from shared.contracts.turnover import TURNOVER, Closed, Standing, TierChanged, TurnoverRecorded, YearTurned

GOLDEN = Path(__file__).parent / "golden"
STANDING = Standing(
    year=2010, turnover_minor=1, tier="a", valid_until=None, next_tier="b", to_next_minor=1, to_keep_minor=0
)
ENVELOPE = Envelope(
    type="TierChanged.v1",
    customer_id="c-1",
    version=3,
    occurred_at=datetime(2010, 12, 1, tzinfo=UTC),
    recorded_at=datetime(2010, 12, 1, 1, tzinfo=timezone(timedelta(hours=1))),
    cause=Cause(type="PurchaseCompleted.v1", id="s-01/536365"),
    programme_version=1,
)


def test_an_event_is_one_flat_object_of_envelope_and_fact():
    fact = TierChanged(from_="a", to="b", direction="up", reason="turnover", standing=STANDING)
    assert json.loads(wire(ENVELOPE, fact)) == {
        "type": "TierChanged.v1",
        "customer_id": "c-1",
        "version": 3,
        "occurred_at": "2010-12-01T00:00:00Z",
        "recorded_at": "2010-12-01T00:00:00Z",
        "cause": {"type": "PurchaseCompleted.v1", "id": "s-01/536365"},
        "programme_version": 1,
        "from": "a",
        "to": "b",
        "direction": "up",
        "reason": "turnover",
        "standing": json.loads(canonical(STANDING)),
    }


def test_a_fact_without_fields_of_its_own_is_an_envelope():
    class Bare(Fact):
        type: str = "Bare.v1"

    assert json.loads(wire(ENVELOPE, Bare())) == json.loads(canonical(ENVELOPE))


def test_the_same_bytes_are_read_as_envelope_and_as_fact():
    fact = YearTurned(standing=STANDING, closed=Closed(year=2009, turnover_minor=5))
    envelope = ENVELOPE.model_copy(update={"type": fact.type})
    assert read(TypeAdapter(Envelope), wire(envelope, fact)) == envelope
    assert read(TURNOVER, wire(envelope, fact)) == fact


def test_a_fact_takes_no_name_of_the_envelopes():
    for name, model in EVENTS.items():
        assert model.model_fields.keys() & Envelope.model_fields.keys() == {"type"}, name
        assert model.model_fields["type"].default == name


def test_a_fact_that_breaks_its_contract_cannot_be_made():
    with pytest.raises(ValidationError):
        Standing(
            year=2010,
            turnover_minor=-1,
            tier="a",
            valid_until=None,
            next_tier=None,
            to_next_minor=None,
            to_keep_minor=0,
        )
    with pytest.raises(ValidationError):
        ENVELOPE.model_validate(ENVELOPE.model_dump() | {"occurred_at": datetime(2010, 12, 1)})  # noqa: DTZ001


def test_a_record_that_is_made_of_what_is_known_to_be_valid_is_as_any_other():
    standing = made(Standing, **STANDING.model_dump())
    fact = made(TierChanged, from_="a", to="b", direction="up", reason="turnover", standing=standing)
    checked = TierChanged(from_="a", to="b", direction="up", reason="turnover", standing=STANDING)
    assert (fact, repr(fact), hash(fact)) == (checked, repr(checked), hash(checked))
    assert canonical(fact) == canonical(checked)
    assert fact.model_dump() == checked.model_dump()
    assert fact.model_copy(update={"to": "c"}) == checked.model_copy(update={"to": "c"})


@pytest.mark.parametrize("name", [*INPUTS, *EVENTS])
def test_a_record_of_the_past_still_says_what_it_said(name: str):
    value = (GOLDEN / f"{name}.json").read_bytes()
    said = json.loads(value)
    match said.get("type"):
        case None:
            assert holds(json.loads(canonical(read_programme(value))), said)
        case "Tick.v1":
            assert holds(json.loads(canonical(read(TICK, value))), said)
        case str(kind) if kind in INPUTS:
            assert holds(json.loads(canonical(read(TypeAdapter(INPUTS[name]), value))), said)
        case _:
            fact, envelope = read(TypeAdapter(EVENTS[name]), value), read(TypeAdapter(Envelope), value)
            assert holds(json.loads(wire(envelope, fact)), said)


def holds(now: Any, said: Any) -> bool:
    """Whether all that was said is still there; more may be."""
    if isinstance(said, dict):
        return all(name in now and holds(now[name], value) for name, value in said.items())
    if isinstance(said, list):
        return len(now) == len(said) and all(map(holds, now, said))
    return now == said or {now, said} == {"P1Y", "P12M"}  # two ways to write one duration


def test_a_purchase_and_its_event_hold_no_field_twice():
    fact = TurnoverRecorded(
        purchase_id="1",
        store_id="s",
        redemption_id=None,
        amount_minor=1,
        year=2010,
        late=False,
        skus=("a", "b"),
        tier="a",
        standing=STANDING,
    )
    names = [name for name, _ in json.loads(wire(ENVELOPE, fact), object_pairs_hook=list)]
    assert len(names) == len(set(names))
