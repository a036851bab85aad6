"""The published JSON Schemas: `python -m shared.contracts.export` writes them, `--check` says how they differ.

A schema that is published never changes in a way that breaks who relies on it. Inputs: whatever was accepted still is.
Events: whatever an old reader, who ignores fields it does not know, could expect still holds. A change that breaks this
is refused even when writing, and becomes a new version of the type.
"""

import json
import sys
from pathlib import Path
from typing import Any, Final, Literal, cast

from jsoncompat import check_compat

from shared.contracts import ledger
from shared.contracts.clock import Tick
from shared.contracts.crm import CustomerErasureRequested, CustomerUpserted
from shared.contracts.notifier import (
    NotificationFailed,
    NotificationSent,
    NotificationSuppressed,
    NotificationWithdrawn,
)
from shared.contracts.pos import PurchaseCompleted, PurchaseReturned
from shared.contracts.profile import (
    BirthdayCame,
    CardIssued,
    CardRevoked,
    CompletionChanged,
    CustomerEnrolled,
    CustomerErased,
    ErasureAccepted,
    PreferencesChanged,
    ProfileChanged,
)
from shared.contracts.programme import ProgrammeVersion
from shared.contracts.records import Envelope, Fact, Record
from shared.contracts.turnover import ReturnRefused, TierChanged, TurnoverRecorded, TurnoverReduced, YearTurned

Schema = dict[str, Any]
Direction = Literal["input", "event"]

FOLDER: Final = Path(__file__).parent / "schemas"
INPUTS: Final[dict[str, type[Record]]] = {
    "PurchaseCompleted.v1": PurchaseCompleted,
    "PurchaseReturned.v1": PurchaseReturned,
    "CustomerUpserted.v1": CustomerUpserted,
    "CustomerErasureRequested.v1": CustomerErasureRequested,
    "Tick.v1": Tick,
    "programme": ProgrammeVersion,
}
EVENTS: Final[dict[str, type[Fact]]] = {
    "CustomerEnrolled.v1": CustomerEnrolled,
    "ProfileChanged.v1": ProfileChanged,
    "PreferencesChanged.v1": PreferencesChanged,
    "CompletionChanged.v1": CompletionChanged,
    "BirthdayCame.v1": BirthdayCame,
    "CardIssued.v1": CardIssued,
    "CardRevoked.v1": CardRevoked,
    "ErasureAccepted.v1": ErasureAccepted,
    "CustomerErased.v1": CustomerErased,
    "TurnoverRecorded.v1": TurnoverRecorded,
    "TurnoverReduced.v1": TurnoverReduced,
    "ReturnRefused.v1": ReturnRefused,
    "TierChanged.v1": TierChanged,
    "YearTurned.v1": YearTurned,
    "PointsEarned.v1": ledger.PointsEarned,
    "PointsActivated.v1": ledger.PointsActivated,
    "PointsExpired.v1": ledger.PointsExpired,
    "PointsAdjusted.v1": ledger.PointsAdjusted,
    "OwedSettled.v1": ledger.OwedSettled,
    "PointsReversed.v1": ledger.PointsReversed,
    "PointsRestored.v1": ledger.PointsRestored,
    "PointsHeld.v1": ledger.PointsHeld,
    "PointsRedeemed.v1": ledger.PointsRedeemed,
    "HoldReleased.v1": ledger.HoldReleased,
    "RedemptionRefused.v1": ledger.RedemptionRefused,
    "PointsExpiring.v1": ledger.PointsExpiring,
    "AccrualRefused.v1": ledger.AccrualRefused,
    "BenefitUnlocked.v1": ledger.BenefitUnlocked,
    "BenefitLocked.v1": ledger.BenefitLocked,
    "BenefitUsed.v1": ledger.BenefitUsed,
    "BenefitRevoked.v1": ledger.BenefitRevoked,
    "NotificationSent.v1": NotificationSent,
    "NotificationFailed.v1": NotificationFailed,
    "NotificationSuppressed.v1": NotificationSuppressed,
    "NotificationWithdrawn.v1": NotificationWithdrawn,
}
_FORMS: Final = ("pattern", "format", "maxLength", "minLength")
_COMPARED: Final = {"type", "const", "enum", "minimum", "maximum", "minItems", "maxItems", "required"}
_ELSEWHERE: Final = {
    *("$defs", "$schema", "$ref", "title", "description", "default", "discriminator"),
    *("items", "anyOf", "oneOf", "properties", "additionalProperties"),
}


def schemas() -> dict[str, Schema]:
    """The JSON Schema of every record by its type: what may be sent of an input, what a reader gets of an event."""
    inputs = {name: model.model_json_schema(mode="validation") for name, model in INPUTS.items()}
    events = {name: _event(model) for name, model in EVENTS.items()}
    return {
        name: {"$schema": "https://json-schema.org/draft/2020-12/schema"} | _untitled(schema) | {"title": name}
        for name, schema in (inputs | events).items()
    }


def breaks(old: Schema, new: Schema, direction: Direction) -> bool:
    """Whether a changed schema breaks who relies on the old one."""
    before, after = _flat(old, old), _flat(new, new)
    if direction == "input":
        return not check_compat(json.dumps(before), json.dumps(after), "deserializer")
    return not check_compat(json.dumps(before), json.dumps(_known(before, after)), "serializer")


def differences(folder: Path = FOLDER) -> dict[str, bool]:
    """The types whose published schema is not that of the models, and whether publishing this one would break it."""
    published = {path.stem: json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))}
    current = schemas()
    changed = {name for name in published.keys() | current.keys() if published.get(name) != current.get(name)}
    return {
        name: name in published
        and (name not in current or breaks(published[name], current[name], "event" if name in EVENTS else "input"))
        for name in sorted(changed)
    }


def main(arguments: list[str], folder: Path = FOLDER) -> str | None:
    """Writes the schemas, or with `--check` nothing; returns what is wrong, `None` if nothing is."""
    found = differences(folder)
    broken = [
        f"{name}: breaks who relies on it. Take the change back, or make it a new version."
        for name in found
        if found[name]
    ]
    if broken:
        return "\n".join(broken)
    if "--check" in arguments:
        stale = [f"{name}: is not published. Run: python -m shared.contracts.export" for name in found]
        return "\n".join(stale) or None
    folder.mkdir(exist_ok=True)
    current = schemas()
    for name in found:
        text = json.dumps(current[name], indent=2, ensure_ascii=False)
        (folder / f"{name}.json").write_text(text + "\n")
    return None


def _event(model: type[Fact]) -> Schema:
    # An event is one flat object of the envelope's fields and its own.
    envelope = Envelope.model_json_schema(mode="serialization")
    own = model.model_json_schema(mode="serialization", by_alias=True)
    return own | {
        "properties": envelope["properties"] | own["properties"],
        "required": list(dict.fromkeys([*envelope["required"], *own["required"]])),
        "$defs": envelope["$defs"] | own.get("$defs", {}),
    }


def _untitled(schema: Any) -> Any:
    # pydantic titles every field with its own name. A property may be called title, and is then an object.
    match schema:
        case dict():
            items = cast("Schema", schema).items()
            return {key: _untitled(value) for key, value in items if key != "title" or isinstance(value, dict)}
        case list():
            return [_untitled(item) for item in cast("list[Any]", schema)]
        case _:
            return schema


def _flat(schema: Schema, root: Schema) -> Schema:
    # What decides, in words that the comparison understands: references followed; objects closed, since an open one
    # could have held anything under the name of a field that is added; unions plain, since it finds that of two exact
    # ones neither holds the other; and a text's form as its only value, since it does not look at forms.
    if "$ref" in schema:
        return _flat(root["$defs"][schema["$ref"].removeprefix("#/$defs/")], root)
    flat: Schema = {key: schema[key] for key in _COMPARED & schema.keys()}
    if schema.keys() & _FORMS:
        flat = {"type": "string", "enum": [json.dumps([schema.get(key) for key in _FORMS])]}
    if "items" in schema:
        flat["items"] = _flat(schema["items"], root)
    for union in ("anyOf", "oneOf"):
        if union in schema:
            flat["anyOf"] = [_flat(one, root) for one in schema[union]]
    if schema.get("type") == "object":
        flat["properties"] = {name: _flat(one, root) for name, one in schema.get("properties", {}).items()}
        values: Any = schema.get("additionalProperties")  # of a map
        flat["additionalProperties"] = _flat(values, root) if values else False
    unknown = schema.keys() - _COMPARED - set(_FORMS) - _ELSEWHERE
    if unknown:
        raise ValueError(f"a schema uses {sorted(unknown)}, which the comparison would overlook")
    return flat


def _known(old: Schema, new: Schema) -> Schema:
    # The new schema as a reader of the old one sees it: without the fields that it does not know.
    if "anyOf" in new:
        return new | {"anyOf": [_known(old, one) for one in new["anyOf"]]}
    for one in old.get("anyOf", [old]):
        if one.get("type") != new.get("type"):
            continue
        if "properties" in one:
            names = one["properties"].keys() & new["properties"].keys()
            fields = {name: _known(one["properties"][name], new["properties"][name]) for name in names}
            return new | {"properties": fields, "required": [name for name in new.get("required", []) if name in names]}
        if "items" in one and "items" in new:
            return new | {"items": _known(one["items"], new["items"])}
    return new


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
