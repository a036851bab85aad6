"""CRM records and the customer's edits in one stream: the later time wins per field, a tie goes to the customer."""

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import given as whatever
from hypothesis import strategies as st

from services.profile.state import HISTORY
from shared.rulebook.refused import Refused
from tests.profile.world import (
    EMAIL,
    WHOLE,
    Customer,
    Given,
    Message,
    at,
    changed,
    consent,
    crm,
    edit,
    event,
    preferred,
    programme_of,
    terms,
    tick,
)


def test_the_later_time_wins_per_field(given: Given) -> None:
    given(crm("2010-12-01", {"email": "a@example.org", "phone": "+4930111111"}))
    given(edit("2011-02-01", {"email": "b@example.org"}), crm("2011-01-01", {"email": "c@example.org", "address": "x"}))
    given.shows(fields={"email": "b@example.org", "phone": "+4930111111", "address": "x"})
    given(crm("2011-03-01", {"email": "d@example.org"})).shows(fields={"email": "d@example.org", "address": "x"})


@pytest.mark.parametrize("edit_first", [True, False])
def test_a_tie_goes_to_the_customer(given: Given, edit_first: bool) -> None:
    both = [edit("2011-02-01", {"email": "mine@example.org"}), crm("2011-02-01", {"email": "theirs@example.org"})]
    given(crm("2010-12-01"), *(both if edit_first else reversed(both))).shows(fields={"email": "mine@example.org"})


def test_absent_leaves_and_null_clears(given: Given) -> None:
    given(crm("2010-12-01", WHOLE, name="Anna", locale="de", time_zone="Europe/Vienna"))
    given.when(crm("2010-12-02", {"email": None}, name=None)).shows(
        fields=WHOLE | {"email": None}, name=None, locale="de", time_zone="Europe/Vienna"
    )
    given(edit(fields={"phone": None}, locale=None, time_zone=None)).shows(
        fields=WHOLE | {"email": None, "phone": None}, locale="en", time_zone="Europe/Berlin"
    )


def test_an_older_value_does_not_revive_what_was_cleared(given: Given) -> None:
    given(crm("2010-12-05", {"email": None}), crm("2010-12-01", {"email": EMAIL})).shows(fields={"email": None})


def test_a_late_record_of_the_crm_still_says_what_nobody_said_later(given: Given) -> None:
    given(crm("2011-03-01", {"email": EMAIL})).when(
        crm("2010-12-01", {"email": "old@example.org", "address": "x"})
    ).then(
        changed("fields.address") | {"occurred_at": at("2010-12-01")},
        event("CompletionChanged", percent=50),
    )


def test_the_same_record_again_leads_to_nothing(given: Given) -> None:
    record = crm("2010-12-01", WHOLE, name="Anna", consents={"marketing": {"granted": True, "text": "1"}})
    given(record).when(record).then()
    assert given.entries == []
    given(request := edit(fields={"email": "b@example.org"})).when(request).then()
    assert given.entries == []


def test_the_same_values_at_a_later_time_show_nowhere_and_are_remembered(given: Given) -> None:
    given(crm("2010-12-01", {"email": EMAIL})).when(crm("2011-03-01", {"email": EMAIL})).then()
    given(edit("2011-02-01", {"email": "b@example.org"})).shows(fields={"email": EMAIL})


def test_a_record_that_names_nothing_moves_the_customers_now(given: Given) -> None:
    given(crm("2010-12-01")).when(crm("2011-03-01")).then()
    given.when(edit(fields={"email": EMAIL}))
    assert given.entries[0].occurred_at == at("2011-03-01")
    given.when(crm("2011-03-01"), crm("2011-02-01"))
    assert given.entries == []


def test_commands_happen_at_now_whatever_the_api_stamps_on_them(given: Given) -> None:
    given(crm("2010-12-01"), tick("2011-01-05")).when(edit("2026-11-23", {"email": EMAIL}))
    assert {entry.occurred_at for entry in given.entries} == {at("2011-01-05")}
    assert given.entries[0].cause.type == "EditProfile.v1"


def test_a_record_from_before_the_programme_is_refused(given: Given) -> None:
    with pytest.raises(Refused, match="occurred_at"):
        given(crm("2004-12-31", WHOLE))


def test_only_the_crm_enrols(given: Given) -> None:
    given.when(edit(fields={"email": EMAIL})).then().told(404, type="not-found")
    assert given.entries == []


def test_consents_are_kept_by_purpose_with_text_and_time(given: Given) -> None:
    granted = {"granted": True, "text": "2010-1", "at": "2010-11-30T00:00:00Z"}
    given.when(crm("2010-12-01", consents={"programme": granted})).then(
        event("CustomerEnrolled"),
        preferred(consents={"programme": True, "marketing": False}),
        event("CompletionChanged"),
    )
    given.shows(consents={"programme": granted, "marketing": {"granted": False, "text": None, "at": None}})


def test_a_consents_time_is_the_records_where_it_is_absent(given: Given) -> None:
    given(crm("2010-12-01", consents={"profiling": {"granted": True, "text": "1"}}))
    given.shows(consents={"profiling": {"granted": True, "text": "1", "at": "2010-12-01T12:00:00Z"}})


def test_of_consents_the_later_time_wins_and_a_tie_goes_to_withdrawal(given: Given) -> None:
    def said(granted: bool, when: str) -> dict[str, Any]:
        return crm("2011-03-01", consents={"marketing": {"granted": granted, "text": "1", "at": at(when).isoformat()}})

    given(crm("2010-12-01"), said(True, "2011-02-01"), said(False, "2011-01-01")).shows(
        consents={"marketing": {"granted": True}}
    )
    given(said(False, "2011-02-01"), said(True, "2011-02-01")).shows(consents={"marketing": {"granted": False}})
    given(consent("marketing", True, when="2011-02-01")).shows(consents={"marketing": {"granted": False}})
    given.when(consent("marketing", True, when="2011-02-02")).then(
        changed("consents.marketing"), preferred(consents={"marketing": True})
    )


def test_a_null_consent_is_a_withdrawal(given: Given) -> None:
    given(crm("2010-12-01", consents={"marketing": {"granted": True, "text": "1"}}))
    given(crm("2010-12-02", consents={"marketing": None})).shows(consents={"marketing": {"granted": False}})


def test_consents_keep_their_history_in_order_of_time(given: Given) -> None:
    given(crm("2010-12-01", consents={"marketing": {"granted": True, "text": "1"}}))
    given(consent("marketing", False, None, "2011-02-01"))
    given.when(crm("2011-03-01", consents={"marketing": {"granted": True, "text": "0", "at": "2010-11-01T00:00:00Z"}}))
    given.then()
    history = given.customer.state.consents["marketing"]
    assert [(one.granted, one.text, one.own) for one in history] == [
        (True, "0", False),
        (True, "1", False),
        (False, None, True),
    ]


def test_the_state_keeps_the_newest_consents_and_the_log_all(given: Given) -> None:
    given(crm("2010-12-01"))
    days = [f"2011-{month:02}-{day:02}" for month in range(1, 4) for day in range(1, 29)]
    for number, day in enumerate(days):
        given(consent("marketing", number % 2 == 0, f"t-{number}", day))
    history = given.customer.state.consents["marketing"]
    assert [one.text for one in history] == [f"t-{number}" for number in range(len(days) - HISTORY, len(days))]
    given.when(consent("marketing", True, "t-0", days[0]))
    assert given.entries == []


# Few times and few values: where the rules meet each other.
moments = st.sampled_from([f"2011-0{month}-01" for month in range(1, 5)])
texts = {
    "email": st.sampled_from([None, "a@example.org", "b@example.org", "nonsense"]),
    "phone": st.sampled_from([None, "+4930111111", "+49 30 222222", "12"]),
    "birthday": st.sampled_from([None, "1980-02-29", "1990-07-01", "2150-01-01"]),
    "colour": st.sampled_from([None, "blue"]),
}
fields = st.fixed_dictionaries({}, optional=texts)
parts = st.fixed_dictionaries(
    {}, optional={"name": st.sampled_from([None, "Anna", "Berta"]), "locale": st.sampled_from([None, "de", "ru", "x"])}
)
said = st.fixed_dictionaries(
    {"granted": st.booleans(), "text": st.sampled_from(["1", "2"])},
    optional={"at": st.sampled_from(["2010-12-01T00:00:00Z", "2011-02-01T12:00:00Z", "2012-01-01T00:00:00Z"])},
)
consents = st.dictionaries(st.sampled_from(["programme", "marketing"]), said | st.none(), max_size=2)
records = st.builds(lambda when, f, p, c: crm(when, f, **p, consents=c), moments, fields, parts, consents)
edits = st.builds(lambda when, f, p: edit(when, f, **p), moments, fields, parts)
choices = st.builds(consent, st.sampled_from(["programme", "marketing"]), st.booleans(), st.just("1"), moments)


def ends(arrivals: list[Message]) -> Customer:
    """A customer known since 2010 after those, the refused among them passed over."""
    customer = Customer(programme_of(terms()))
    customer.take(crm("2010-06-01"))
    for raw in arrivals:
        try:
            customer.take(raw)
        except Refused:
            continue
    return customer


def shown(customer: Customer) -> dict[str, Any]:
    return customer.profile() | {"version": None}


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@whatever(pile=st.lists(records | edits | choices, max_size=7), data=st.data())
def test_any_order_and_multiplicity_ends_in_the_same_profile(pile: list[Message], data: Any) -> None:
    again = data.draw(st.lists(st.sampled_from(pile), max_size=4)) if pile else []
    one, other = ends(pile), ends(data.draw(st.permutations(pile + again)))
    assert shown(one) == shown(other)
    for field in ("kept", "consents", "said", "clock", "birth_month"):
        assert getattr(one.state, field) == getattr(other.state, field)
    assert other.rebuilt() == other.state

    # All of them once more lead to nothing but the same refusals.
    before = len(other.log)
    for raw in pile:
        try:
            assert other.take(raw) == []
        except Refused:
            continue
    assert len(other.log) == before


@settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow])
@whatever(pile=st.lists(records | edits | choices, max_size=7))
def test_events_tell_the_state_that_is_shown(pile: list[Message]) -> None:
    customer = ends(pile)
    latest = {one.fact.model_dump()["type"]: one.fact.model_dump(mode="json") for one in customer.log}
    profile = customer.profile()
    completion, preferences = latest["CompletionChanged.v1"], latest["PreferencesChanged.v1"]
    assert (completion["percent"], completion["complete"]) == (profile["percent"], profile["complete"])
    assert completion["filled"] == [name for name, value in profile["fields"].items() if value is not None]
    for name in ("locale", "time_zone", "channels", "reminders"):
        assert preferences[name] == profile[name]
    assert preferences["consents"] == {name: one["granted"] for name, one in profile["consents"].items()}
    assert profile["version"] == sum(entry.public for entry in customer.log)


@settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow])
@whatever(pile=st.lists(records | edits | choices, max_size=7))
def test_no_event_repeats_what_was_said(pile: list[Message]) -> None:
    customer = ends(pile)
    for kind in ("CompletionChanged.v1", "PreferencesChanged.v1"):
        said = [one.fact for one in customer.log if one.fact.model_dump()["type"] == kind]
        assert all(one != other for one, other in pairwise(said))
