"""Changing the master key: every key moves, none comes back, what was destroyed opens no copy. On a real MongoDB."""

import asyncio
import threading
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from shared.masterkeys.kms import GoneError, Kms, connect
from shared.masterkeys.masters import MASTERS
from shared.mongo import Document, Mongo, Session, Unavailable
from shared.runtime import rotation
from shared.runtime.keyring import Keyring, key_id
from shared.runtime.owned import KEYS
from shared.runtime.rotation import RotationError, destroy, rotate, versions
from shared.sealing import Sealer
from tests.sealing.conftest import Clock, Counting

PARTITIONS = 12
COUNT = 1_203  # keys: more than two pages, and a rest


@pytest.fixture
async def customers(mongo: Mongo, kms: Counting) -> dict[str, Sealer]:
    """Customers whose keys are stored, with what seals and opens their values."""
    ring = Keyring(mongo, kms, PARTITIONS, Clock())
    await ring.load({})
    made = {f"c-{n}": ring.make(f"c-{n}", n % PARTITIONS) for n in range(COUNT)}
    await store(mongo, [document for _, document in made.values()])
    return {customer: sealer for customer, (sealer, _) in made.items()}


async def store(mongo: Mongo, documents: Sequence[Document]) -> None:
    def work(session: Session) -> None:
        session.insert(KEYS, documents)

    await mongo.transact(work)


async def turn(mongo: Mongo, kms: Kms) -> tuple[int, int]:
    return await rotate(mongo, kms, settled_s=0)


async def opened(mongo: Mongo, kms: Kms, customers: dict[str, Sealer]) -> int:
    """How many customers' values a process that starts now can open."""
    ring = Keyring(mongo, kms, PARTITIONS, Clock())
    await ring.load({customer: int(customer[2:]) % PARTITIONS for customer in customers})
    boxes = {customer: sealer.seal("f", customer) for customer, sealer in customers.items()}
    found = {customer: ring.sealer(customer) for customer in customers}
    return sum(sealer.open("f", boxes[customer]) == customer for customer, sealer in found.items() if sealer)


async def states(mongo: Mongo) -> dict[int, tuple[str, int]]:
    return {each.number: (each.state, each.keys) for each in await versions(mongo)}


async def test_every_key_moves_to_the_new_version_and_opens_what_it_did(
    mongo: Mongo, kms: Counting, customers: dict[str, Sealer]
) -> None:
    seen: list[int] = []
    assert await rotate(mongo, kms, seen.append, settled_s=0) == (2, COUNT)

    assert await states(mongo) == {1: ("closed", 0), 2: ("open", COUNT)}
    assert await opened(mongo, kms, customers) == COUNT
    assert seen[:3] == [500, 1_000, COUNT]


async def test_rotating_a_system_without_keys_is_harmless(mongo: Mongo, kms: Counting) -> None:
    assert await turn(mongo, kms) == (1, 0)
    assert await turn(mongo, kms) == (2, 0)
    assert await turn(mongo, kms) == (3, 0)
    assert await states(mongo) == {1: ("closed", 0), 2: ("closed", 0), 3: ("open", 0)}


async def test_a_rotation_that_was_cut_off_is_finished_without_another_version(
    mongo: Mongo, kms: Counting, customers: dict[str, Sealer], monkeypatch: pytest.MonkeyPatch
) -> None:
    swap, left = rotation._swap, 1

    async def some(*arguments: Any) -> int:
        nonlocal left
        left -= 1
        if left < 0:
            raise Unavailable("cut off")
        return await swap(*arguments)

    monkeypatch.setattr(rotation, "_swap", some)
    with pytest.raises(Unavailable):
        await turn(mongo, kms)
    assert await states(mongo) == {1: ("open", COUNT - 500), 2: ("open", 500)}
    assert await opened(mongo, kms, customers) == COUNT
    with pytest.raises(RotationError, match="rotate first"):
        await destroy(mongo, kms, 1)

    monkeypatch.undo()
    assert await turn(mongo, kms) == (2, COUNT - 500)
    assert await states(mongo) == {1: ("closed", 0), 2: ("open", COUNT)}


async def test_a_key_that_is_erased_meanwhile_does_not_come_back(
    mongo: Mongo, kms: Counting, customers: dict[str, Sealer], monkeypatch: pytest.MonkeyPatch
) -> None:
    erased = key_id(7, "c-7")
    swap = rotation._swap

    async def late(mongo: Mongo, newest: int, swaps: Sequence[tuple[Document, Document]]) -> int:
        if any(key["_id"] == erased for key, _ in swaps):
            await mongo.collection(KEYS).delete_one({"_id": erased})  # after it was read, before it is written
        return await swap(mongo, newest, swaps)

    monkeypatch.setattr(rotation, "_swap", late)

    assert await turn(mongo, kms) == (2, COUNT - 1)

    assert not await mongo.find(KEYS, {"_id": erased})
    assert await opened(mongo, kms, customers) == COUNT - 1


async def test_an_erasure_that_is_under_way_is_waited_for_and_stays(
    mongo: Mongo, kms: Counting, customers: dict[str, Sealer]
) -> None:
    deleted, go_on = threading.Event(), threading.Event()

    def erase(session: Session) -> None:
        session.delete(KEYS, key_id(7, "c-7"), key_id(7, "c-7"))
        deleted.set()
        go_on.wait(10)

    erasing = asyncio.create_task(mongo.transact(erase))
    await asyncio.to_thread(deleted.wait)
    rotating = asyncio.create_task(turn(mongo, kms))
    await asyncio.sleep(0.3)
    go_on.set()
    await erasing
    assert await rotating == (2, COUNT - 1)
    assert not await mongo.find(KEYS, {"_id": key_id(7, "c-7")})


async def test_a_key_that_was_made_under_the_old_version_while_it_closed_is_moved_too(
    mongo: Mongo, kms: Counting, customers: dict[str, Sealer], monkeypatch: pytest.MonkeyPatch
) -> None:
    ring = Keyring(mongo, kms, PARTITIONS, Clock())  # goes on for a minute with the version that it knows
    await ring.load({})
    sealer, document = ring.make("c-5000", 5000 % PARTITIONS)
    change, late = rotation._change, [document]

    async def slow(mongo: Mongo, numbers: Sequence[int], state: str) -> None:
        if late:
            await store(mongo, [late.pop()])
        await change(mongo, numbers, state)

    monkeypatch.setattr(rotation, "_change", slow)

    assert await turn(mongo, kms) == (2, COUNT + 1)

    assert await states(mongo) == {1: ("closed", 0), 2: ("open", COUNT + 1)}
    assert await opened(mongo, kms, customers | {"c-5000": sealer}) == COUNT + 1


async def test_processes_go_on_through_a_rotation(mongo: Mongo, kms: Counting, customers: dict[str, Sealer]) -> None:
    clock = Clock()
    ring = Keyring(mongo, kms, PARTITIONS, clock)
    await ring.load({"c-1": 1})
    await turn(mongo, kms)
    await ring.load({"c-2": 2})  # found under a version that it has not heard of
    assert ring.sealer("c-1")
    assert ring.sealer("c-2")
    assert ring.make("c-5000", 8)[1]["master"] == 1
    clock.now += 60
    await ring.load({"c-3": 3})
    assert ring.make("c-5000", 8)[1]["master"] == 2


async def test_two_rotations_at_once_are_one(mongo: Mongo, kms: Counting, customers: dict[str, Sealer]) -> None:
    results = await asyncio.gather(turn(mongo, kms), turn(mongo, kms))
    assert [version for version, _ in results] == [2, 2]
    assert sum(moved for _, moved in results) == COUNT
    assert await opened(mongo, kms, customers) == COUNT


@pytest.mark.parametrize("guard", ["kms", "aws"])
async def test_a_copy_from_before_does_not_open_after_the_version_is_destroyed(
    mongo: Mongo, guard: str, request: pytest.FixtureRequest
) -> None:
    kms: Kms = request.getfixturevalue(guard)
    customers = await request.getfixturevalue("customers_of")(kms)
    copy = {name: await mongo.find(name, {}) for name in (KEYS, MASTERS)}
    await turn(mongo, kms)
    async with restored(mongo, copy):
        assert await opened(mongo, kms, customers) == len(customers)

    await destroy(mongo, kms, 1)

    assert await opened(mongo, kms, customers) == len(customers)
    async with restored(mongo, copy):
        with pytest.raises(GoneError):
            await opened(mongo, kms, customers)
    (gone,) = await mongo.find(MASTERS, {"_id": 1})
    assert (gone["state"], gone["wrapped"]) == ("destroyed", None)


@pytest.fixture
def customers_of(mongo: Mongo) -> Any:
    async def make(kms: Kms) -> dict[str, Sealer]:
        ring = Keyring(mongo, kms, PARTITIONS, Clock())
        await ring.load({})
        made = {f"c-{n}": ring.make(f"c-{n}", n) for n in range(3)}
        await store(mongo, [document for _, document in made.values()])
        return {customer: sealer for customer, (sealer, _) in made.items()}

    return make


@asynccontextmanager
async def restored(mongo: Mongo, copy: dict[str, list[Document]]) -> AsyncGenerator[None, None]:
    """The collections as they were when they were copied, for a while."""
    now = {name: await mongo.find(name, {}) for name in copy}
    await fill(mongo, copy)
    yield
    await fill(mongo, now)


async def fill(mongo: Mongo, content: dict[str, list[Document]]) -> None:
    for name, documents in content.items():
        await mongo.collection(name).delete_many({})
        await mongo.collection(name).insert_many(documents)


async def test_a_version_in_use_is_not_destroyed(mongo: Mongo, kms: Counting, customers: dict[str, Sealer]) -> None:
    with pytest.raises(RotationError, match="no version 2"):
        await destroy(mongo, kms, 2)
    with pytest.raises(RotationError, match="version 1 is the newest"):
        await destroy(mongo, kms, 1)
    document = (await mongo.find(KEYS, {"_id": key_id(1, "c-1")}))[0]
    await turn(mongo, kms)
    await mongo.collection(KEYS).replace_one({"_id": document["_id"]}, document)  # somebody restored a document
    with pytest.raises(RotationError, match=r"\(1 keys are wrapped under it\): rotate first"):
        await destroy(mongo, kms, 1)
    await turn(mongo, kms)
    await destroy(mongo, kms, 1)
    assert await states(mongo) == {1: ("destroyed", 0), 2: ("closed", 0), 3: ("open", COUNT)}
    assert await opened(mongo, kms, customers) == COUNT


async def test_destroying_again_does_no_harm(mongo: Mongo, kms: Counting) -> None:
    await turn(mongo, kms)
    await turn(mongo, kms)
    await destroy(mongo, kms, 1)
    await destroy(mongo, kms, 1)
    assert await states(mongo) == {1: ("destroyed", 0), 2: ("open", 0)}


async def test_nothing_counts_as_destroyed_in_a_kms_that_is_not_the_right_one(
    mongo: Mongo, kms: Counting, tmp_path: Path
) -> None:
    await turn(mongo, kms)
    await turn(mongo, kms)
    with pytest.raises(GoneError):
        await destroy(mongo, connect(f"file:{tmp_path / 'another'}"), 1)
    assert await states(mongo) == {1: ("closed", 0), 2: ("open", 0)}


async def test_a_destruction_that_was_cut_off_is_finished(mongo: Mongo, kms: Counting) -> None:
    await turn(mongo, kms)
    await turn(mongo, kms)
    await kms.destroy((await mongo.find(MASTERS, {"_id": 1}))[0]["ref"])
    await destroy(mongo, kms, 1)
    assert await states(mongo) == {1: ("destroyed", 0), 2: ("open", 0)}


async def test_a_destroyed_version_stays_so_whoever_still_rotates(
    mongo: Mongo, kms: Counting, customers: dict[str, Sealer], monkeypatch: pytest.MonkeyPatch
) -> None:
    change = rotation._change

    async def overtaken(mongo: Mongo, numbers: Sequence[int], state: str) -> None:
        monkeypatch.undo()
        await turn(mongo, kms)
        await destroy(mongo, kms, 1)
        await change(mongo, numbers, state)

    monkeypatch.setattr(rotation, "_change", overtaken)

    await turn(mongo, kms)

    assert await states(mongo) == {1: ("destroyed", 0), 2: ("open", COUNT)}


async def test_the_old_version_is_only_closed_when_no_transaction_can_be_left_from_before(
    mongo: Mongo, kms: Counting, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[float] = []

    async def sleep(seconds: float) -> None:
        waited.append(seconds)

    await turn(mongo, kms)
    monkeypatch.setattr(rotation.asyncio, "sleep", sleep)
    await rotate(mongo, kms)
    assert waited == [10]  # twice the longest that the local stack's servers leave one open
