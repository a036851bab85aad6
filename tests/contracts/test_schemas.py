"""The published schemas: they are those of the models, and no change may break who relies on them."""

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from shared.contracts.export import breaks, differences, main, schemas

PURCHASE = "PurchaseCompleted.v1"
EVENT = "TurnoverRecorded.v1"
SCHEMAS = schemas()


def changed(name: str, **changes: Any) -> dict[str, Any]:
    """A schema with other fields: a dictionary replaces one or adds it, `None` removes it."""
    schema = deepcopy(SCHEMAS[name])
    for field, value in changes.items():
        if value is None:
            del schema["properties"][field]
            schema["required"] = [one for one in schema["required"] if one != field]
        else:
            schema["properties"][field] = value
    return schema


def required(schema: dict[str, Any], *fields: str) -> dict[str, Any]:
    return schema | {"required": [*schema["required"], *fields]}


def optional(schema: dict[str, Any], field: str) -> dict[str, Any]:
    return schema | {"required": [one for one in schema["required"] if one != field]}


NUMBER = {"type": "integer"}
TEXT = {"type": "string"}
NULLABLE = {"anyOf": [NUMBER, {"type": "null"}]}


def test_the_published_schemas_are_those_of_the_models():
    assert differences() == {}


@pytest.mark.parametrize(
    "new",
    [
        changed(PURCHASE, coupon=TEXT),
        optional(changed(PURCHASE), "total_minor"),
        changed(PURCHASE, total_minor={"type": "integer", "minimum": -5, "maximum": 10**13}),
        changed(PURCHASE, store_id=TEXT),
        changed(PURCHASE) | {"description": "Said better."},
    ],
)
def test_an_input_may_take_more(new: dict[str, Any]):
    assert not breaks(SCHEMAS[PURCHASE], new, "input")


@pytest.mark.parametrize(
    "new",
    [
        changed(PURCHASE, terminal_id=None),
        changed(PURCHASE, terminal_id=None, terminal=TEXT),
        required(changed(PURCHASE, coupon=TEXT), "coupon"),
        required(changed(PURCHASE), "fx_rate"),
        changed(PURCHASE, total_minor=TEXT),
        changed(PURCHASE, total_minor={"type": "integer", "minimum": 1, "maximum": 10**12}),
        changed(PURCHASE, total_minor={"type": "integer", "minimum": 0, "maximum": 10**11}),
        changed(PURCHASE, currency={"type": "string", "enum": ["EUR"]}),
        changed(PURCHASE, store_id={"type": "string", "pattern": "^[A-Z]{1,64}$"}),
        changed(PURCHASE, tax_minor={"type": "integer", "minimum": 0, "maximum": 10**12}),
        changed(PURCHASE, lines={"type": "array", "items": {"type": "object", "properties": {"sku": TEXT}}}),
    ],
)
def test_an_input_never_takes_less(new: dict[str, Any]):
    assert breaks(SCHEMAS[PURCHASE], new, "input")


def nested(**changes: Any) -> dict[str, Any]:
    schema = changed(EVENT)
    schema["$defs"]["Standing"]["properties"] |= changes
    schema["$defs"]["Standing"]["required"] += list(changes)
    return schema


@pytest.mark.parametrize(
    "new",
    [
        required(changed(EVENT, points=NUMBER), "points"),
        nested(points=NUMBER),
        changed(EVENT, amount_minor={"type": "integer", "minimum": 1}),
        changed(EVENT, redemption_id={"type": "null"}),
    ],
)
def test_an_event_may_say_more(new: dict[str, Any]):
    assert not breaks(SCHEMAS[EVENT], new, "event")


@pytest.mark.parametrize(
    "new",
    [
        changed(EVENT, late=None),
        required(changed(EVENT, late=None, was_late={"type": "boolean"}), "was_late"),
        optional(changed(EVENT), "late"),
        changed(EVENT, amount_minor=NUMBER),
        changed(EVENT, year=NULLABLE),
        changed(EVENT, year=TEXT),
        changed(EVENT, occurred_at=TEXT),
        nested(turnover_minor=NULLABLE),
        nested(tier=TEXT),
    ],
)
def test_an_event_never_says_less_or_something_else(new: dict[str, Any]):
    assert breaks(SCHEMAS[EVENT], new, "event")


def test_a_new_reason_is_a_break_for_who_knows_the_old_ones():
    old, new = (
        SCHEMAS["ReturnRefused.v1"],
        changed("ReturnRefused.v1", reason=TEXT | {"enum": ["exceeds", "window", "x"]}),
    )
    assert breaks(old, new, "event")


def test_a_benefit_may_take_more_and_never_less():
    old, new, less = (deepcopy(SCHEMAS["programme"]) for _ in range(3))
    new["$defs"]["Perk"]["properties"]["colour"] = TEXT
    del less["$defs"]["Perk"]["properties"]["every"]
    assert not breaks(old, new, "input")
    assert breaks(old, less, "input")


def test_what_the_comparison_would_overlook_is_an_error():
    with pytest.raises(ValueError, match="multipleOf"):
        breaks(SCHEMAS[EVENT], changed(EVENT, year={"type": "integer", "multipleOf": 2}), "event")


def test_writing_publishes_what_is_new_and_then_there_is_no_difference(tmp_path: Path):
    assert "is not published" in (main(["--check"], tmp_path) or "")
    assert main([], tmp_path) is None
    assert main(["--check"], tmp_path) is None


def test_a_break_is_refused_even_when_writing(tmp_path: Path):
    main([], tmp_path)
    published = tmp_path / f"{PURCHASE}.json"
    published.write_text(json.dumps(changed(PURCHASE, coupon=TEXT)))  # as if the models had lost a field
    before = published.read_text()
    for arguments in ([], ["--check"]):
        assert f"{PURCHASE}: breaks who relies on it" in (main(arguments, tmp_path) or "")
    assert published.read_text() == before


def test_a_record_that_is_gone_is_a_break(tmp_path: Path):
    main([], tmp_path)
    (tmp_path / "Forgotten.v1.json").write_text("{}")
    assert "Forgotten.v1: breaks who relies on it" in (main(["--check"], tmp_path) or "")
