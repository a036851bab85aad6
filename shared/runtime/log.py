"""How a customer's log is written: one document for each batch that touched them, with the state after it.

A document `{_id, version, state, memory, seen, entries}` is inserted and never changed; its `_id` ends in the revision,
which counts 1, 2, 3 without gaps, so that two writers of one customer cannot both succeed. An entry is `{event, memo}`
or `{note, memo}`: JSON texts; an event's is what Kafka carries, to the byte.
"""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import msgspec
from msgspec import Struct

from shared.contracts.records import Envelope
from shared.rulebook.entry import Entry
from shared.rulebook.memory import Memory
from shared.runtime.rules import Rules

MAX_EVENT: Final = 900_000  # bytes; Kafka takes a record of 1 MiB with its headers
_json = msgspec.json.Encoder()


class Event(Struct, frozen=True, gc=False):
    """An event ready to be published."""

    type: str
    customer_id: str
    version: int
    occurred_at: datetime
    value: bytes
    trace: str | None


def json_bytes(value: Any) -> bytes:
    """Any value of builtins as JSON."""
    return _json.encode(value)


def log_id(partition: int, customer_id: str, revision: int) -> str:
    """The `_id` of a log document; they sort by partition, customer and revision."""
    return f"{partition:02d}/{customer_id}/{revision:010d}"


def rfc3339(at: datetime) -> str:
    """A UTC time as the records write it."""
    return _json.encode(at)[1:-1].decode()


class _Cause(Struct, gc=False):
    type: str
    id: str


class _Envelope(Struct, gc=False):
    """What `encode` adds to a fact, in the order of the contract's `Envelope`."""

    customer_id: str
    version: int | msgspec.UnsetType
    occurred_at: datetime
    recorded_at: str
    cause: _Cause
    programme_version: int | None


def encode(entry: Entry, customer_id: str, version: int, recorded_at: str) -> bytes:
    """An entry's own fields and the envelope as one flat JSON object; without a `version` where that is 0."""
    fact, cause = entry.fact, entry.cause
    envelope = _Envelope(
        customer_id,
        version or msgspec.UNSET,
        entry.occurred_at,
        recorded_at,
        _Cause(cause.type, cause.id),
        entry.programme,
    )
    own = fact.__pydantic_serializer__.to_json(fact, by_alias=True)
    return own[:-1] + b"," + _json.encode(envelope)[1:]


class Written(Struct, frozen=True, gc=False):
    """An entry of a log document that is still to come. `value`: of `encode`; `memo`: as JSON."""

    value: bytes
    public: bool
    memo: bytes | None
    trace: str | None


def written(value: bytes, public: bool, memo: Any, trace: str | None) -> Written:
    """An encoded entry until its log document is made."""
    return Written(value, public, None if memo is None else _json.encode(memo), trace)


def stored(entry: Written) -> dict[str, str]:
    """An entry as its log document holds it."""
    found = {"event" if entry.public else "note": entry.value.decode()}
    if entry.memo is not None:
        found["memo"] = entry.memo.decode()
    if entry.trace is not None:
        found["trace"] = entry.trace
    return found


def events(document: Mapping[str, Any]) -> list[Event]:
    """The events of a log document, ready to be published again."""
    found: list[Event] = []
    for entry in document["entries"]:
        if "event" in entry:
            value: str = entry["event"]
            head = Envelope.model_validate_json(value)
            found.append(
                Event(
                    head.type,
                    head.customer_id,
                    head.version,
                    head.occurred_at,
                    value.encode(),
                    entry.get("trace"),
                )
            )
    return found


class _Noted(Envelope):
    version: int = 0  # type: ignore[assignment]


def entries(document: Mapping[str, Any], rules: Rules) -> list[Entry]:
    """The entries of a log document, for folding it again."""
    found: list[Entry] = []
    for entry in document["entries"]:
        value: str = entry.get("event") or entry["note"]
        head = _Noted.model_validate_json(value)
        memo = msgspec.json.decode(entry["memo"], type=rules.Memo) if "memo" in entry else None
        fact = rules.FACTS.validate_json(value)
        found.append(Entry(fact, head.occurred_at, head.cause, head.programme_version, memo))
    return found


class Codec:
    """Turns a state into the fields of a document and back."""

    def __init__(self, rules: Rules) -> None:
        self._states = msgspec.json.Decoder(rules.State)

    def dump(self, state: Any) -> dict[str, Any]:
        """The state as text that people can read, and what its memory holds, packed."""
        memory = state.memory
        bare = msgspec.structs.replace(state, memory=Memory(chunks=memory.chunks))
        return {"state": _json.encode(bare).decode(), "memory": memory.stored}

    def load(self, document: Mapping[str, Any]) -> Any:
        """The state in a log document."""
        state = self._states.decode(document["state"])
        return msgspec.structs.replace(state, memory=Memory.of(document["memory"], state.memory.chunks))


def trace_of(headers: Sequence[tuple[str, bytes]]) -> str | None:
    """The W3C `traceparent` among a record's headers, if it has a valid one."""
    for name, value in headers:
        if name == "traceparent" and len(value) == 55:  # noqa: PLR2004
            text = value.decode("ascii", "ignore")
            if len(text) == 55 and text.count("-") == 3 and text.replace("-", "").isalnum():  # noqa: PLR2004
                return text
    return None


def trace_for(event_id: str) -> str:
    """The `traceparent` of an event whose cause brought none: the same however often it is published."""
    digest = hashlib.blake2b(event_id.encode(), digest_size=24).hexdigest()
    return f"00-{digest[:32]}-{digest[32:]}-00"
