"""Folds customers anew from their logs, and says where what is stored differs."""

import asyncio
from collections.abc import Sequence
from typing import Any, Final, cast

from msgspec import Struct
from msgspec.structs import replace

from shared.mongo import Document, Mongo
from shared.rulebook.memory import Memory, unpacked
from shared.runtime.archive import Prints, chunk_id
from shared.runtime.log import Codec, entries
from shared.runtime.owned import ARCHIVE, LOG
from shared.runtime.rules import Rules

_TOGETHER: Final = 16  # customers whose logs are read side by side


class Rebuilt(Struct):
    """A customer as their log says. `differs`: names of what was stored otherwise. `archive`: all documents of it."""

    state: Any
    version: int
    prints: Prints | None
    archive: list[Document]
    differs: list[str]


class Rebuilder:
    """Reads logs; writes nothing."""

    def __init__(self, mongo: Mongo, rules: Rules, codec: Codec) -> None:
        self._mongo, self._rules, self._codec = mongo, rules, codec

    async def drifted(self, partition: int, customers: Sequence[str]) -> dict[str, Rebuilt]:
        """Of these customers, those whose stored state is not what their log folds to."""
        found: dict[str, Rebuilt] = {}
        for at in range(0, len(customers), _TOGETHER):
            some = customers[at : at + _TOGETHER]
            folded = await asyncio.gather(*(self._fold(partition, customer) for customer in some))
            found |= {customer: each for customer, each in zip(some, folded, strict=True) if each.differs}
        return found

    async def _fold(self, partition: int, customer: str) -> Rebuilt:
        state: Any = self._rules.initial(customer)
        version, revision = 0, 0
        prints, archive, differs = None, dict[str, Document](), list[str]()
        newest: Document = {"version": 0, **self._codec.dump(state)}
        prefix = f"{partition:02d}/{customer}"
        async for document in self._mongo.stream(
            LOG, {"_id": {"$gte": f"{prefix}/", "$lt": f"{prefix}0"}}, [("_id", 1)]
        ):
            revision += 1
            if int(document["_id"].rsplit("/")[2]) != revision:
                differs.append("revisions")
            for entry in entries(document, self._rules):
                state = self._rules.evolve(state, entry)
                version += entry.public
            memory = cast("Memory", state.memory)
            for number, items in memory.spilled:
                prints = prints or Prints([])
                prints.add(unpacked(items))
                chunk = {"_id": chunk_id(partition, customer, number), "items": items}
                page = prints.page(partition, customer, number)
                archive |= {chunk["_id"]: chunk, page["_id"]: page}
            state = cast("Any", replace(state, memory=memory.settled()))
            newest = document
        folded = {"version": version, **self._codec.dump(state)}
        differs += [name for name, value in folded.items() if newest[name] != value]
        stored = await self._mongo.find(ARCHIVE, {"_id": {"$gte": f"{prefix}/", "$lt": f"{prefix}0"}})
        if {each["_id"]: each for each in stored} != archive:
            differs.append("archive")
        return Rebuilt(state, version, prints, list(archive.values()), differs)
