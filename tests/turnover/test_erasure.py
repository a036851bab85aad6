"""Customers who asked to be forgotten: their sums stay, and nothing more is added."""

import pytest

from shared.contracts.turnover import TierChanged, YearTurned
from shared.rulebook.refused import Refused
from tests.turnover.world import Given, erasure, purchase, returned, tick


def test_sums_stay_and_the_year_turns_for_who_is_erased(given: Given) -> None:
    given(purchase("p1", 600_00), erasure()).shows(years={"2010": {"turnover_minor": 600_00}}, version=2)
    given.when(tick("2012-01-01"))
    assert [type(entry.fact) for entry in given.entries] == [YearTurned, YearTurned, TierChanged]


@pytest.mark.parametrize("record", [purchase("p1", 10_00), purchase("p2", 10_00), returned("r1", 5_00, of="p1")])
def test_records_of_who_is_erased_are_refused_with_a_reason(given: Given, record: dict[str, object]) -> None:
    given(purchase("p1", 10_00), erasure())
    with pytest.raises(Refused, match=r"^customer_id: was erased$"):
        given.when(record)


def test_who_was_never_seen_is_remembered_as_erased(given: Given) -> None:
    given(erasure())
    with pytest.raises(Refused, match="erased"):
        given.when(purchase("p1", 10_00))


def test_the_erasure_is_noted_once(given: Given) -> None:
    given(erasure()).when(erasure(accepted=False, when="2010-06-02")).then()
    assert given.entries == []
    assert given.customer.rebuilt() == given.customer.state
