"""Small writes to the queue that go together: what comes while one is under way waits for it, and then goes at once.

A majority write costs MongoDB and us nearly the same for one document as for fifty.
"""

import asyncio
from typing import Any, Final

from msgspec import Struct
from pymongo import DeleteOne, UpdateOne

from shared.mongo import Document

_MOST: Final = 500  # in one write


class _Wish(Struct):
    write: UpdateOne | DeleteOne
    holds: Document | None
    done: asyncio.Future[bool]


class Together:
    """Writes of one kind, each to a document of its own."""

    def __init__(self, documents: Any) -> None:
        self._documents = documents
        self._waiting: list[_Wish] = []
        self._writing: asyncio.Task[None] | None = None

    async def write(self, write: UpdateOne | DeleteOne, holds: Document | None = None) -> bool:
        """Do this; whether it found its document. Raises pymongo's errors: then it may have been done.

        `holds`: a filter on `_id` and more that finds the document after this write, and after no other; without one,
        the answer says nothing.
        """
        wish = _Wish(write, holds, asyncio.get_running_loop().create_future())
        self._waiting.append(wish)
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write())
        return await wish.done

    async def _write(self) -> None:
        while self._waiting:
            some, self._waiting = self._waiting[:_MOST], self._waiting[_MOST:]
            try:
                found = await self._written(some)
            except Exception as error:  # noqa: BLE001  # whoever waits for it says what it means
                for wish in some:
                    if not wish.done.done():
                        wish.done.set_exception(error)
                continue
            for wish, whether in zip(some, found, strict=True):
                if not wish.done.done():
                    wish.done.set_result(whether)

    async def _written(self, some: list[_Wish]) -> list[bool]:
        result = await self._documents.bulk_write([wish.write for wish in some], ordered=False)
        asked = [wish.holds for wish in some if wish.holds is not None]
        if not asked or result.modified_count + result.deleted_count == len(some):
            return [True] * len(some)
        left = {document["_id"] async for document in self._documents.find({"$or": asked}, {"_id": 1})}
        return [wish.holds is not None and wish.holds["_id"] in left for wish in some]
