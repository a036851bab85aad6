"""An entry of a customer's log: one change of state, public (an event) or private (a note)."""

from datetime import datetime
from typing import Any

from msgspec import Struct

from shared.contracts.records import Cause, Fact, Record


class Note(Record):
    """What changes a state but is nobody else's business: it has its place in the log, no version, and is never
    published (a return that waits, a fact noted from a sister service)."""


class PartRefused(Note):
    """A part of a record is refused while the rest counts: it becomes a dead letter. `refused`: the fields and why."""

    refused: str


class Entry(Struct, frozen=True, gc=False):
    """What `decide` returns and `evolve` folds.

    `fact`: the own fields of an event, or a private `Note`.
    `occurred_at`: business time of this change, UTC (of a return that waited: the return's).
    `cause`: what led here. `programme`: number of the version that decided it, `None` where no rules decided.
    `memo`: private fields beside an event's bytes, which a rebuild folds as well; what msgspec can encode.
    `after`: of the last entry of a decision, the state that they all lead to, where the rules had to fold them to
    decide: nobody needs to do it again. It is what `evolve` makes of them, and never stored.
    """

    fact: Fact | Note
    occurred_at: datetime
    cause: Cause
    programme: int | None = None
    memo: Any = None
    after: Any = None

    @property
    def public(self) -> bool:
        """Whether the entry is published."""
        return not isinstance(self.fact, Note)
