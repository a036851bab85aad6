"""What holds of benefits whatever comes in whatever order: they unlock once, and what is stored is what was logged."""

from collections import Counter
from contextlib import suppress
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from services.ledger.benefits import terms as reading
from shared.rulebook.refused import Refused
from tests.ledger.benefits.stories import (
    ALL,
    CATALOGUE,
    COUPON,
    DELIVERY,
    GIFT,
    SHOPPER,
    VOUCHER,
    WELCOME,
    accepted,
    birthday,
    enrolled,
    filled,
    status,
    under_versions,
    use,
)
from tests.ledger.world import Given, purchase, returned, terms, tick

YEARLY = {"id": "massage", "kind": "perk", "every": "year", "requires": {"fields": ["phone"]}}
BONUS = {"id": "bonus", "kind": "points", "points": 5, "every": "year", "requires": {"tier": "silver"}}
BENEFITS: list[dict[str, Any]] = [WELCOME, GIFT, CATALOGUE, DELIVERY, SHOPPER, COUPON, VOUCHER, YEARLY, BONUS]
DAYS = [f"{year}-{month:02}-{day:02}" for year in (2010, 2011, 2012) for month in range(1, 13) for day in (1, 11, 28)]

days = st.sampled_from(DAYS)
fields = st.sets(st.sampled_from(ALL)).map(sorted)
names = st.sampled_from([one["id"] for one in BENEFITS])
steps = st.one_of(
    st.builds(enrolled, days),
    st.builds(lambda found, day: filled(*found, when=day), fields, days),
    st.builds(
        lambda n, minor, day: purchase(f"p{n}", minor, day), st.integers(0, 5), st.sampled_from([1, 700_00]), days
    ),
    st.builds(lambda n, day: returned(f"r{n}", 400_00, f"p{n}", day), st.integers(0, 5), days),
    st.builds(lambda day: birthday(int(day[:4]), day), days),
    st.builds(tick, days),
    st.builds(lambda name, day: use(name, when=day), names, days),
    st.builds(accepted, days),
)
usual = st.lists(steps, max_size=25)


def start() -> Given:
    changed = [one for one in BENEFITS if one["id"] not in {"catalogue", "voucher"}]
    return under_versions(terms(benefits=BENEFITS), terms(2, "2012-01-01", benefits=changed))


def play(story: list[Any]) -> Given:
    begun = start()
    for one in story:
        with suppress(Refused):  # turnover's: another purchase under one id
            begun(one)
    return begun


@given(usual)
@settings(max_examples=50)
def test_each_benefit_is_locked_between_two_unlockings_of_a_period(story: list[Any]):
    open_now: Counter[tuple[str, str | None]] = Counter()
    for entry in play(story).customer.log:
        fact = entry.fact.model_dump(mode="json")
        key = (fact.get("benefit", ""), fact.get("period"))
        match fact["type"]:
            case "BenefitUnlocked.v1":
                assert not open_now[key]
                open_now[key] = 1
            case "BenefitLocked.v1" | "BenefitRevoked.v1":
                assert fact["type"] == "BenefitRevoked.v1" or fact["reasons"]
                for other in [one for one in open_now if one[0] == key[0]]:
                    open_now[other] = 0
            case _:
                pass


@given(usual)
@settings(max_examples=50)
def test_points_are_credited_once_and_coupons_and_yearly_perks_are_used_once_a_period(story: list[Any]):
    used: Counter[tuple[str, str | None]] = Counter()
    for entry in play(story).customer.log:
        fact = entry.fact.model_dump(mode="json")
        if fact["type"] == "BenefitUsed.v1" and fact["benefit"] not in {"catalogue", "delivery", "shopper"}:
            used[fact["benefit"], fact["period"]] += 1
    assert not [key for key, times in used.items() if times > 1]


@given(usual)
@settings(max_examples=50)
def test_the_log_folds_to_the_state_and_the_state_follows_its_basis(story: list[Any]):
    customer = play(story).customer
    assert customer.rebuilt() == customer.state
    known = customer.state.benefits
    version = next((one for one in customer.programme.versions if one.number == known.basis.version), None)
    if version is None or known.basis.gone:
        assert not known.unlocked
        return
    for one in version.terms.benefits:
        missing = reading.reasons(one, known.basis, version, customer.programme)
        if one.kind == "perk" and one.every is None:
            assert (one.id in known.unlocked) == (not missing)


ARRIVALS = [enrolled("2010-03-01"), filled(*ALL, when="2010-03-01"), purchase("p1", 2100_00, "2010-03-01")]


@given(st.permutations([*ARRIVALS, *ARRIVALS[1:], tick("2010-03-01"), tick("2010-02-01")]))
@settings(max_examples=50)
def test_whatever_order_tier_and_profile_arrive_in_all_ends_the_same(order: list[Any]):
    ended = play(order)
    unlocked = Counter(
        one.fact.model_dump()["benefit"]
        for one in ended.customer.log
        if one.fact.model_dump()["type"] == "BenefitUnlocked.v1"
    )
    assert set(unlocked.values()) == {1}
    assert {one["id"]: status(ended, one["id"]) for one in BENEFITS} == {
        **dict.fromkeys(("gift", "catalogue", "delivery", "shopper", "coupon", "voucher", "massage"), "available"),
        "welcome": "used",
        "bonus": "used",
    }
    assert ended.customer.balance["available"] == 105


@given(usual, st.lists(st.sampled_from(DAYS), max_size=4))
@settings(max_examples=50)
def test_ticks_between_change_nothing_that_a_later_tick_would_not(story: list[Any], between: list[str]):
    """For records in the order of their times it ends as if each tick had come on time."""
    dated = [one for one in story if isinstance(one, dict) and one["type"] != "Tick.v1"]
    dated.sort(key=lambda one: one["occurred_at"])
    profile_first = [enrolled("2010-01-01"), filled(*ALL, when="2010-01-01")]
    ticks = [tick(day) for day in between]
    mixed = sorted([*dated, *ticks], key=lambda one: str(one.get("occurred_at", one.get("now"))))
    last = tick("2013-06-01")
    with_ticks, without = play([*profile_first, *mixed, last]), play([*profile_first, *dated, last])
    assert with_ticks.customer.state.benefits == without.customer.state.benefits
    assert with_ticks.customer.balance == without.customer.balance
