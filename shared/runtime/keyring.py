"""The keys of customers, one each: made with their first record, read for a minute at a time, gone with an erasure."""

from collections.abc import Callable, Iterable, Mapping
from time import monotonic
from typing import Final

from shared.contracts.partition import partition_of
from shared.masterkeys.kms import Kms
from shared.masterkeys.masters import LIFETIME_S, Master, Masters, is_open
from shared.mongo import Document, Mongo, Session
from shared.runtime.owned import KEYS
from shared.sealing import Sealer, new_key

CACHED: Final = 100_000  # keys in memory; some 40 MB


def key_id(partition: int, customer_id: str) -> str:
    """The `_id` of the document that holds a customer's key, wrapped."""
    return f"{partition:02d}/{customer_id}"


class Keyring:
    """The keys of a service's customers.

    The loop, in this order: `sweep` as a turn begins; `load` for the customers of a batch; while it folds, `sealer`,
    and `make` for who has no key; `keep` or `forget` when the batch's documents are made; `stored` when they are
    committed. `drop` for a partition that is lost, or read anew. Between `load` and the next `sweep` no key leaves: a
    process that was frozen in between would take a customer for one who was erased. HTTP calls `of`.

    `clock`: seconds that only go forward. What is asynchronous raises `Unavailable` and `GoneError`, as `Masters` does.
    """

    def __init__(self, mongo: Mongo, kms: Kms, partitions: int, clock: Callable[[], float] = monotonic) -> None:
        self._mongo, self._partitions, self._clock = mongo, partitions, clock
        self._masters = Masters(mongo, kms, clock)
        self._newest: Master | None = None
        self._read: dict[str, tuple[bytes, float]] = {}  # of stored keys; the longest read come first
        self._made: dict[str, tuple[int, bytes]] = {}  # in this turn, with their partitions
        self._kept: dict[str, tuple[int, bytes]] = {}  # of batches that are not stored yet

    async def load(self, customers: Mapping[str, int]) -> None:
        """Have the keys of these customers (to partition) ready, as far as they have one, and the newest master key."""
        self._newest = await self._masters.newest()
        wanted = (customer for customer in customers if customer not in self._kept)
        await self._find({key_id(customers[customer], customer): customer for customer in wanted})

    def sealer(self, customer_id: str) -> Sealer | None:
        """What seals and opens the values of a customer that was loaded; `None` where there is no key."""
        if customer_id in self._kept:
            return Sealer(customer_id, self._kept[customer_id][1])
        if customer_id in self._read:
            return Sealer(customer_id, self._read[customer_id][0])
        return None

    def make(self, customer_id: str, partition: int) -> tuple[Sealer, Document]:
        """A new key, and the document that must be stored with the first value that it seals."""
        assert self._newest is not None, "load comes first"
        key = new_key()
        self._made[customer_id] = partition, key
        wrapped = self._newest.wrap(customer_id, key)
        document = {"_id": key_id(partition, customer_id), "master": self._newest.version, "wrapped": wrapped}
        return Sealer(customer_id, key), document

    def keep(self, customer_id: str) -> None:
        """The key that was made is part of a batch: the next one may rely on it, ahead of the database."""
        self._kept[customer_id] = self._made.pop(customer_id)

    def stored(self, customers: Iterable[str]) -> None:
        """The keys that were made for these customers are in the database."""
        for customer in customers:
            if customer in self._kept:
                self._read[customer] = self._kept.pop(customer)[1], self._clock()

    def forget(self, customer_id: str) -> None:
        """A customer is erased."""
        self._kept.pop(customer_id, None)
        self._read.pop(customer_id, None)

    def drop(self, partition: int) -> None:
        """Forget what was made for a partition and is not stored, and what may be out of date."""
        for keys in (self._made, self._kept):
            for customer in [customer for customer, (number, _) in keys.items() if number == partition]:
                del keys[customer]
        self._masters.look_again()

    def sweep(self) -> None:
        """Let go of what is older than a minute, and of the longest read beyond the bound."""
        self._made.clear()
        now = self._clock()
        excess = len(self._read) - CACHED
        old: list[str] = []
        for customer, (_, at) in self._read.items():
            if now - at < LIFETIME_S and len(old) >= excess:
                break
            old.append(customer)
        for customer in old:
            del self._read[customer]
        self._masters.sweep()

    async def of(self, customer_id: str) -> Sealer | None:
        """What seals and opens the values of a customer, as stored."""
        return (await self.of_all((customer_id,))).get(customer_id)

    async def of_all(self, customers: Iterable[str]) -> dict[str, Sealer]:
        """The same for several, by customer; who has no key is left out."""
        wanted = {key_id(partition_of(customer, self._partitions), customer): customer for customer in customers}
        await self._find(wanted)
        found = ((customer, self._read.get(customer)) for customer in wanted.values())
        return {customer: Sealer(customer, read[0]) for customer, read in found if read is not None}

    async def _find(self, wanted: Mapping[str, str]) -> None:
        """Read the keys (by `_id`, of which customer) that are missing or too old to be used."""
        now = self._clock()
        missing = {
            identity: customer
            for identity, customer in wanted.items()
            if (read := self._read.get(customer)) is None or now - read[1] >= LIFETIME_S
        }
        if not missing:
            return
        documents = await self._mongo.find(KEYS, {"_id": {"$in": list(missing)}})
        masters = {version: await self._masters.get(version) for version in {each["master"] for each in documents}}
        for customer in missing.values():
            if customer in self._read and self._read[customer][1] < now:  # not what was stored meanwhile
                del self._read[customer]
        for document in documents:
            customer = missing[document["_id"]]
            key = masters[document["master"]].unwrap(customer, document["wrapped"])
            self._read[customer] = key, now


def may_insert(session: Session, keys: Iterable[Document]) -> bool:
    """Whether a transaction may insert these keys: not when their master key version was closed since they were made.

    Read in the transaction itself: a process that was frozen would otherwise wrap a key under a version that is about
    to be destroyed.
    """
    versions: set[int] = {key["master"] for key in keys}
    return not versions or is_open(session, versions)
