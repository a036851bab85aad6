"""What the CRM publishes: customers' data, and requests to erase them.

The parts of a record stand by themselves: one that cannot be is `Bad`, and the others count.
"""

from typing import Annotated, Any, Final, Literal

from msgspec import Struct
from pydantic import Field, GetPydanticSchema, TypeAdapter, ValidationError, ValidatorFunctionWrapHandler
from pydantic_core import core_schema

from shared.contracts.records import Id, Input, Moment, Record, fault, scalar

LONGEST: Final = 500  # characters of a value


class Bad(Struct, frozen=True):
    """A part of a record that is none. `faults`: the path within the part (empty: the part itself) and why."""

    faults: tuple[tuple[str, str], ...]


def _part(kind: Any) -> GetPydanticSchema:
    """A part of that type, or `Bad`."""
    return GetPydanticSchema(
        lambda _source, handler: core_schema.no_info_wrap_validator_function(_or_bad, handler.generate_schema(kind))
    )


def _or_bad(value: Any, check: ValidatorFunctionWrapHandler) -> Any:
    try:
        return check(value)
    except ValidationError as error:
        said = [fault(one).partition(": ") for one in error.errors(include_url=False, include_input=False)]
        return Bad(tuple(("" if path == "record" else path, why) for path, _, why in said))


Value = Annotated[
    str,
    scalar(core_schema.str_schema(strict=True, max_length=LONGEST), f"is no text of up to {LONGEST} characters"),
]
Yes = Annotated[bool, scalar(core_schema.bool_schema(strict=True), "is neither true nor false")]
MaybeValue = Annotated[Value | Bad | None, _part(Value | None)]


class ConsentSaid(Record):
    """A consent given or withdrawn. `text`: the version of what was agreed to. `at`: absent: when the record was."""

    granted: Yes
    text: Id | None = None
    at: Moment | None = None


Values = dict[str, MaybeValue]
ConsentsSaid = dict[str, Annotated[ConsentSaid | Bad | None, _part(ConsentSaid | None)]]


class CustomerUpserted(Input):
    """What changed of a customer: what is absent stays, null clears.

    `fields`: by the ids of the programme's profile. `consents`: by purpose; null withdraws. `time_zone`: of IANA.
    Which value a field takes depends on its kind, and is the rules' to say.
    """

    type: Literal["CustomerUpserted.v1"]
    fields: Annotated[Values | Bad, _part(Values)] = Field(default={}, repr=False)
    name: MaybeValue = Field(default=None, repr=False)
    locale: MaybeValue = Field(default=None, repr=False)
    time_zone: MaybeValue = Field(default=None, repr=False)
    consents: Annotated[ConsentsSaid | Bad, _part(ConsentsSaid)] = Field(default={}, repr=False)


class CustomerErasureRequested(Input):
    """A customer wants to be forgotten."""

    type: Literal["CustomerErasureRequested.v1"]


CrmRecord = Annotated[CustomerUpserted | CustomerErasureRequested, Field(discriminator="type")]
CRM: TypeAdapter[CustomerUpserted | CustomerErasureRequested] = TypeAdapter(CrmRecord)
