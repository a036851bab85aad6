"""The map from customer to revision: pages as stored, and what has moved since."""

from shared.runtime.heads import Moved, Pages, merged, page_of, revisions


def test_a_flush_writes_only_the_pages_of_those_who_moved_and_keeps_their_neighbours() -> None:
    first = merged(3, {f"c-{n}": (1, 100 + n) for n in range(2_000)}, [])
    moved: Moved = {"c-5": (2, 50), "new": (1, None)}
    second = merged(3, moved, first)
    assert {page["_id"] for page in second} == {f"03/{page_of(customer):04d}" for customer in moved}
    heads = {customer: head for page in second for customer, head in revisions(page).items()}
    assert heads["c-5"] == (2, 50)
    assert heads["new"] == (1, None)
    neighbours = [customer for customer in (f"c-{n}" for n in range(2_000)) if page_of(customer) == page_of("c-5")]
    assert all(heads[customer][0] == 1 for customer in neighbours if customer != "c-5")
    assert next(page for page in second if page["_id"].endswith(f"{page_of('c-5'):04d}"))["due"] == 50


def test_a_page_that_is_not_stored_is_empty_and_one_that_is_dropped_is_loaded_again() -> None:
    pages = Pages()
    key = (3, page_of("c-1"))
    assert len(pages.missing([key])) == 1
    pages.add([key], [])
    assert pages.get(3, "c-1") == 0
    pages.update(3, {"c-1": (4, None)})
    assert pages.get(3, "c-1") == 4
    pages.drop(3)
    assert len(pages.missing([key])) == 1
