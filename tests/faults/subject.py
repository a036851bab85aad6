"""What a fault test needs to know of a service: how to start it, what to send it, and what must come of that."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from aiokafka import ConsumerRecord

from shared.runtime.rules import Service
from shared.sealing import Sealer

Record = ConsumerRecord[bytes | None, bytes | None]
Place = tuple[str, int, int]  # topic, partition and offset of a record


@dataclass(frozen=True)
class Sent:
    """A record to send. `partition`: where it goes; `None` for that of its key."""

    topic: str
    key: str
    value: bytes
    partition: int | None = None


class Traffic(Protocol):
    """Deterministic records, that never end.

    `next`: good, double, late and wrong ones. `one`: one that counts, for a customer of one's own, with `mark` in its
    text. `about`: one that names an earlier one, as a return does its purchase.
    """

    def next(self, count: int) -> list[Sent]: ...

    def one(self, customer: str, mark: str = "") -> Sent: ...

    def about(self, earlier: Sent) -> Sent: ...


@dataclass(frozen=True)
class Outcome:
    """What records lead to where nothing goes wrong.

    `events`: by customer, in order of their versions, without `recorded_at`. `states`: by customer. `dead`: the places
    of the records that become dead letters. `sums`: by customer what plain arithmetic says, by names of `Subject.sums`.
    """

    events: dict[str, list[dict[str, Any]]] = field(default_factory=dict[str, list[dict[str, Any]]])
    states: dict[str, Any] = field(default_factory=dict[str, Any])
    dead: set[Place] = field(default_factory=set[Place])
    sums: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True)
class Subject:
    """A service under test.

    `traffic`: of a label, with which the customers' ids begin, and of how many customers; most of it is on the topic
    `source`. `undisturbed`: what the records of its inputs lead to, in the order in which they came, on so many
    partitions, with rules that raise where a record holds one of these words, and the keys of customers that are
    stored. `sums`: of a state, what `Outcome` has in `sums`. `due`: a time by which everybody whom `Traffic.one` has
    touched has something to settle. `settings`: of its processes, beside the common ones, without their prefix.
    """

    service: Service
    module: str
    traffic: Callable[..., Traffic]
    undisturbed: Callable[[Sequence[Record], int, Collection[str], Mapping[str, Sealer]], Outcome]
    sums: Callable[[Any], Any]
    source: str
    due: str
    settings: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def name(self) -> str:
        """Of the service, which is also its database."""
        return self.service.name
