"""What is remembered for ever, and what a rebuild makes again from the log."""

from typing import Any

import msgspec
import pytest

from services.turnover import rules
from services.turnover.purchases import Bought
from shared.rulebook.memory import HELD
from shared.rulebook.refused import Refused
from shared.runtime.log import Codec
from tests.turnover.world import Given, message_of, purchase, recorded, reduced, refused, returned, tick

MANY = 300


@pytest.fixture
def regular(given: Given) -> Given:
    """A customer with far more purchases than a head holds."""
    return given(*[purchase(f"p{number}", 10, "2010-03-01") for number in range(MANY)])


def test_a_head_does_not_grow_with_history(regular: Given) -> None:
    assert regular.customer.state.memory.held <= HELD
    assert len(regular.customer.archive) == regular.customer.state.memory.chunks > 1


def test_duplicates_and_conflicts_are_found_in_the_archive(regular: Given) -> None:
    regular.when(*[purchase(f"p{number}", 10, "2010-03-01") for number in range(MANY)]).then()
    with pytest.raises(Refused, match=r"^conflict: purchase_id p0 "):
        regular.when(purchase("p0", 11, "2010-03-01"))


def test_what_is_left_of_an_old_purchase_is_found_in_the_archive(regular: Given) -> None:
    regular.when(returned("r1", 4, of="p0")).then(reduced(4, purchase_remaining_minor=6))
    regular(*[purchase(f"q{number}", 10, "2010-03-02") for number in range(MANY)])
    regular.when(returned("r1", 4, of="p0")).then()
    regular.when(returned("r2", 7, of="p0")).then(reduced(6, purchase_remaining_minor=0), refused("exceeds", 1))


def test_a_return_waits_in_the_archive(given: Given) -> None:
    given(returned("r1", 4, of="p", when="2010-02-01"), returned("r2", 4, of="p", when="2010-02-01"))
    given(*[purchase(f"q{number}", 10) for number in range(MANY)])
    given.when(purchase("p", 10)).then(recorded(10), reduced(4, return_id="r1"), reduced(4, return_id="r2"))


def test_a_lookup_names_all_that_it_may_find(given: Given) -> None:
    keys = [rules.keys(message_of(raw)) for raw in (purchase("p", 1), returned("r", 1), returned("r", 1, of="p"))]
    assert keys == [("p:s-1/p",), ("r:s-1/r",), ("r:s-1/r", "p:s-1/p")]
    assert rules.keys(message_of(tick("2010-01-01"))) == ()


def test_a_rebuild_from_the_log_makes_the_same_state(regular: Given) -> None:
    regular(*_everything())
    assert regular.customer.rebuilt() == regular.customer.state


def test_a_rebuild_of_a_rolling_window_makes_the_same_state(under: Any) -> None:
    rolling = under(window="rolling_12_months", basis="net")(*_everything())
    assert rolling.customer.rebuilt() == rolling.customer.state


def test_a_state_survives_its_way_to_the_database_and_back(given: Given) -> None:
    state = given(returned("r9", 4, of="p9"), *_everything()).customer.state
    codec = Codec(rules)
    assert codec.load(codec.dump(state)) == state


def test_every_number_fits_what_the_database_holds(given: Given) -> None:
    for number in range(50):
        given(purchase(f"p{number}", 1))
    items = msgspec.msgpack.decode(given.customer.state.memory.stored, type=dict[str, Bought])
    digests = [item.digest for item in items.values()]
    assert all(-(2**63) <= digest < 2**63 for digest in digests)
    assert min(digests) < 0 < max(digests)


def _everything() -> list[dict[str, Any]]:
    return [
        purchase("a", 600_00, "2010-03-01"),
        purchase("b", 119_00, "2010-04-01", tax_minor=19_00),
        purchase("c", 50_00, "2010-05-01", currency="USD", fx_rate="0.9"),
        returned("r1", 10_00, of="c", when="2010-06-01", currency="USD"),
        returned("r2", 90_00, of="c", when="2010-06-01"),
        returned("r3", 1_00, when="2010-06-02"),
        returned("r4", 1_00, of="d", when="2010-06-03"),
        purchase("d", 10_00, "2010-06-01"),
        tick("2011-08-01"),
        purchase("e", 10_00, "2011-05-01"),
        tick("2012-08-01"),
        returned("r5", 1_00, of="a", when="2012-08-02"),
        returned("r6", 1_00, of="nobody", when="2012-08-02"),
    ]
