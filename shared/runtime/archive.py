"""What has spilled from heads: chunks of keys that are never changed, and fingerprints that say which may hold a key.

A chunk is one document. Beside the chunks lie pages of fingerprints, four bytes a key: a page covers some chunks and is
replaced when one is added. A fingerprint that matches by chance costs a read and nothing else.
"""

from collections.abc import Iterable
from typing import Final
from zlib import crc32

from shared.mongo import Document
from shared.rulebook.memory import SPILL

CHUNKS: Final = 64  # covered by a page of fingerprints
_WIDTH: Final = 4
_PAGE: Final = CHUNKS * SPILL * _WIDTH
_INDEXED: Final = 2_048  # keys from which on a dictionary is faster than a search


def chunk_id(partition: int, customer_id: str, number: int) -> str:
    """The `_id` of a chunk."""
    return f"{partition:02d}/{customer_id}/c{number:08d}"


def prints_id(partition: int, customer_id: str, page: int) -> str:
    """The `_id` of a page of fingerprints."""
    return f"{partition:02d}/{customer_id}/p{page:06d}"


def prints_ids(partition: int, customer_id: str, chunks: int) -> list[str]:
    """The `_id`s of all pages of a customer with so many chunks."""
    return [prints_id(partition, customer_id, page) for page in range(-(-chunks // CHUNKS))]


def _print(key: str) -> bytes:
    return crc32(key.encode()).to_bytes(_WIDTH)


class Prints:
    """The fingerprints of a customer's archive, by place: the n-th key lies in chunk n // SPILL."""

    __slots__ = ("_all", "_index")

    def __init__(self, pages: list[bytes]) -> None:
        self._all = bytearray(b"".join(pages))
        self._index: dict[bytes, list[int]] | None = None

    @property
    def weight(self) -> int:
        """The bytes that they take in the cache, roughly."""
        return len(self._all) if self._index is None else 25 * len(self._all)

    def add(self, keys: Iterable[str]) -> None:
        """Take in the keys of the next chunk."""
        for key in keys:
            if self._index is not None:
                self._index.setdefault(_print(key), []).append(len(self._all) // _WIDTH // SPILL)
            self._all += _print(key)

    def chunks(self, key: str) -> list[int]:
        """The chunks that may hold a key, the newest last."""
        print_, places = _print(key), self._all
        if len(places) >= _INDEXED * _WIDTH:
            return self._indexed().get(print_, [])
        found: list[int] = []
        at = places.find(print_)
        while at >= 0:
            if at % _WIDTH == 0:
                found.append(at // _WIDTH // SPILL)
            at = places.find(print_, at + 1)
        return found

    def page(self, partition: int, customer_id: str, chunk: int) -> Document:
        """The page that covers a chunk, as it is stored."""
        page = chunk // CHUNKS
        return {
            "_id": prints_id(partition, customer_id, page),
            "prints": bytes(self._all[page * _PAGE : (page + 1) * _PAGE]),
        }

    def _indexed(self) -> dict[bytes, list[int]]:
        if self._index is None:
            self._index = {}
            for n in range(len(self._all) // _WIDTH):
                self._index.setdefault(bytes(self._all[n * _WIDTH : (n + 1) * _WIDTH]), []).append(n // SPILL)
        return self._index
