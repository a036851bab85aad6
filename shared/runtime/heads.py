"""Where a customer's newest log document is: a map from customer to revision, kept in pages that are written lazily.

Finding the last document of a customer by a range of `_id` costs many times what finding it by its exact `_id` does,
and a document per customer that is replaced with every batch costs several times the log document itself. So the owner
of a partition keeps the revisions in memory: what changed since the last flush in `moved`, the rest in pages of the
collection `heads`, loaded when needed. A claim recovers `moved` from the documents of the batches since that flush.
"""

from collections import OrderedDict
from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any, Final
from zlib import crc32

import msgspec

from shared.mongo import Document
from shared.runtime.archive import Prints

PAGES: Final = 512  # of a partition
FLUSH_AT: Final = 8_192  # customers moved since the last flush; then their pages are written with the next batch
FLUSH_AFTER: Final = 4_096  # batches since the last flush
CACHED: Final = 600_000  # revisions in memory, over all partitions of a process
_pack = msgspec.msgpack.Encoder()
_unpack = msgspec.msgpack.Decoder(dict[str, tuple[int, int | None]])

Moved = dict[str, tuple[int, int | None]]


def seconds(at: datetime | None) -> int | None:
    """A due time as the map keeps it: whole seconds since 1970, rounded down, so that it is never missed."""
    return None if at is None else int(at.timestamp() // 1)


def page_of(customer_id: str) -> int:
    """The page of a customer within their partition."""
    return crc32(customer_id.encode()) % PAGES


def page_id(partition: int, page: int) -> str:
    return f"{partition:02d}/{page:04d}"


def revisions(document: Document) -> Moved:
    """Revision and due time (seconds since 1970) by customer, of a page as stored."""
    return _unpack.decode(document["heads"])


class Pages:
    """The pages that are in memory, of all partitions, bounded: the longest unused leave first."""

    def __init__(self) -> None:
        self._pages: OrderedDict[tuple[int, int], dict[str, int]] = OrderedDict()
        self._size = 0

    def missing(self, wanted: Iterable[tuple[int, int]]) -> list[str]:
        """The `_id`s of those pages that must be loaded."""
        return [page_id(*key) for key in wanted if key not in self._pages]

    def add(self, wanted: Iterable[tuple[int, int]], documents: Iterable[Document]) -> None:
        """Keep what was found for the pages that were missing; one that is not stored yet is empty."""
        found = {document["_id"]: document for document in documents}
        for key in wanted:
            if key not in self._pages:
                document = found.get(page_id(*key))
                heads = {customer: head[0] for customer, head in revisions(document).items()} if document else {}
                self._pages[key] = heads
                self._size += len(heads)

    def get(self, partition: int, customer_id: str) -> int:
        """The revision of a customer whose page is loaded; 0 where there is none."""
        key = (partition, page_of(customer_id))
        self._pages.move_to_end(key)
        return self._pages[key].get(customer_id, 0)

    def update(self, partition: int, moved: Moved) -> None:
        """Take over what a flush has written, in the pages that are in memory."""
        for customer, (revision, _) in moved.items():
            page = self._pages.get((partition, page_of(customer)))
            if page is not None:
                self._size += customer not in page
                page[customer] = revision

    def shrink(self) -> None:
        """Let go of the longest unused pages beyond the bound."""
        while self._size > CACHED and len(self._pages) > 1:
            self._size -= len(self._pages.popitem(last=False)[1])

    def drop(self, partition: int) -> None:
        """Forget a partition that is no longer ours."""
        for key in [key for key in self._pages if key[0] == partition]:
            self._size -= len(self._pages.pop(key))


def merged(partition: int, moved: Moved, stored: Iterable[Document]) -> list[Document]:
    """The pages that a flush writes: as stored (all pages of the partition), with what has moved since."""
    known = {document["_id"]: document for document in stored}
    heads: dict[int, Moved] = {}
    for customer, head in moved.items():
        page = page_of(customer)
        if page not in heads:
            document = known.get(page_id(partition, page))
            heads[page] = revisions(document) if document else {}
        heads[page][customer] = head
    return [
        {
            "_id": page_id(partition, page),
            "p": partition,
            "due": earliest(page_heads),
            "heads": _pack.encode(page_heads),
        }
        for page, page_heads in sorted(heads.items())
    ]


def earliest(heads: Moved) -> int | None:
    """When the first of them is due."""
    return min((due for _, due in heads.values() if due is not None), default=None)


class Head:
    """A customer as the owner of their partition knows them; only the fold changes it.

    `revision`: of the newest log document. `version`: of the newest event. `seen`: newest version by sister service.
    `prints`: fingerprints of what has spilled into the archive, `None` until they are needed. `weight`: in the cache.
    """

    __slots__ = ("customer_id", "partition", "prints", "revision", "seen", "state", "version", "weight")

    def __init__(
        self, customer_id: str, partition: int, revision: int, version: int, state: Any, seen: dict[str, int]
    ) -> None:
        self.customer_id = customer_id
        self.partition = partition
        self.revision = revision
        self.version = version
        self.state = state
        self.seen = seen
        self.prints: Prints | None = None
        self.weight = 0


class Cache:
    """Heads in memory, which this process alone may write; the longest unused leave first.

    Bounded by weight: roughly the bytes that heads take, `BARE` beside what their memories hold.
    """

    BARE: Final = 1_200
    HEAVIEST: Final = 120_000_000

    def __init__(self) -> None:
        self.heads: OrderedDict[str, Head] = OrderedDict()
        self._weight = 0

    def weigh(self, head: Head) -> None:
        """Take note of what a head that a batch has touched weighs now."""
        prints = 0 if head.prints is None else head.prints.weight
        weight = self.BARE + len(head.state.memory.packed) + prints
        self._weight += weight - head.weight
        head.weight = weight

    @property
    def full(self) -> bool:
        """Whether it is beyond the bound."""
        return self._weight > self.HEAVIEST

    def shrink(self, needed: Collection[str]) -> None:
        """Let go of the longest unused heads beyond the bound.

        `needed`: customers of a batch that is not stored yet, whose newest state is nowhere else.
        """
        for _ in range(len(self.heads)):
            if not self.full:
                return
            customer, head = self.heads.popitem(last=False)
            if customer in needed:
                self.heads[customer] = head
            else:
                self._weight -= head.weight

    def drop(self, partition: int) -> None:
        """Forget a partition that is no longer ours."""
        for customer, head in list(self.heads.items()):
            if head.partition == partition:
                del self.heads[customer]
                self._weight -= head.weight
