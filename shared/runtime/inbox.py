"""From a record of Kafka to a message of the rules, or to the reason why it is none."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, Final

from aiokafka import ConsumerRecord
from msgspec import Struct
from msgspec.structs import replace
from pydantic import TypeAdapter, ValidationError

from shared.contracts.clock import TICK
from shared.contracts.records import Envelope, Id, Input, Moment, Record, UnreadableError, check_time, read
from shared.contracts.topics import CLOCK, commands_topic, events_topic
from shared.runtime.log import rfc3339, trace_of
from shared.runtime.rules import Command, Heard, Service

STRAY: Final = "Stray.v1"
REBUILD: Final = "Rebuild.v1"
RETRY: Final = "RetryDeadLetters.v1"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LARGEST: Final = 1024 * 1024  # of a command: it may carry a record as text, escaped

Raw = ConsumerRecord[bytes | None, bytes | None]


class StrayRecord(Record):
    """A record that came on a partition that is not its customer's, or out of the dead letters, with its origin.

    `value` is absent where it may hold personal data: then the record is read again where it lies.
    """

    type: str
    topic: str
    partition: int
    offset: int
    recorded_at: Moment
    value: str | None = None
    traceparent: str | None = None


class CommandRecord(Record):
    """What every command has beside its body; `customer_id` is absent where it concerns a whole partition."""

    type: str
    command_id: str
    customer_id: Id | None = None
    sender: str
    fingerprint: str


class Origin(Struct, frozen=True, gc=False):
    """Where a record came from. `recorded_at`: the broker's time, also as text."""

    topic: str
    partition: int
    offset: int
    recorded_at: datetime
    recorded: str
    key: bytes | None
    value: bytes | None
    trace: str | None


class Read(Struct, frozen=True, gc=False):
    """A message for the rules. `command`: what must be answered."""

    customer_id: str
    message: Any
    origin: Origin
    command: CommandRecord | None = None


class Bad(Struct, frozen=True, gc=False):
    """A record that is none; it becomes a dead letter."""

    origin: Origin
    reason: str


class Broken(Struct, frozen=True, gc=False):
    """An event of a sister service that cannot be read: an outage, never a dead letter."""

    origin: Origin
    reason: str


class Noticed(Struct, frozen=True, gc=False):
    """What concerns the partition and no customer: a tick, or a command to the partition."""

    message: Any
    origin: Origin
    command: CommandRecord | None = None


class Elsewhere(Struct, frozen=True, gc=False):
    """A record of which only the place is known."""

    origin: Origin


_COMMAND: Final = TypeAdapter(CommandRecord)
_STRAY: Final = TypeAdapter(StrayRecord)
_ENVELOPE: Final = TypeAdapter(Envelope)


def origin_of(record: Raw) -> Origin:
    """A record's place, the broker's time of it, and its value."""
    at, text = _moment(record.timestamp)
    trace = trace_of(record.headers) if record.headers else None
    return Origin(record.topic, record.partition, record.offset, at, text, record.key, record.value, trace)


@lru_cache(maxsize=4_096)
def _moment(milliseconds: int) -> tuple[datetime, str]:
    """A broker's time, which all records of one request share."""
    at = _EPOCH + timedelta(milliseconds=milliseconds)
    return at, rfc3339(at)


class Inbox:
    """Reads the records of one service."""

    def __init__(self, service: Service) -> None:
        self._inputs: dict[str, TypeAdapter[Any]] = dict(service.inputs)
        self._sisters = {events_topic(name): (name, adapter) for name, adapter in service.sisters.items()}
        self._commands_topic = commands_topic(service.name)
        self._commands: Mapping[str, TypeAdapter[Any]] = service.commands
        self.topics = (*self._inputs, *self._sisters, CLOCK, self._commands_topic)

    def read(self, record: Raw) -> Read | Bad | Broken | Noticed | Elsewhere:
        """What a record says."""
        return self._read(origin_of(record))

    def found(self, place: Elsewhere, value: bytes | None) -> Read | Bad:
        """What a record says that was read where it lies."""
        if value is None:
            return Bad(place.origin, "record: is no longer where it was read first")
        try:
            return _input(self._inputs[place.origin.topic], replace(place.origin, value=value))
        except UnreadableError as error:
            return Bad(place.origin, str(error))

    def _read(self, origin: Origin) -> Read | Bad | Broken | Noticed | Elsewhere:
        topic = origin.topic
        adapter = self._inputs.get(topic)
        try:
            if adapter is not None:
                return _input(adapter, origin)
            if topic == CLOCK:
                return Noticed(read(TICK, origin.value), origin)
            if topic == self._commands_topic:
                return self._command(origin)
        except UnreadableError as error:
            return Bad(origin, str(error))
        return self._event(origin)

    def _event(self, origin: Origin) -> Read | Broken:
        service, adapter = self._sisters[origin.topic]
        try:
            envelope = _ENVELOPE.validator.validate_json(origin.value or b"")
        except ValidationError:
            return Broken(origin, "event: is unreadable")
        try:
            fact = adapter.validator.validate_json(origin.value or b"")
        except ValidationError as error:
            known = not any(one["type"] == "union_tag_invalid" for one in error.errors(include_input=False))
            if known:
                return Broken(origin, f"{envelope.type}: is unreadable")
            fact = None
        return Read(envelope.customer_id, Heard(service, envelope, fact), origin)

    def _command(self, origin: Origin) -> Read | Bad | Broken | Noticed | Elsewhere:
        value = origin.value
        if value is None or len(value) > _LARGEST:
            return Bad(origin, "record: is null or too large")
        try:
            kind = json.loads(value)["type"]
        except (ValueError, TypeError, KeyError):
            return Bad(origin, "record: is no command")
        if kind == STRAY:
            return self._stray(read_any(_STRAY, value))
        command = read_any(_COMMAND, value)
        if kind in (REBUILD, RETRY):
            return Noticed(json.loads(value), origin, command)
        adapter = self._commands.get(kind)
        if adapter is None:
            return Bad(origin, f"type.{kind[:64]}: is unknown")
        if command.customer_id is None:
            return Bad(origin, "customer_id: is missing")
        body = read_any(adapter, value)
        message = Command(command.command_id, kind, command.customer_id, command.sender, body)
        return Read(command.customer_id, message, origin, command)

    def _stray(self, stray: StrayRecord) -> Read | Bad | Broken | Noticed | Elsewhere:
        origin = Origin(
            stray.topic,
            stray.partition,
            stray.offset,
            stray.recorded_at,
            rfc3339(stray.recorded_at),
            None,
            None if stray.value is None else stray.value.encode(),
            stray.traceparent,
        )
        if stray.topic not in self._inputs:
            return Bad(origin, "topic: is none of this service's inputs")
        if stray.value is None:
            return Elsewhere(origin)
        return self._read(origin)


def _input(adapter: TypeAdapter[Any], origin: Origin) -> Read | Bad:
    message: Input = read(adapter, origin.value)
    early = check_time(message, origin.recorded_at)
    return Bad(origin, early) if early else Read(message.customer_id, message, origin)


def read_any(adapter: TypeAdapter[Any], value: bytes) -> Any:
    """As `read`, for what the service itself has written, which may be larger than an outside record."""
    try:
        return adapter.validate_json(value)
    except ValidationError as error:
        raise UnreadableError(
            "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['type']}" for one in error.errors())
        ) from None
