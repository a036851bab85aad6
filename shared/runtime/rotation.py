"""Changing the master key: a new version, every customer's key wrapped anew under it, the old version destroyed."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Final

from msgspec import Struct

from shared.masterkeys.kms import Kms
from shared.masterkeys.masters import CLOSED, CLOSING, DESTROYED, MASTERS, OPEN, Masters, is_open
from shared.mongo import LIFETIME, Document, Mongo, Session, Transient
from shared.runtime.owned import KEYS

_AT_ONCE: Final = 500
_PAUSE_S: Final = 0.2
_STATES: Final = [OPEN, CLOSING, CLOSED, DESTROYED]


class RotationError(Exception):
    """A version cannot be made or destroyed now; the text says why, and what to do."""


class Version(Struct, frozen=True):
    """A version of the master key. `keys`: of how many customers it wraps the key now."""

    number: int
    state: str
    ref: str
    made_at: datetime
    keys: int


async def versions(mongo: Mongo) -> list[Version]:
    """All that there ever were, oldest first."""
    found = await mongo.find(MASTERS, {}, sort=[("_id", 1)])
    counts = [await mongo.count(KEYS, {"master": each["_id"]}) for each in found]
    return [
        Version(each["_id"], each["state"], each["ref"], each["made_at"], count)
        for each, count in zip(found, counts, strict=True)
    ]


async def rotate(
    mongo: Mongo, kms: Kms, at: Callable[[int], None] = lambda keys: None, settled_s: float | None = None
) -> tuple[int, int]:
    """Wrap every customer's key under a new version, and close those before it: its number, and how many keys moved.

    One that was cut off is finished by the next, without another version. `at` is told how many keys have been looked
    at. `settled_s`: seconds after which no transaction is left that began before the old versions closed.
    """
    masters = Masters(mongo, kms)
    found = await mongo.find(MASTERS, {}, sort=[("_id", 1)])
    if not found:
        return (await masters.newest()).version, 0
    newest = found[-1]["_id"]
    before = [each["_id"] for each in found[:-1] if each["state"] in (OPEN, CLOSING)]
    if not before:
        before = [newest]
        newest = (await masters.add(newest + 1))["_id"]
    moved = await _rewrap(mongo, masters, newest, at)
    # A process may go on for a minute with the version that it knows: what it inserts until now is moved, too.
    await _change(mongo, before, CLOSING)
    await asyncio.sleep(2 * (await mongo.lifetime() or LIFETIME) if settled_s is None else settled_s)
    moved += await _rewrap(mongo, masters, newest, at)
    await _change(mongo, before, CLOSED)
    return newest, moved


async def destroy(mongo: Mongo, kms: Kms, version: int) -> None:
    """Have the KMS destroy a version. What any copy of the database holds that was wrapped under it opens no more.

    Raises `RotationError` while it wraps, or may wrap, a key that is in use, and `GoneError` when this KMS does not
    guard the newest version. Harmless to repeat.
    """
    found = await mongo.find(MASTERS, {}, sort=[("_id", 1)])
    document = next((each for each in found if each["_id"] == version), None)
    if document is None:
        raise RotationError(f"there is no version {version}")
    if document["state"] == DESTROYED:
        return
    if version == found[-1]["_id"]:
        raise RotationError(f"version {version} is the newest, which wraps new keys: rotate first")
    keys = await mongo.count(KEYS, {"master": version})
    if document["state"] != CLOSED or keys:
        raise RotationError(f"version {version} is not done with ({keys:,} keys are wrapped under it): rotate first")
    await Masters(mongo, kms).newest()  # a KMS that does not know this one is not where the other was
    await kms.destroy(document["ref"])
    await _change(mongo, [version], DESTROYED)


async def _rewrap(mongo: Mongo, masters: Masters, newest: int, at: Callable[[int], None]) -> int:
    """Wrap whatever is not wrapped under the newest version; how many keys that were."""
    seen, moved, last = 0, 0, ""
    while page := await mongo.find(KEYS, {"_id": {"$gt": last}}, sort=[("_id", 1)], limit=_AT_ONCE):
        last = page[-1]["_id"]
        swaps = [(key, await _wrapped(masters, newest, key)) for key in page if key["master"] != newest]
        moved += await _swap(mongo, newest, swaps) if swaps else 0
        seen += len(page)
        at(seen)
    return moved


async def _wrapped(masters: Masters, newest: int, document: Document) -> Document:
    customer = document["_id"].partition("/")[2]
    key = (await masters.get(document["master"])).unwrap(customer, document["wrapped"])
    return {"_id": document["_id"], "master": newest, "wrapped": (await masters.get(newest)).wrap(customer, key)}


async def _swap(mongo: Mongo, newest: int, swaps: Sequence[tuple[Document, Document]]) -> int:
    """Replace keys that are still what they were: one that an erasure has deleted meanwhile does not come back."""
    moved = 0

    def work(session: Session) -> None:
        nonlocal moved
        if not is_open(session, {newest}):
            raise RotationError(f"version {newest} was closed meanwhile, by another rotation")
        moved = session.swap(KEYS, swaps)

    await _transact(mongo, work)
    return moved


async def _change(mongo: Mongo, numbers: Sequence[int], state: str) -> None:
    """Move these versions on to a state, but for those that somebody else has moved there or further."""

    def work(session: Session) -> None:
        earlier = _STATES[: _STATES.index(state)]
        found = session.find(MASTERS, {"_id": {"$in": list(numbers)}, "state": {"$in": earlier}})
        changed = [{**each, "state": state} for each in found]
        if state == DESTROYED:
            changed = [{**each, "wrapped": None, "destroyed_at": datetime.now(UTC)} for each in changed]
        if changed:
            session.swap(MASTERS, list(zip(found, changed, strict=True)))

    await _transact(mongo, work)


async def _transact(mongo: Mongo, work: Callable[[Session], None]) -> None:
    """Until it comes through: a batch that writes the same documents makes it start anew."""
    while True:
        try:
            return await mongo.transact(work)
        except Transient:
            await asyncio.sleep(_PAUSE_S)
