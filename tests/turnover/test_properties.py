"""Whatever the order in which records come, and however often, they end in the same numbers."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.turnover import oracle
from tests.turnover.world import CUSTOMER, Customer, at, programme_of, purchase, returned, terms, tick

CHANGED = {"tiers": {"bronze": 0, "silver": 300_00, "gold": 900_00}, "returns": "P13M"}
PROGRAMMES = {
    f"{window} {basis}": [
        terms(1, "2005-01-01", window=window, basis=basis, returns="P6M"),
        terms(2, "2010-07-01", window=window, basis=basis, **CHANGED),
    ]
    for window in ("calendar_year", "rolling_12_months")
    for basis in ("gross", "net")
}
MONEY = {"EUR": None, "USD": "0.87", "JPY": "0.0061"}

# Few years, days at their borders, and amounts near the thresholds: where the rules meet each other.
DAYS = ("2009-12-31", "2010-01-01", "2010-06-30", "2010-07-01", "2010-12-31", "2011-01-01", "2011-06-30", "2012-02-29")
moments = st.builds(
    lambda day, hour, minute: f"{day}T{hour:02}:{minute:02}:00Z",
    st.sampled_from(DAYS),
    st.integers(0, 23),
    st.integers(0, 59),
)
amounts = st.one_of(st.integers(1, 50), st.integers(1, 400_00), st.sampled_from([300_00, 500_00, 900_00, 2000_00]))
named = st.sampled_from([None, "p0", "p1", "p2", "p9"])


@st.composite
def piles(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Purchases and returns of one customer; no two of one key."""
    sales = [
        purchase(f"p{number % 3}", draw(amounts), draw(moments), **_money(draw), store_id=f"s-{number // 3 + 1}")
        for number in range(draw(st.integers(0, 5)))
    ]
    backs = [
        returned(f"r{number}", draw(amounts), draw(named), draw(moments), **_money(draw))
        for number in range(draw(st.integers(0, 5)))
    ]
    return [one | {"tax_minor": draw(st.none() | st.integers(0, _amount(one)))} for one in sales + backs]


def _money(draw: st.DrawFn) -> dict[str, Any]:
    currency = draw(st.sampled_from(sorted(MONEY)))
    return {"currency": currency, "fx_rate": MONEY[currency]}


def _amount(raw: dict[str, Any]) -> int:
    return raw["total_minor"] if "total_minor" in raw else raw["amount_minor"]


def _ends(customer: Customer) -> dict[str, Any]:
    return customer.view() | {"version": None}


@pytest.mark.parametrize("name", PROGRAMMES)
@settings(max_examples=80, suppress_health_check=[HealthCheck.too_slow])
@given(pile=piles(), data=st.data())
def test_any_order_and_duplication_ends_as_the_oracle_says(name: str, pile: list[dict[str, Any]], data: Any) -> None:
    versions = PROGRAMMES[name]
    again = data.draw(st.lists(st.sampled_from(pile), max_size=4)) if pile else []
    ticks = [tick(one) for one in data.draw(st.lists(moments, max_size=2))]
    arrivals = data.draw(st.permutations([*pile, *again, *ticks]))
    customer = Customer(programme_of(*versions))
    for raw in arrivals:
        customer.take(raw)

    assert customer.rebuilt() == customer.state
    if not pile:
        assert customer.log == []
        return
    last = max((one["now"] for one in ticks), key=at, default=None)
    expected = oracle.accounts(pile, versions, last)[CUSTOMER]
    shown = customer.view()
    assert {
        int(year): (one["purchases_minor"], one["returns_minor"]) for year, one in shown["years"].items()
    } == expected.years
    assert (shown["year"], shown["turnover_minor"], shown["tier"]) == (expected.year, expected.turnover, expected.tier)
    assert (customer.state.tier or "bronze") == expected.tier

    # A tick after all, and all records once more, change nothing that counts.
    before = len(customer.log)
    for raw in arrivals:
        assert customer.take(raw) == []
    assert len(customer.log) == before


@pytest.mark.parametrize("name", PROGRAMMES)
@settings(max_examples=30, suppress_health_check=[HealthCheck.too_slow])
@given(pile=piles(), data=st.data())
def test_any_order_ends_in_the_same_view(name: str, pile: list[dict[str, Any]], data: Any) -> None:
    one, other = Customer(programme_of(*PROGRAMMES[name])), Customer(programme_of(*PROGRAMMES[name]))
    for raw in pile:
        one.take(raw)
    for raw in data.draw(st.permutations(pile)):
        other.take(raw)
    assert _ends(one) == _ends(other)


@pytest.mark.parametrize("name", PROGRAMMES)
@settings(max_examples=30, suppress_health_check=[HealthCheck.too_slow])
@given(pile=piles(), data=st.data())
def test_ticks_late_or_twice_end_as_ticks_on_time(name: str, pile: list[dict[str, Any]], data: Any) -> None:
    pile.sort(key=lambda raw: at(raw["occurred_at"]))
    on_time, late = Customer(programme_of(*PROGRAMMES[name])), Customer(programme_of(*PROGRAMMES[name]))
    for raw in pile:
        on_time.take({"type": "Tick.v1", "now": raw["occurred_at"]})
        on_time.take(raw)
        late.take(raw)
        for _ in range(data.draw(st.integers(0, 2))):
            late.take({"type": "Tick.v1", "now": pile[0]["occurred_at"]})
    for month in range(1, 13):
        on_time.take(tick(f"2013-{month:02}-01"))
    late.take(tick("2013-12-01"))
    assert late.log == on_time.log
    assert late.state == on_time.state
    assert late.view() == on_time.view()
