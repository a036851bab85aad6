"""A customer's state costs Python's search for cyclic garbage nothing: none of its values takes part in it."""

import gc
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from msgspec.inspect import StructType, multi_type_info

from services.ledger import rules as ledger
from services.notifier import rules as notifier
from services.portal import rules as portal
from services.profile import rules as profile
from services.turnover import rules as turnover
from shared.rulebook.entry import Entry

RULES: dict[str, Any] = {
    "turnover": turnover,
    "profile": profile,
    "ledger": ledger,
    "notifier": notifier,
    "portal": portal,
}


@pytest.mark.parametrize("name", RULES)
def test_no_value_of_a_state_can_be_part_of_a_cycle(name: str):
    rules = RULES[name]
    found = {each.cls for each in structs(multi_type_info([rules.State, rules.Memo]))}
    assert rules.State in found
    assert [each.__qualname__ for each in (*found, Entry) if each.__struct_config__.gc] == []
    assert not gc.is_tracked(rules.initial("c-1"))


def structs(part: Any) -> Iterator[StructType]:
    """All structs that a type's description names."""
    if isinstance(part, list | tuple):
        for each in part:  # pyright: ignore[reportUnknownVariableType]
            yield from structs(each)
    elif isinstance(part, msgspec.Struct):
        if isinstance(part, StructType):
            yield part
        for field in part.__struct_fields__:
            yield from structs(getattr(part, field))
