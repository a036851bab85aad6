"""The versions of the master key: material that the KMS has encrypted, kept here, and opened for a minute at a time."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from time import monotonic
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from shared.masterkeys.kms import GoneError, Kms
from shared.mongo import Document, Duplicate, Mongo, Session

MASTERS: Final = "masters"
LIFETIME_S: Final = 60.0
"""How long a process may use what it has read: material, versions, and keys of customers."""

# A version wraps new keys while it is open. While it is closing, transactions that began before may still insert some;
# when it is closed, it wraps none.
OPEN: Final = "open"
CLOSING: Final = "closing"
CLOSED: Final = "closed"
DESTROYED: Final = "destroyed"


class Master:
    """A version of the master key, opened: wraps the keys of customers without asking the KMS for each.

    By AES-SIV, bound to the customer, so that a wrapped key opens in no other customer's place.
    """

    __slots__ = ("_cipher", "version")

    def __init__(self, version: int, material: bytes) -> None:
        self.version = version
        self._cipher = AESSIV(material)

    def wrap(self, customer_id: str, key: bytes) -> bytes:
        return self._cipher.encrypt(key, [customer_id.encode()])

    def unwrap(self, customer_id: str, wrapped: bytes) -> bytes:
        """Raises `GoneError` for what this version did not wrap for this customer."""
        try:
            return self._cipher.decrypt(wrapped, [customer_id.encode()])
        except InvalidTag:
            raise GoneError(f"master key version {self.version} is not the one that wrapped this") from None


class Masters:
    """The versions in a service's database. Asks the KMS once a minute for each that is used.

    `clock`: seconds that only go forward. Raises `Unavailable` when MongoDB or the KMS is away, `GoneError` when the
    KMS no longer has a key that is needed: then somebody has destroyed it other than by `perkstream keys destroy`.
    """

    def __init__(self, mongo: Mongo, kms: Kms, clock: Callable[[], float] = monotonic) -> None:
        self._mongo, self._kms, self._clock = mongo, kms, clock
        self._opened: dict[int, tuple[Master, float]] = {}
        self._newest: tuple[int, float] | None = None
        self._lock = asyncio.Lock()

    async def newest(self) -> Master:
        """The version under which new keys are wrapped; the very first is made when it is asked for."""
        async with self._lock:
            if self._newest is None or self._old(self._newest[1]):
                at = self._clock()
                found = await self._mongo.find(MASTERS, {"state": OPEN}, sort=[("_id", -1)], limit=1)
                self._newest = (found[0] if found else await self.add(1))["_id"], at
            version = self._newest[0]
        return await self.get(version)

    async def get(self, version: int) -> Master:
        """One version, opened."""
        async with self._lock:
            opened = self._opened.get(version)
            if opened is None or self._old(opened[1]):
                at = self._clock()
                found = await self._mongo.find(MASTERS, {"_id": version, "state": {"$ne": DESTROYED}})
                if not found:
                    raise GoneError(f"master key version {version} is gone")
                material = await self._kms.decrypt(found[0]["ref"], found[0]["wrapped"])
                opened = self._opened[version] = Master(version, material), at
        return opened[0]

    def look_again(self) -> None:
        """The next to ask for the newest version gets what is stored then."""
        self._newest = None

    def sweep(self) -> None:
        """Let go of what is too old to be used."""
        self._opened = {version: opened for version, opened in self._opened.items() if not self._old(opened[1])}

    async def add(self, version: int) -> Document:
        """Make this version, unless somebody else just has; its document."""
        ref = await self._kms.create()
        document: Document = {
            "_id": version,
            "ref": ref,
            "wrapped": await self._kms.encrypt(ref, AESSIV.generate_key(512)),
            "state": OPEN,
            "made_at": datetime.now(UTC),
        }
        try:
            await self._mongo.insert(MASTERS, document)
        except Duplicate:
            await self._kms.destroy(ref)
            return (await self._mongo.find(MASTERS, {"_id": version}))[0]
        return document

    def _old(self, at: float) -> bool:
        return self._clock() - at >= LIFETIME_S


def is_open(session: Session, versions: set[int]) -> bool:
    """Whether all these versions may wrap what a transaction is about to insert."""
    return len(session.find(MASTERS, {"_id": {"$in": list(versions)}, "state": OPEN})) == len(versions)
