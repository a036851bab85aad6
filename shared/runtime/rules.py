"""What the runtime asks of a service: its rules, as the module itself, and which topics it reads."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from msgspec import Struct
from pydantic import TypeAdapter

from shared.contracts.records import Envelope, Fact
from shared.rulebook.entry import Entry
from shared.rulebook.programme import Programme
from shared.sealing import Sealer


class Heard(Struct, frozen=True, gc=False):
    """An event of a sister service, as its rules get it; without a `fact` where its type is of no interest."""

    service: str
    envelope: Envelope
    fact: Fact | None


class Command(Struct, frozen=True, gc=False):
    """A request to the one writer of a customer. `body`: what the service's own adapter for `kind` made of it."""

    command_id: str
    kind: str
    customer_id: str
    sender: str
    body: Any


class Opened(Struct, frozen=True, gc=False):
    """A message of a service with personal data, and what seals and opens the values of its customer.

    `sealer`: `None` where there is no key: they were erased, or nothing was ever sealed of them.
    """

    message: Any
    sealer: Sealer | None


class View(Struct, frozen=True, gc=False):
    """A document that is found by something else than its customer. `id` begins with the partition number and a dash.

    `document`: what it says, without `_id`; `None` takes it away.
    """

    collection: str
    id: str
    document: Mapping[str, Any] | None


class Reply(Struct, frozen=True, gc=False):
    """The answer to a command: an HTTP status and a JSON body."""

    status: int
    body: Mapping[str, Any] | None = None


class Rules(Protocol):
    """A service's `rules` module. All of it is pure; `State` and what `Memo` names are msgspec structs.

    `State` has a `memory`. `FACTS` reads back every fact and note that the rules make. `decide` raises
    `shared.rulebook.refused.Refused` for a bad record, and nothing else.
    """

    State: Any
    Memo: Any
    FACTS: TypeAdapter[Any]

    def initial(self, customer_id: str, /) -> Any: ...

    def keys(self, message: Any, /) -> tuple[str, ...]: ...

    def now(self, state: Any, message: Any, tick: datetime | None, /) -> datetime: ...

    def decide(self, state: Any, message: Any, programme: Programme, now: datetime, /) -> list[Entry]: ...

    def evolve(self, state: Any, entry: Entry, /) -> Any: ...

    def due_at(self, state: Any, programme: Programme, /) -> datetime | None: ...


class Service(Struct, frozen=True, kw_only=True):
    """A service as the runtime runs it.

    `inputs`: adapters of the outside topics that it reads. `sisters`: adapters of the facts that it takes from the
    events of other services, by service; other types are noted and skipped. `commands`: adapters of the bodies of its
    own commands, by type. `answer`: what a command is told, from the state after it and the entries it led to.

    `views`: from a customer's id and the states before and after a batch, the documents to replace. `lines`: from a
    customer's id and an entry, the documents that it adds.
    `totals`: from the states before and after, by how much a customer moves what is summed over all, by name.
    `forgotten`: whether the key of a customer in this state must go. A service that has it has personal data: it is
    given `Opened` messages, its dead letters and strays carry no values, its collections include `keys`.
    """

    name: str
    rules: Any
    inputs: Mapping[str, TypeAdapter[Any]]
    sisters: Mapping[str, TypeAdapter[Any]] = {}
    commands: Mapping[str, TypeAdapter[Any]] = {}
    answer: Callable[[Any, Any, Sequence[Entry], datetime], Reply] | None = None
    views: Callable[[str, Any, Any], Iterable[View]] | None = None
    lines: Callable[[str, Entry], Iterable[View]] | None = None
    totals: Callable[[Any, Any], Mapping[str, int]] | None = None
    forgotten: Callable[[Any], bool] | None = None
