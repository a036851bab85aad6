"""Brings into memory what deciding a batch needs: heads, and what a key may have left in the archive."""

from collections.abc import Iterable, Mapping, Sequence

from msgspec.structs import replace

from shared.mongo import Document, Mongo
from shared.rulebook.memory import unpacked
from shared.runtime.archive import Prints, chunk_id, prints_ids
from shared.runtime.heads import Cache, Head, Pages, page_of
from shared.runtime.inbox import Read
from shared.runtime.keyring import Keyring
from shared.runtime.log import Codec, log_id
from shared.runtime.owned import ARCHIVE, HEADS, LOG, Owned
from shared.runtime.rules import Rules


class CorruptError(Exception):
    """The database holds what this runtime never writes. Nothing is changed; an operator must look."""


class Loader:
    """Heads by customer, out of the cache or the database, one `find` for each kind of document."""

    def __init__(self, mongo: Mongo, rules: Rules, codec: Codec, keyring: Keyring | None = None) -> None:
        self.cache = Cache()
        self.pages = Pages()
        self.chunks: dict[str, bytes] = {}  # spilled by batches under way, by `_id`
        self._mongo, self._rules, self._codec, self._keyring = mongo, rules, codec, keyring
        self._recalled: list[Head] = []

    async def load(self, owned: Mapping[int, Owned], customers: Mapping[str, int], reads: Iterable[Read]) -> None:
        """Make sure of the heads of these customers (to partition), and recall what the messages' keys name."""
        heads = self.cache.heads
        missing = {customer: partition for customer, partition in customers.items() if customer not in heads}
        if missing:
            await self._load_heads(owned, missing)
        await self._load_prints([head for customer in customers if (head := heads[customer]).prints is None])
        await self._recall(reads)
        if self._keyring is not None:
            await self._keyring.load(
                {customer: number for customer, number in customers.items() if heads[customer].revision}
            )

    def forget_recalled(self) -> None:
        """After the batch is folded: heads are again as they are stored."""
        for head in self._recalled:
            head.state = replace(head.state, memory=head.state.memory.settled())
        self._recalled.clear()

    def drop(self, partition: int) -> None:
        """Forget a partition that is no longer ours."""
        self.cache.drop(partition)
        self.pages.drop(partition)
        if self._keyring is not None:
            self._keyring.drop(partition)
        prefix = f"{partition:02d}/"
        for chunk in [chunk for chunk in self.chunks if chunk.startswith(prefix)]:
            del self.chunks[chunk]

    async def _load_heads(self, owned: Mapping[int, Owned], missing: Mapping[str, int]) -> None:
        known: dict[str, int] = {}
        unknown: dict[str, int] = {}
        for customer, partition in missing.items():
            mine = owned[partition]
            moved = mine.moved.get(customer) or mine.flushing.get(customer)
            if moved is not None:
                known[customer] = moved[0]
            else:
                unknown[customer] = partition
        wanted = {(partition, page_of(customer)) for customer, partition in unknown.items()}
        ids = self.pages.missing(wanted)
        self.pages.add(wanted, await self._mongo.find(HEADS, {"_id": {"$in": ids}}) if ids else ())
        for customer, partition in unknown.items():
            known[customer] = self.pages.get(partition, customer)
        self.pages.shrink()

        ids = [log_id(missing[customer], customer, revision) for customer, revision in known.items() if revision]
        documents: list[Document] = []
        if ids:
            documents = await self._mongo.find(LOG, {"_id": {"$in": ids}}, fields={"entries": 0})
            if len(documents) < len(ids):
                raise CorruptError(f"{len(ids) - len(documents)} of {len(ids)} newest log documents are missing")
        for document in documents:
            customer = document["_id"].split("/")[1]
            state, seen = self._codec.load(document), document.get("seen", {})
            self.cache.heads[customer] = Head(
                customer, missing[customer], known[customer], document["version"], state, seen
            )
        for customer, revision in known.items():
            if not revision:
                self.cache.heads[customer] = Head(customer, missing[customer], 0, 0, self._rules.initial(customer), {})
        for customer in missing:
            self.cache.weigh(self.cache.heads[customer])  # also who is never touched, for their records are refused

    async def _load_prints(self, heads: Sequence[Head]) -> None:
        wanted: dict[str, tuple[Head, list[str]]] = {}
        for head in heads:
            memory = head.state.memory
            stored = memory.chunks - len(memory.spilled)  # what this batch has spilled so far is still at hand
            if stored:
                wanted[head.customer_id] = (head, prints_ids(head.partition, head.customer_id, stored))
        if not wanted:
            return
        ids = [identity for _, pages in wanted.values() for identity in pages]
        found = {each["_id"]: each["prints"] for each in await self._mongo.find(ARCHIVE, {"_id": {"$in": ids}})}
        for head, pages in wanted.values():
            head.prints = Prints([found[identity] for identity in pages])

    async def _recall(self, reads: Iterable[Read]) -> None:
        heads = self.cache.heads
        wanted: list[tuple[Head, str, list[str]]] = []
        for read in reads:
            head = heads[read.customer_id]
            if head.prints is None:
                continue
            for key in self._rules.keys(read.message):
                if not head.state.memory.holds(key):
                    numbers = head.prints.chunks(key)
                    if numbers:
                        ids = [chunk_id(head.partition, read.customer_id, n) for n in reversed(numbers)]
                        wanted.append((head, key, ids))
        if not wanted:
            return
        ids = {identity for _, _, each in wanted for identity in each if identity not in self.chunks}
        found = dict(self.chunks)
        for document in await self._mongo.find(ARCHIVE, {"_id": {"$in": list(ids)}}):
            found[document["_id"]] = document["items"]
        for head, key, ids_ in wanted:
            item = next((items[key] for identity in ids_ if key in (items := unpacked(found[identity]))), None)
            if item is not None:
                memory = head.state.memory
                head.state = replace(head.state, memory=replace(memory, recalled={**memory.recalled, key: item}))
                self._recalled.append(head)
