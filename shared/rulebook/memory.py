"""What a customer's head remembers of records that a later record can name, and what spills into the archive.

The newest keys stay in the head; at a fixed count the oldest spill into a *chunk*, which the runtime stores as one
archive document. Nothing is forgotten: a key that has spilled is found again by the runtime and *recalled* before the
rules look. Spilling happens in `put`, so a fold of the log makes the same head and the same chunks again.

Keys and items lie packed, as they are stored: nearly every question is about a key that is not there, and a head of a
few hundred bytes in one place is copied, written and let go in a fraction of the time that its objects took.
"""

from collections.abc import Mapping
from functools import cache
from itertools import islice
from typing import Any, Final

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import replace

# A memory is written whole with every batch that touches its customer; a spill costs two small documents. Between 8 and
# 32 keys, some 40 bytes each, cost about the same as the state and the event beside them.
HELD: Final = 32
SPILL: Final = 24  # keys in a chunk
_FIXMAP, _MAP16 = 0x80, 0xDE  # how MessagePack begins a map of up to 15 pairs, and of up to 65,535
_FEW: Final = 16
_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(dict[str, Raw]).decode


class Memory(Struct, frozen=True, gc=False, omit_defaults=True):
    """Items by key, in the order in which they were last touched.

    `packed`: those in the head, as the pairs of a MessagePack map; `held`: how many. `chunks`: how many have been
    spilled so far, ever. `spilled`: those which this batch spilled, numbered and packed (not stored with the head).
    `recalled`: what the runtime read from the archive, packed one by one (not stored either).
    """

    packed: bytes = b""
    held: int = 0
    chunks: int = 0
    spilled: tuple[tuple[int, bytes], ...] = ()
    recalled: Mapping[str, Raw] = {}

    @classmethod
    def of(cls, stored: bytes, chunks: int) -> "Memory":
        """The memory of a head as it is stored."""
        if stored[0] == _MAP16:
            return cls(stored[3:], int.from_bytes(stored[1:3]), chunks)
        return cls(stored[1:], stored[0] - _FIXMAP, chunks)

    @property
    def stored(self) -> bytes:
        """What is in the head, as it is stored: a MessagePack map."""
        if self.held < _FEW:
            return bytes((_FIXMAP + self.held,)) + self.packed
        return bytes((_MAP16, *self.held.to_bytes(2))) + self.packed

    def holds(self, key: str) -> bool:
        """Whether the head has the newest item of a key."""
        return _pack(key) in self.packed and key in unpacked(self.stored)

    def get(self, key: str, kind: Any) -> Any | None:
        """The newest item of a key, wherever it lies, as a `kind`; `None` if there never was one."""
        name, found = _pack(key), None
        if name in self.packed:
            found = unpacked(self.stored).get(key)
        for _, chunk in reversed(self.spilled):
            if found is None and name in chunk:
                found = unpacked(chunk).get(key)
        if found is None:
            found = self.recalled.get(key)
        return None if found is None else _items(kind).decode(found)

    def put(self, key: str, item: Any) -> "Memory":
        """The memory with this item as its newest; the oldest spill when there are more than `HELD`."""
        name = _pack(key)
        memory = self._without(key) if name in self.packed else self
        packed, held = memory.packed + name + _pack(item), memory.held + 1
        after = Memory(packed, held, self.chunks, self.spilled, self.recalled)
        return after if held <= HELD else after._spill()

    def settled(self) -> "Memory":
        """The memory as it is stored and compared: without what only one batch sees."""
        return replace(self, spilled=(), recalled={}) if self.spilled or self.recalled else self

    def _without(self, key: str) -> "Memory":
        pairs = unpacked(self.stored)
        pairs.pop(key, None)  # the name of the key may also be a part of something else
        return Memory.of(_pack(pairs), self.chunks)

    def _spill(self) -> "Memory":
        pairs = unpacked(self.stored)
        oldest = _pack(dict(islice(pairs.items(), SPILL)))
        kept = Memory.of(_pack(dict(islice(pairs.items(), SPILL, None))), self.chunks + 1)
        return replace(kept, spilled=(*self.spilled, (self.chunks, oldest)), recalled=self.recalled)


def unpacked(stored: bytes) -> dict[str, Raw]:
    """The items of a memory or a chunk as it is stored, each packed, in their order."""
    return _unpack(stored)


@cache
def _items(kind: Any) -> msgspec.msgpack.Decoder[Any]:
    return msgspec.msgpack.Decoder(kind)
