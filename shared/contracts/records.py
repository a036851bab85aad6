"""What all records share: strict, frozen models, their scalar values, and how bytes are read and written."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from operator import methodcaller
from typing import Annotated, Any, Final, ParamSpec, TypeVar

import msgspec
from pydantic import BaseModel, ConfigDict, GetPydanticSchema, TypeAdapter, ValidationError, WithJsonSchema
from pydantic.fields import FieldInfo
from pydantic_core import CoreSchema, ErrorDetails, core_schema

from shared.contracts.currency import EXPONENTS

MAX_BYTES: Final = 256 * 1024  # of a record
MAX_ID: Final = 64  # characters of an id
MAX_MINOR: Final = 10**12  # of an amount, in minor units
_EARLY: Final = timedelta(days=1)  # how far a till's clock may run ahead of the broker's
_REASON_LENGTH: Final = 300


def scalar(schema: CoreSchema, words: str) -> GetPydanticSchema:
    """A value checked in compiled code alone (a Python validator costs a microsecond), and refused in our words."""
    said = core_schema.custom_error_schema(schema, custom_error_type="contract", custom_error_message=words)
    return GetPydanticSchema(lambda _source, _handler: said)


def text(pattern: str, words: str) -> GetPydanticSchema:
    """A string of that form."""
    return scalar(core_schema.str_schema(strict=True, pattern=pattern), words)


def _integer(low: int, high: int, words: str) -> GetPydanticSchema:
    return scalar(core_schema.int_schema(strict=True, ge=low, le=high), words)


def _moment() -> CoreSchema:
    # fromisoformat takes more than RFC 3339, so a pattern comes first. pydantic's own reading of a time takes digits
    # for seconds since 1970, and its time zones take a microsecond to become UTC. Years are bounded so that adding a
    # duration of the programme stays within the calendar.
    pattern = (
        r"^(?:19|20|21)[0-9]{2}-[0-9]{2}-[0-9]{2}[Tt](?:[01][0-9]|2[0-3]):[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?"
        r"(?:Z|[+-][0-9]{2}:[0-9]{2})$"
    )
    text = core_schema.no_info_after_validator_function(
        datetime.fromisoformat, core_schema.str_schema(strict=True, pattern=pattern)
    )
    value = core_schema.datetime_schema(strict=True, tz_constraint="aware")
    return core_schema.no_info_after_validator_function(
        methodcaller("astimezone", UTC),
        core_schema.json_or_python_schema(text, value),
        serialization=core_schema.simple_ser_schema("datetime"),
    )


Id = Annotated[str, text(r"^[A-Za-z0-9._:-]{1,64}$", "is no id of 1 to 64 characters of A-Z a-z 0-9 . _ : -")]
Sku = Annotated[str, text(r"^[^\p{Cc}\p{Cf}\p{Zl}\p{Zp}]{1,64}$", "is not 1 to 64 printable characters")]
Text = Annotated[
    str, scalar(core_schema.str_schema(strict=True, max_length=1000), "is no text of up to 1000 characters")
]
Minor = Annotated[int, _integer(0, MAX_MINOR, "is no integer of minor units from 0 to 10^12")]
MinorAboveZero = Annotated[int, _integer(1, MAX_MINOR, "is no integer of minor units from 1 to 10^12")]
SignedMinor = Annotated[int, _integer(-MAX_MINOR, MAX_MINOR, "is no integer of minor units from -10^12 to 10^12")]
Count = Annotated[int, _integer(-(10**9), 10**9, "is no integer from -10^9 to 10^9")]
Version = Annotated[int, _integer(1, 2**53, "is no version: an integer from 1")]
Rate = Annotated[
    str,
    # Above zero: a digit other than 0 on either side of the point. No exponent, no leading zeros.
    text(
        r"^(?:[1-9][0-9]{0,8}(?:\.[0-9]{1,18})?|0\.[0-9]{0,17}[1-9][0-9]{0,17})$",
        'is no decimal string above zero, such as "1.0837"',
    ),
]
Currency = Annotated[str, scalar(core_schema.literal_schema(sorted(EXPONENTS)), "is no currency code of ISO 4217")]
Moment = Annotated[
    datetime,
    scalar(_moment(), "is no time of RFC 3339 with an offset, such as 2010-12-01T08:26:00Z, of the years 1900 to 2199"),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
"""A time with an offset, from a string alone (a number is none), kept in UTC to the microsecond."""


P = ParamSpec("P")
M = TypeVar("M", bound="Record")


class Record(BaseModel):
    """A record or a part of one. Unknown fields are ignored, nothing is coerced, errors never show a value."""

    model_config = ConfigDict(
        frozen=True,
        strict=True,
        extra="ignore",
        hide_input_in_errors=True,
        serialize_by_alias=True,
        validate_by_name=True,
        json_schema_serialization_defaults_required=True,
    )


class Input(Record):
    """What every record of a till or the CRM has. A subclass says its one `type`. `occurred_at`: business time."""

    type: Any
    customer_id: Id
    occurred_at: Moment


class Cause(Record):
    """What led to an event: the type of the record and its id."""

    type: str
    id: str


class Envelope(Record):
    """What every event has beside its own fields.

    `version` counts 1, 2, 3 … per service and customer. `occurred_at` is business time; `recorded_at` the broker's time
    of the record that caused the event. `programme_version`: the rules that decided it, `None` where none did.
    """

    type: str
    customer_id: Id
    version: Version
    occurred_at: Moment
    recorded_at: Moment
    cause: Cause
    programme_version: Version | None = None


class Fact(Record):
    """The own fields of an event. A subclass says its one `type`, and takes no name of the envelope's but that."""

    type: Any


def made(model: Callable[P, M], *_: P.args, **fields: P.kwargs) -> M:
    """A record of values that the rules have just worked out, every field without a default named: as `model(...)`
    makes it, but without checking them, which would cost more than all else about an event. Tests check what is made.
    """
    record: Any = _new(model)
    _set_values(record, _defaults[model] | fields)
    _set_named(record, _NOTHING)
    _set_extra(record, None)
    _set_private(record, None)
    return record


class _Defaults(dict[Any, dict[str, Any]]):
    """The defaults of a model's fields, by model."""

    def __missing__(self, model: Any) -> dict[str, Any]:
        fields: dict[str, FieldInfo] = model.model_fields
        found = self[model] = {name: one.get_default() for name, one in fields.items() if not one.is_required()}
        return found


_defaults: Final = _Defaults()
_new: Final[Any] = object.__new__
# A frozen model refuses to be set; what it is made of does not, and takes a third less time than object.__setattr__.
_set_values, _set_named, _set_extra, _set_private = [
    vars(BaseModel)[name].__set__
    for name in ("__dict__", "__pydantic_fields_set__", "__pydantic_extra__", "__pydantic_private__")
]
_NOTHING: Final[set[str]] = set()


R = TypeVar("R")


class UnreadableError(ValueError):
    """Bytes that are no record of the contract. Its text is one line that names each field and why, never a value."""


def read(adapter: TypeAdapter[R], value: bytes | None) -> R:
    """The record in a message's value; raises `UnreadableError`."""
    if value is None:
        raise UnreadableError("record: is null")
    if len(value) > MAX_BYTES:
        raise UnreadableError(f"record: is larger than {MAX_BYTES // 1024} KiB")
    try:
        return adapter.validator.validate_json(value)
    except ValidationError as error:
        raise UnreadableError(reasons(error) if _is_utf8(value) else "record: is no UTF-8") from None


def _is_utf8(value: bytes) -> bool:
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True


def check_time(record: Input, recorded_at: datetime) -> str | None:
    """Why a record's time cannot be, seen from the broker's; `None` when it can."""
    if record.occurred_at - recorded_at > _EARLY:
        return "occurred_at: is more than a day after the broker's time"
    return None


def canonical(record: Record) -> bytes:
    """The validated record as JSON: known fields in their order, defaults filled, times in UTC. For content hashes."""
    return record.__pydantic_serializer__.to_json(record, by_alias=True)


def content(record: Record) -> bytes:
    """The values of a validated record's fields in their order, defaults filled, packed: for content hashes alone."""
    return _pack.encode(record)


def _values(part: Any) -> tuple[Any, ...]:
    if isinstance(part, Record):
        return tuple(vars(part).values())
    raise TypeError(f"a record holds {type(part).__name__}, which has no packed form")


_pack = msgspec.msgpack.Encoder(enc_hook=_values)


def wire(envelope: Envelope, fact: Fact) -> bytes:
    """An event as it travels: one flat JSON object of both."""
    head = envelope.__pydantic_serializer__.to_json(envelope)
    own = fact.__pydantic_serializer__.to_json(fact, by_alias=True, exclude={"type"})
    return head if own == b"{}" else head[:-1] + b"," + own[1:]


def reasons(error: ValidationError) -> str:
    """One line that names each field and why it is refused, without the values, of at most 300 characters."""
    return one_line([fault(one) for one in error.errors(include_url=False, include_input=False)])


def one_line(faults: Iterable[str]) -> str:
    """Faults in one line of at most 300 characters."""
    line = "; ".join(faults)
    return line if len(line) <= _REASON_LENGTH else line[: _REASON_LENGTH - 2] + " …"


def fault(error: ErrorDetails) -> str:
    """One error of a validation as `path: why`, without the value."""
    # The first step into a union is the name of the type, not a field.
    steps = [str(step) for at, step in enumerate(error["loc"]) if at or ".v" not in str(step)]
    path = ".".join(steps) or "record"
    match error["type"]:
        case "missing":
            return f"{path}: is missing"
        case "union_tag_not_found" | "union_tag_invalid" as kind:
            tag = error.get("ctx", {})["discriminator"].strip("'")
            return f"{'.'.join([*steps, tag])}: is {'missing' if kind == 'union_tag_not_found' else 'unknown'}"
        case "json_invalid":
            return f"record: is no JSON ({error['msg'].removeprefix('Invalid JSON: ')})"
        case "model_type" | "model_attributes_type" | "dict_type":
            return f"{path}: is no object"
        case "tuple_type":
            return f"{path}: is no list"
        case "extra_forbidden":
            return f"{path}: is unknown"
        case "together":
            return error["msg"]  # names its fields itself
        case _:
            return f"{path}: {error['msg'].removeprefix('Input ').replace('should be', 'is not', 1)}"
