"""Keys of customers: made with a batch, read for a minute at a time, gone with an erasure. On a real MongoDB."""

import asyncio

import pytest

from shared.masterkeys.kms import GoneError, KmsUnavailable
from shared.masterkeys.masters import CLOSING, MASTERS
from shared.mongo import Document, Duplicate, Mongo, Session, Unavailable
from shared.runtime import keyring as module
from shared.runtime.keyring import Keyring, key_id, may_insert
from shared.runtime.owned import KEYS
from shared.sealing import Sealer
from tests.sealing.conftest import Clock, Counting

ONE, OTHER = "c-17850", "c-13047"
PARTITIONS = 12
AT = {ONE: 3, OTHER: 5}


@pytest.fixture(autouse=True)
def _partitions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "partition_of", lambda customer, count: AT[customer])


@pytest.fixture
async def ring(mongo: Mongo, kms: Counting, clock: Clock) -> Keyring:
    return Keyring(mongo, kms, PARTITIONS, clock)


async def insert(mongo: Mongo, *documents: Document) -> None:
    """As the batch does that a key was made for."""

    def work(session: Session) -> None:
        assert may_insert(session, documents)
        session.insert(KEYS, documents)

    await mongo.transact(work)


async def delete(mongo: Mongo, customer: str) -> None:
    """As the batch does that erases a customer."""

    def work(session: Session) -> None:
        session.delete(KEYS, key_id(AT[customer], customer), key_id(AT[customer], customer))

    await mongo.transact(work)


async def made(mongo: Mongo, ring: Keyring, customer: str = ONE) -> Sealer:
    """A customer whose key is stored."""
    await ring.load({customer: AT[customer]})
    assert ring.sealer(customer) is None
    sealer, document = ring.make(customer, AT[customer])
    ring.keep(customer)
    await insert(mongo, document)
    ring.stored([customer])
    return sealer


def same(one: Sealer | None, other: Sealer | None) -> bool:
    assert one is not None
    assert other is not None
    return one.seal("f", "x") == other.seal("f", "x")


async def test_a_key_that_was_made_is_found_by_every_process(mongo: Mongo, ring: Keyring, kms: Counting) -> None:
    sealer = await made(mongo, ring)
    elsewhere = Keyring(mongo, kms, PARTITIONS, Clock())

    await elsewhere.load(AT)

    assert same(elsewhere.sealer(ONE), sealer)
    assert elsewhere.sealer(OTHER) is None
    assert same(await elsewhere.of(ONE), sealer)
    assert await elsewhere.of(OTHER) is None
    assert set(await elsewhere.of_all(AT)) == {ONE}


async def test_customers_have_keys_of_their_own(mongo: Mongo, ring: Keyring) -> None:
    one, other = await made(mongo, ring), await made(mongo, ring, OTHER)
    assert one.seal("f", "x") != Sealer(ONE, ring._read[OTHER][0]).seal("f", "x")
    assert not same(one, other)


async def test_no_key_is_stored_in_clear(mongo: Mongo, ring: Keyring) -> None:
    await made(mongo, ring)
    (document,) = await mongo.find(KEYS, {})
    (master,) = await mongo.find(MASTERS, {})
    assert set(document) == {"_id", "master", "wrapped"}
    assert ring._read[ONE][0] not in document["wrapped"]
    assert len(document["wrapped"]) == 64 + 16
    assert set(master) == {"_id", "ref", "wrapped", "state", "made_at"}


async def test_a_key_in_another_customers_place_opens_nothing(mongo: Mongo, ring: Keyring) -> None:
    await made(mongo, ring)
    (document,) = await mongo.find(KEYS, {})
    await mongo.insert(KEYS, document | {"_id": key_id(AT[OTHER], OTHER)})
    with pytest.raises(GoneError):
        await ring.load({OTHER: AT[OTHER]})


async def test_the_next_batch_relies_on_a_key_that_is_not_stored_yet_and_http_does_not(
    mongo: Mongo, ring: Keyring, clock: Clock
) -> None:
    await ring.load({ONE: 3})
    sealer, document = ring.make(ONE, 3)
    ring.keep(ONE)
    clock.now += 300  # a commit that takes long
    ring.sweep()
    await ring.load({ONE: 3})
    assert same(ring.sealer(ONE), sealer)
    assert await ring.of(ONE) is None

    await insert(mongo, document)
    ring.stored([ONE])

    assert same(await ring.of(ONE), sealer)


async def test_a_key_that_was_made_for_a_record_that_was_refused_is_not_used(ring: Keyring) -> None:
    await ring.load({ONE: 3})
    ring.make(ONE, 3)
    assert ring.sealer(ONE) is None
    ring.sweep()
    assert ring.sealer(ONE) is None
    assert not ring._made


async def test_a_key_whose_batch_was_lost_is_forgotten_with_its_partition(mongo: Mongo, ring: Keyring) -> None:
    await ring.load(AT)
    lost, _ = ring.make(ONE, AT[ONE])
    kept, _ = ring.make(OTHER, AT[OTHER])
    ring.keep(ONE)
    ring.keep(OTHER)

    ring.drop(AT[ONE])

    assert ring.sealer(ONE) is None
    assert same(ring.sealer(OTHER), kept)
    assert not same(await made(mongo, ring), lost)


async def test_two_owners_cannot_both_store_a_key(mongo: Mongo, ring: Keyring, kms: Counting) -> None:
    elsewhere = Keyring(mongo, kms, PARTITIONS, Clock())
    await elsewhere.load({ONE: 3})
    _, document = elsewhere.make(ONE, 3)
    await made(mongo, ring)
    with pytest.raises(Duplicate):
        await insert(mongo, document)


async def test_after_an_erasure_nothing_opens_here_at_once_and_elsewhere_within_a_minute(
    mongo: Mongo, ring: Keyring, kms: Counting
) -> None:
    await made(mongo, ring)
    later = Clock()
    elsewhere = Keyring(mongo, kms, PARTITIONS, later)
    assert await elsewhere.of(ONE) is not None

    await delete(mongo, ONE)
    ring.forget(ONE)

    await ring.load({ONE: 3})
    assert ring.sealer(ONE) is None
    assert await ring.of(ONE) is None
    later.now += 59.9
    assert await elsewhere.of(ONE) is not None
    later.now += 0.2
    assert await elsewhere.of(ONE) is None
    await elsewhere.load({ONE: 3})
    assert elsewhere.sealer(ONE) is None


async def test_between_loading_and_the_next_sweep_no_key_leaves(mongo: Mongo, ring: Keyring, clock: Clock) -> None:
    sealer = await made(mongo, ring)
    await made(mongo, ring, OTHER)
    ring.sweep()
    await ring.load(AT)
    clock.now += 300  # a process that was frozen
    await ring.load({OTHER: 5})
    await ring.of(OTHER)
    assert same(ring.sealer(ONE), sealer)

    ring.sweep()

    assert ring.sealer(ONE) is None
    assert not ring._read.keys() - {OTHER}


async def test_a_key_that_is_stored_while_http_looks_for_it_stays(
    mongo: Mongo, ring: Keyring, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    await ring.load({ONE: 3})
    sealer, _ = ring.make(ONE, 3)
    ring.keep(ONE)
    find = mongo.find

    async def slow(*arguments: object, **options: object) -> list[Document]:
        found = await find(*arguments, **options)  # type: ignore[arg-type]
        clock.now += 1
        ring.stored([ONE])  # committed after the look, before its answer
        return found

    monkeypatch.setattr(mongo, "find", slow)
    await ring.of(ONE)

    assert same(ring.sealer(ONE), sealer)


async def test_the_cache_is_bounded(mongo: Mongo, ring: Keyring, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CACHED", 1)
    await made(mongo, ring)
    clock.now += 1
    await made(mongo, ring, OTHER)

    ring.sweep()

    assert set(ring._read) == {OTHER}


async def test_the_kms_is_asked_once_a_minute(mongo: Mongo, ring: Keyring, kms: Counting, clock: Clock) -> None:
    await made(mongo, ring)
    await made(mongo, ring, OTHER)
    for _ in range(20):
        clock.now += 2.5
        ring.sweep()
        await ring.load(AT)
        await asyncio.gather(*(ring.of(ONE) for _ in range(3)))
    assert kms.decrypted == 1
    clock.now += 15
    await asyncio.gather(ring.load(AT), *(ring.of(ONE) for _ in range(3)))
    assert kms.decrypted == 2


async def test_material_leaves_memory_within_a_minute(mongo: Mongo, ring: Keyring, clock: Clock) -> None:
    await made(mongo, ring)
    clock.now += 60
    ring.sweep()
    assert not ring._masters._opened
    assert not ring._read


async def test_while_the_kms_is_away_keys_are_an_outage_after_a_minute_and_come_back_by_themselves(
    mongo: Mongo, ring: Keyring, kms: Counting, clock: Clock
) -> None:
    sealer = await made(mongo, ring)
    kms.away = KmsUnavailable("away")
    await ring.load(AT)
    clock.now += 60
    with pytest.raises(Unavailable):
        await ring.load(AT)
    with pytest.raises(Unavailable):
        await ring.of(ONE)
    kms.away = None
    await ring.load(AT)
    assert same(ring.sealer(ONE), sealer)


async def test_processes_that_start_together_make_one_master_key(mongo: Mongo, kms: Counting) -> None:
    rings = [Keyring(mongo, kms, PARTITIONS, Clock()) for _ in range(5)]
    await asyncio.gather(*(each.load(AT) for each in rings))
    (document,) = await mongo.find(MASTERS, {})
    assert document["_id"] == 1
    await made(mongo, rings[0])
    assert await rings[4].of(ONE) is not None


async def test_a_key_under_a_version_that_was_closed_meanwhile_is_not_inserted(
    mongo: Mongo, ring: Keyring, kms: Counting
) -> None:
    await ring.load({ONE: 3})
    _, document = ring.make(ONE, 3)
    await ring._masters.add(2)
    await mongo.collection(MASTERS).update_one({"_id": 1}, {"$set": {"state": CLOSING}})

    def work(session: Session) -> None:
        assert not may_insert(session, [document])
        assert may_insert(session, [])

    await mongo.transact(work)
    ring.drop(3)
    await ring.load({ONE: 3})
    _, again = ring.make(ONE, 3)
    assert again["master"] == 2
    await insert(mongo, again)
