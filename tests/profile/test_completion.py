"""Completion and the checklist: a field is required when a benefit of the version in force names it."""

from collections.abc import Callable

import pytest

from tests.profile.world import (
    NEEDS,
    WHOLE,
    Given,
    at,
    changed,
    completed,
    crm,
    edit,
    event,
    preferred,
    terms,
    tick,
)

Under = Callable[..., Given]


def test_a_customer_is_enrolled_by_the_crm_with_all_that_others_need_to_know(given: Given) -> None:
    given.when(crm("2010-12-01", {"email": "anna@example.org"})).then(
        event("CustomerEnrolled", via="crm", occurred_at=at("2010-12-01"), programme=None),
        preferred(locale="en", time_zone="Europe/Berlin", reminders=False),
        completed(25, "phone", "birthday", "address", filled=["email"], programme=1),
    )
    assert {entry.cause.id for entry in given.entries} == {"2010-12-01T12:00:00Z"}


def test_the_default_programme_goes_0_25_50_75_100(given: Given) -> None:
    given.when(crm("2010-12-01")).shows(percent=0, complete=False)
    for number, (field, value) in enumerate(WHOLE.items(), 1):
        given.when(edit(f"2011-02-0{number}", {field: value})).told(200, percent=25 * number, complete=number == 4)


def test_the_checklist_lists_each_missing_field_with_the_benefits_that_name_it(given: Given) -> None:
    given(crm("2010-12-01", {"phone": "+49 30 123456"})).shows(
        percent=25,
        fields={"email": None, "phone": "+4930123456", "birthday": None, "address": None},
        missing=[
            {
                "field": "email",
                "unlocks": ["welcome_points", "birthday_gift"],
                "label": {"en": "The email", "de": "Das email", "ru": "Это email"},
                "kind": "email",
            },
            {
                "field": "birthday",
                "unlocks": ["birthday_gift"],
                "label": {"en": "The birthday", "de": "Das birthday", "ru": "Это birthday"},
                "kind": "date",
            },
            {
                "field": "address",
                "unlocks": ["catalogue"],
                "label": {"en": "The address", "de": "Das address", "ru": "Это address"},
                "kind": "text",
            },
        ],
    )


@pytest.mark.parametrize(
    ("needs", "percent"),
    [
        ({}, 100),
        ({"a": ["email"]}, 100),
        ({"a": ["email", "phone", "birthday"]}, 33),
        ({"a": ["phone", "birthday"], "b": ["email"]}, 33),
        ({"a": ["phone"], "b": ["phone"]}, 0),
    ],
)
def test_completion_is_floored_over_the_required_fields_alone(
    under: Under, needs: dict[str, list[str]], percent: int
) -> None:
    given = under(needs=needs)
    given(crm("2010-12-01", {"email": "anna@example.org"})).shows(percent=percent, complete=percent == 100)


def test_a_filled_field_that_no_benefit_names_is_told_without_a_change_of_percent(under: Under) -> None:
    given = under(needs={"a": ["email"]})
    given(crm("2010-12-01")).when(edit(fields={"address": "x"})).then(
        changed("fields.address"), event("CompletionChanged", percent=0, filled=["address"])
    )


def test_clearing_a_required_field_takes_completion_back(given: Given) -> None:
    given(crm("2010-12-01", WHOLE)).when(crm("2010-12-02", {"phone": None})).then(
        changed("fields.phone"),
        preferred(channels={"sms": {"known": False, "on": False}}),
        completed(75, "phone", filled=["email", "birthday", "address"]),
    )


def test_another_value_of_a_filled_field_changes_no_completion(given: Given) -> None:
    given(crm("2010-12-01", WHOLE)).when(edit(fields={"phone": "+4930999999"})).then(changed("fields.phone"))


def test_a_new_version_recomputes_completion_on_the_tick_at_its_first_instant(under: Under) -> None:
    less = terms(2, "2011-01-01", needs={"a": ["email"]})
    given = under(terms(), less)
    given(crm("2010-12-01", {"email": "anna@example.org"})).shows(percent=25)
    given.when(tick("2010-12-31T22:59:59Z")).then()
    given.when(tick("2011-01-05")).then(
        event(
            "CompletionChanged",
            percent=100,
            missing=[],
            occurred_at=at("2010-12-31T23:00:00Z"),
            cause=("Programme", "2"),
            programme=2,
        )
    )
    given.when(tick("2011-01-06")).then()


def test_a_version_published_after_its_day_counts_from_the_next_tick(given: Given, under: Under) -> None:
    given(crm("2011-01-15", {"email": "anna@example.org"}))
    late = under(terms(), terms(2, "2011-01-01", needs={"a": ["email"]})).customer.programme
    given.customer.programme = late
    given.when(tick("2011-02-02")).then(
        event("CompletionChanged", percent=100, occurred_at=at("2011-02-02"), cause=("Programme", "2"))
    )


def test_versions_that_come_and_go_are_told_one_by_one_before_the_record(under: Under) -> None:
    given = under(terms(), terms(2, "2011-01-01", needs={}), terms(3, "2011-03-01"))
    given(crm("2010-12-01")).when(crm("2011-06-01", {"email": "anna@example.org"})).then(
        event("CompletionChanged", percent=100, programme=2),
        event("CompletionChanged", percent=0, programme=3, occurred_at=at("2011-02-28T23:00:00Z")),
        changed("fields.email"),
        preferred(),
        event("CompletionChanged", percent=25, programme=3, occurred_at=at("2011-06-01")),
    )


def test_another_benefit_for_a_missing_field_is_a_change_too(under: Under) -> None:
    given = under(terms(), terms(2, "2011-01-01", needs=NEEDS | {"newsletter": ["email"]}))
    given(crm("2010-12-01")).when(tick("2011-01-01")).then(event("CompletionChanged", percent=0, programme=2))
    assert given.customer.profile()["missing"][0]["unlocks"] == ["welcome_points", "birthday_gift", "newsletter"]


def test_a_field_that_left_the_programme_is_shown_no_more_and_kept(under: Under) -> None:
    given = under(terms(), terms(2, "2011-01-01", fields={"email": "email"}, needs={}))
    given(crm("2010-12-01", WHOLE), tick("2011-01-02"))
    assert given.customer.profile()["fields"] == {"email": "anna@example.org"}
