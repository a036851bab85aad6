"""The fingerprints of an archive: they never miss a key, and agree with the pages that are stored."""

from hypothesis import given
from hypothesis import strategies as st

from shared.rulebook.memory import HELD, SPILL, Memory, unpacked
from shared.runtime.archive import CHUNKS, Prints, prints_ids


def chunk(n: int) -> dict[str, int]:
    return {f"p:s-01/{n}-{k}": k for k in range(SPILL)}


def test_every_key_is_found_in_its_chunk_also_when_there_are_many() -> None:
    prints = Prints([])
    numbers = range(3 * CHUNKS)
    for n in numbers:
        prints.add(chunk(n))
    assert all(n in prints.chunks(key) for n in numbers for key in chunk(n))


def test_a_key_that_never_spilled_is_rarely_suspected() -> None:
    prints = Prints([])
    for n in range(3 * CHUNKS):
        prints.add(chunk(n))
    suspected = [key for key in (f"p:s-02/{n}" for n in range(5_000)) if prints.chunks(key)]
    assert len(suspected) < 10


def test_fingerprints_read_back_from_their_pages_find_the_same() -> None:
    prints = Prints([])
    pages: dict[str, bytes] = {}
    for n in range(CHUNKS + 3):
        prints.add(chunk(n))
        page = prints.page(7, "c-1", n)
        pages[page["_id"]] = page["prints"]
    again = Prints([pages[identity] for identity in prints_ids(7, "c-1", CHUNKS + 3)])
    assert all(again.chunks(key) == prints.chunks(key) for n in range(CHUNKS + 3) for key in chunk(n))


@given(st.lists(st.integers(0, 3 * HELD), max_size=6 * HELD))
def test_memory_and_chunks_together_hold_the_newest_item_of_every_key(keys: list[int]) -> None:
    memory = Memory()
    for at, key in enumerate(keys):
        memory = memory.put(str(key), at)
    newest = {str(key): at for at, key in enumerate(keys)}
    assert {key: memory.get(key, int) for key in newest} == newest
    assert len(unpacked(memory.stored)) == memory.held <= HELD
    assert [number for number, _ in memory.spilled] == list(range(memory.chunks))
