"""The entries that a message leads to, made one after the other, each on the state that the others left."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, Final

from msgspec.structs import replace

from services.ledger.points.account import Item, Points, shown
from services.ledger.points.lots import Lot
from services.ledger.state import Memo, Noticed, State, evolve
from shared.contracts.ledger import Account, Movement, Posting, Totals
from shared.contracts.records import Cause, Fact, made
from shared.rulebook.entry import Entry, Note
from shared.rulebook.programme import Programme

Moves = Sequence[tuple[Account, Account, int]]
"""What moves: from, to, points."""

MOST_LOTS: Final = 1_000  # in an event, which would outgrow a record of Kafka with five times as many


class Journal:
    """`state` is what the `entries` so far have made of it. `at`, `cause` and `version` (a number): of the next one.

    `cause`: `None` for the clock. `clock`: of the purchase or return that all this is about, if it is the newest; the
    next entry says it.
    """

    def __init__(self, state: State, programme: Programme, at: datetime) -> None:
        self.state, self.programme, self.at = state, programme, at
        self.cause: Cause | None = None
        self.version: int | None = None
        self.clock: datetime | None = None
        self.entries: list[Entry] = []
        self._kept: dict[str, Item] = {}

    @property
    def points(self) -> Points:
        """The account of points as it is now."""
        return self.state.points

    def keep(self, key: str, item: Item) -> None:
        """The memory has this item with the next entry."""
        self._kept[key] = item

    def enter(self, entries: Iterable[Entry]) -> None:
        """Fold entries that were made of this state."""
        for entry in entries:
            self.state = evolve(self.state, entry)
            self.entries.append(entry)

    def say(self, fact: Fact | Note) -> None:
        """An entry that moves nothing, or whose movement is made already."""
        memo = Memo(self._kept, self.clock) if self._kept or self.clock else None
        self._kept, self.clock = {}, None
        cause = self.cause or made(Cause, type="Clock", id=self.at.isoformat()[:19] + "Z")
        self.enter([Entry(fact, self.at, cause, self.version, memo)])

    def move(self, kind: type[Movement], moves: Moves, **own: Any) -> None:
        """A movement; `own`: the fields that this kind has beside every movement's."""
        self.say(movement(self.points, kind, moves, **own))

    def decided(self) -> list[Entry]:
        """All entries; the last one says what they lead to."""
        return [*self.entries[:-1], replace(self.entries[-1], after=self.state)] if self.entries else []

    def end(self) -> None:
        """What no entry has said so far is noted."""
        if self._kept or self.clock:
            self.say(Noticed())


def movement(account: Points, kind: type[Movement], moves: Moves, **own: Any) -> Movement:
    """The event of a movement on this account. Its `points` are what moves, where `own` does not say otherwise."""
    net: dict[Account, int] = {}
    for source, target, moved in moves:
        if moved:
            net[source] = net.get(source, 0) - moved
            net[target] = net.get(target, 0) + moved
    before = account.accounts
    return made(
        kind,
        entry_id=str(account.entries + 1),
        totals=made(
            Totals,
            pending=before.pending + net.get("pending", 0),
            available=before.available + net.get("available", 0),
            held=before.held + net.get("held", 0),
            owed=-before.owed - net.get("owed", 0),
        ),
        postings=tuple([_posting(name, moved) for name, moved in net.items()]),
        **{"points": sum([moved for _, _, moved in moves])} | own,
    )


@lru_cache(maxsize=4096)
def _posting(account: Account, points: int) -> Posting:
    return made(Posting, account=account, points=points)


def told(lots: Iterable[Lot]) -> tuple[Any, ...]:
    """Lots as events tell them."""
    return tuple([shown(lot) for lot in lots])


def pages(pieces: Sequence[Lot]) -> list[Sequence[Lot]]:
    """Pieces as far as one event may name them; at least one page."""
    return [pieces[start : start + MOST_LOTS] for start in range(0, len(pieces) or 1, MOST_LOTS)]
