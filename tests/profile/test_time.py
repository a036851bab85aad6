"""Time: a customer's now, and birthdays, which come on their day without the date."""

from collections.abc import Callable
from datetime import timedelta

from hypothesis import HealthCheck, settings
from hypothesis import given as whatever
from hypothesis import strategies as st

from services.profile import rules
from services.profile.birthdays import anniversary
from tests.profile.world import (
    CUSTOMER,
    SEALER,
    Customer,
    Given,
    at,
    changed,
    crm,
    edit,
    event,
    message_of,
    notified,
    programme_of,
    terms,
    tick,
)

Under = Callable[..., Given]


def came(year: int, **fields: object) -> dict[str, object]:
    return event("BirthdayCame", year=year) | fields


def test_now_is_the_later_of_the_last_tick_and_the_newest_crm_record_and_never_goes_back(given: Given) -> None:
    state, record = rules.initial(CUSTOMER), message_of(crm("2010-12-01"))
    assert rules.now(state, record, None) == at("2010-12-01")
    assert rules.now(state, record, at("2011-01-01")) == at("2011-01-01")
    assert rules.now(state, notified(when="2010-12-05"), None) == at("2010-12-05")
    assert rules.now(state, edit("2011-02-01"), None) == at("2011-02-01")
    state = given(crm("2010-12-10")).customer.state
    assert rules.now(state, record, None) == at("2010-12-10")
    assert rules.now(state, record, at("2010-12-24")) == at("2010-12-24")
    assert rules.now(state, edit("2011-02-01"), None) == at("2010-12-10")
    assert rules.now(state, notified(when="2011-02-01"), at("2010-12-24")) == at("2010-12-24")
    assert rules.now(state, message_of(tick("2010-12-01")), None) == at("2010-12-10")


def test_a_birthday_is_announced_on_its_day_with_the_year_alone(given: Given) -> None:
    given(crm("2010-12-01", {"birthday": "1980-03-17"}))
    given.when(tick("2011-03-16T22:59:59Z")).then()
    given.when(tick("2011-03-16T23:00:00Z")).then(
        came(2011, occurred_at=at("2011-03-16T23:00:00Z"), cause=("Clock", "2011-03-16T23:00:00Z"), programme=None)
    )
    assert given.entries[0].fact.model_dump() == {"type": "BirthdayCame.v1", "year": 2011}
    given.when(tick("2011-03-17T12:00:00Z"), tick("2011-12-31")).then()
    given.when(tick("2012-03-17")).then(came(2012))


def test_a_year_of_ticks_at_once_announces_each_birthday_in_its_time(given: Given) -> None:
    given(crm("2010-12-01", {"birthday": "1980-03-17"}))
    given.when(tick("2013-06-01")).then(
        *(came(year, occurred_at=at(f"{year}-03-16T23:00:00Z")) for year in (2011, 2012, 2013))
    )


def test_a_record_first_settles_the_birthday_before_it(given: Given) -> None:
    given(crm("2010-12-01", {"birthday": "1980-03-17"}))
    given.when(crm("2011-04-01", {"birthday": "1980-03-18"})).then(came(2011), changed("fields.birthday"))


def test_29_february_is_28_february_in_a_common_year(given: Given) -> None:
    given(crm("2010-12-01", {"birthday": "1980-02-29"}))
    given.when(tick("2011-02-27T22:59:59Z")).then()
    given.when(tick("2011-02-27T23:00:00Z")).then(came(2011))
    given.when(tick("2012-02-28T22:59:59Z")).then()
    given.when(tick("2012-02-28T23:00:00Z")).then(came(2012))


def test_a_birthday_that_becomes_known_on_its_day_is_announced_and_later_is_not(given: Given, under: Under) -> None:
    given(crm("2011-03-16T22:30:00Z")).when(crm("2011-03-17", {"birthday": "1980-03-17"})).then(
        changed("fields.birthday"), event("CompletionChanged"), came(2011, occurred_at=at("2011-03-17"))
    )
    given.when(tick("2011-03-18"), tick("2012-01-01")).then()
    other = under()
    other(crm("2011-03-18", {"birthday": "1980-03-17"})).when(tick("2011-12-31")).then()


def test_only_one_birthday_is_announced_a_year_however_often_it_is_changed(given: Given) -> None:
    given(crm("2010-12-01", {"birthday": "1980-03-17"}), tick("2011-03-17"))
    for day in ("2011-03-18", "2011-05-01", "2011-12-31"):
        given.when(tick(day), edit(day, {"birthday": f"1980-{day[5:]}"}))
        assert not any(entry.fact.model_dump()["type"] == "BirthdayCame.v1" for entry in given.entries)
    given.when(tick("2012-12-31")).then(came(2012))


def test_nobody_is_celebrated_on_the_day_of_their_birth(given: Given) -> None:
    given.when(crm("2011-03-17", {"birthday": "2011-03-17"}))
    assert came(2011) not in [entry.fact.model_dump() for entry in given.entries]
    given.when(tick("2012-03-16")).then()
    given.when(tick("2012-03-17")).then(came(2012))


def test_a_cleared_birthday_is_not_announced(given: Given) -> None:
    given(crm("2010-12-01", {"birthday": "1980-03-17"}), edit(fields={"birthday": None})).when(
        tick("2011-03-17")
    ).then()
    assert rules.due_at(given.customer.state, given.customer.programme) is None


def test_the_timer_tells_the_month_and_in_it_every_day(given: Given) -> None:
    given(crm("2010-12-01", {"birthday": "1980-03-17"}))
    due = []
    for _ in range(20):
        due.append(rules.due_at(given.customer.state, given.customer.programme))
        given.when(tick(due[-1].isoformat()))
    assert due[0] == at("2011-02-28T23:00:00Z")
    assert due[1:17] == [due[0] + timedelta(days=day) for day in range(1, 17)]
    assert due[17] == at("2012-02-29T23:00:00Z")


def test_a_field_named_birthday_of_another_kind_is_no_birthday(under: Under) -> None:
    given = under(fields={"birthday": "text"}, needs={})
    given(crm("2010-12-01", {"birthday": "in spring"})).when(tick("2012-01-01")).then()


days = st.dates(at("1920-01-01").date(), at("2009-12-31").date())


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@whatever(born=days, steps=st.lists(st.integers(1, 500), min_size=1, max_size=12))
def test_however_ticks_come_each_birthday_is_announced_once(born: object, steps: list[int]) -> None:
    customer, now = Customer(programme_of(terms())), at("2010-01-01")
    customer.take(crm("2010-01-01", {"birthday": str(born)}))
    for step in steps:
        now += timedelta(days=step)
        customer.take({"type": "Tick.v1", "now": now.isoformat()})
    announced = [
        (entry.fact.year, entry.occurred_at)  # type: ignore[union-attr]
        for entry in customer.log
        if entry.fact.model_dump()["type"] == "BirthdayCame.v1"
    ]
    starts = {year: customer.programme.calendar.start_of_day(anniversary(born, year)) for year in range(2010, 2030)}  # type: ignore[arg-type]
    first = [] if starts[2010] > at("2010-01-01") or (born.month, born.day) != (1, 1) else [2010]  # type: ignore[attr-defined]
    expected = [year for year, start in starts.items() if at("2010-01-01") < start <= now or year in first]
    assert [year for year, _ in announced] == expected
    assert customer.rebuilt() == customer.state
    assert SEALER.seal("fields.birthday", str(born)) == customer.state.box("fields.birthday")
