"""A partition that this process owns: what its document says, and what is prepared but not committed yet."""

from datetime import datetime
from typing import Any, Final

from msgspec import Struct

from shared.mongo import Document
from shared.runtime.heads import Moved

PARTITIONS: Final = "partitions"
LOG: Final = "log"
BATCHES: Final = "batches"
HEADS: Final = "heads"
ARCHIVE: Final = "archive"
OUTBOX: Final = "outbox"
ANSWERS: Final = "answers"
KEYS: Final = "keys"
FRESH: Final[Document] = {
    "batch": 0,
    "next": {},
    "published": 0,
    "flushed": 0,
    "tick": None,
    "swept": 0,
    "chores": [],
    "retried": 0,
    "totals": {},
}


def batch_id(partition: int, batch: int) -> str:
    """The `_id` of the document that says which customers a batch touched."""
    return f"{partition:02d}/{batch:010d}"


def outbox_id(partition: int, batch: int, place: int) -> str:
    """The `_id` of a record that a batch leaves to be published beside the events."""
    return f"{partition:02d}/{batch:010d}/{place:06d}"


def view_id(partition: int, identity: str) -> str:
    """The `_id` of a document that a service shows beside its log."""
    return f"{partition:02d}/{identity}"


class Settling(Struct):
    """A tick whose customers are being settled, some with each batch; its topic is paused as long.

    `offset`: of the record that waits for it. `everybody`: also who is not due, because the programme version `swept`
    came into force. `todo`: customers, `pages`: `_id`s of the pages of heads that are still to come.
    """

    tick: Any
    origin: Any
    offset: int
    everybody: bool
    swept: int
    todo: list[str]
    pages: list[str]


class Owned(Struct):
    """What the owner of a partition knows, ahead of the stored document by the batches that are under way.

    `epoch`: of this claim. `batch`: number of the newest batch. `next`: the next offset by topic. `published`: the
    newest batch that is on Kafka as a whole. `flushed`: the newest batch that the pages of heads know of. `tick`: the
    last one. `swept`: the programme version under which everybody was last settled. `chores`: commands to the
    partition that take more than one batch, in order. `retried`: the next dead letter that nobody has tried again.
    `totals`: what the service sums over its customers, without zeros.

    Not stored: `moved`, revisions that the pages of heads do not know of; `flushing`, those which a batch under way
    writes to them; `noted`, of `published`, what is stored; `letters`, whether the outbox may hold documents.
    """

    number: int
    epoch: int
    batch: int
    next: dict[str, int]
    published: int
    flushed: int
    tick: datetime | None
    swept: int
    chores: list[Document]
    retried: int
    totals: dict[str, int]
    moved: Moved
    flushing: Moved = {}
    noted: int = 0
    letters: bool = True
    settling: Settling | None = None

    @classmethod
    def of(cls, document: Document) -> "Owned":
        """A partition as it was claimed."""
        return cls(
            number=document["_id"],
            epoch=document["epoch"],
            batch=document["batch"],
            next=dict(document["next"]),
            published=document["published"],
            flushed=document["flushed"],
            tick=document["tick"],
            swept=document["swept"],
            chores=list(document["chores"]),
            retried=document["retried"],
            totals=dict(document["totals"]),
            moved={},
            noted=document["published"],
        )

    def document(self) -> Document:
        """The partition as the next commit stores it."""
        self.noted = self.published
        return {
            "_id": self.number,
            "epoch": self.epoch,
            "batch": self.batch,
            "next": dict(self.next),
            "published": self.published,
            "flushed": self.flushed,
            "tick": self.tick,
            "swept": self.swept,
            "chores": list(self.chores),
            "retried": self.retried,
            "totals": {name: amount for name, amount in self.totals.items() if amount},
        }

    def expected(self, batch: int) -> Document:
        """What the stored document must be for our commit: nobody else has claimed it, no batch is missing."""
        return {"_id": self.number, "epoch": self.epoch, "batch": batch}
