"""What a customer's head remembers of records that a later record can name, and what spills into the archive.

The newest keys stay in the head; at a fixed count the oldest spill into a *chunk*, which the runtime stores as one
archive document. Nothing is forgotten: a key that has spilled is found again by the runtime and *recalled* before the
rules look. Spilling happens in `put`, so a fold of the log makes the same head and the same chunks again.
"""

from collections.abc import Mapping
from itertools import islice
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import replace

# A memory is written whole with every batch that touches its customer; a spill costs two small documents. Between 8 and
# 32 keys, some 40 bytes each, cost about the same as the state and the event beside them.
HELD: Final = 32
SPILL: Final = 24  # keys in a chunk


class Memory(Struct, frozen=True, gc=False, omit_defaults=True):
    """Items by key, in the order in which they were last touched.

    `recent`: in the head. `chunks`: how many have been spilled so far, ever. `spilled`: those which this batch spilled,
    numbered (not stored with the head). `recalled`: what the runtime read from the archive (not stored either).
    """

    recent: dict[str, Any] = {}
    chunks: int = 0
    spilled: tuple[tuple[int, dict[str, Any]], ...] = ()
    recalled: Mapping[str, Any] = {}

    def get(self, key: str) -> Any | None:
        """The newest item of a key, wherever it lies; `None` if there never was one."""
        item = self.recent.get(key)
        if item is not None:
            return item
        for _, chunk in reversed(self.spilled):
            if key in chunk:
                return chunk[key]
        return self.recalled.get(key)

    def put(self, key: str, item: Any) -> "Memory":
        """The memory with this item as its newest; the oldest spill when there are more than `HELD`."""
        recent = self.recent.copy()
        recent.pop(key, None)
        recent[key] = item
        if len(recent) <= HELD:
            return Memory(recent, self.chunks, self.spilled, self.recalled)
        oldest = dict(islice(recent.items(), SPILL))
        kept = dict(islice(recent.items(), SPILL, None))
        return replace(self, recent=kept, chunks=self.chunks + 1, spilled=(*self.spilled, (self.chunks, oldest)))

    def settled(self) -> "Memory":
        """The memory as it is stored and compared: without what only one batch sees."""
        return replace(self, spilled=(), recalled={}) if self.spilled or self.recalled else self
