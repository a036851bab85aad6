"""Reminders of an incomplete profile: every seven days at ten in the customer's zone, until nothing is missing."""

from tests.notifier.rules.world import Given, completion, preferences, tick

WANTED = preferences("2010-03-01", known="email", reminders=True)


def test_a_reminder_comes_every_week_at_ten(given: Given) -> None:
    given(WANTED, completion("phone", when="2010-03-01")).due("2010-03-08T09:00:00Z")
    given.when(tick("2010-03-08T08:59:59Z")).queues()
    given.when(tick("2010-03-08T09:00:00Z")).queues("profile_reminder/email").says(
        "profile_reminder", percent=50, missing=[{"field": "phone", "unlocks": ["alpha"]}]
    )
    given("profile_reminder/email").due("2010-03-15T09:00:00Z")


def test_ten_is_ten_on_the_customers_clock_across_its_changes(given: Given) -> None:
    given(WANTED, completion("phone", when="2010-03-15T12:00:00Z"))
    given(tick("2010-03-22T09:00:00Z"), "profile_reminder/email").due("2010-03-29T08:00:00Z")
    given.when(tick("2010-03-29T08:00:00Z")).queues("profile_reminder/email")


def test_who_travels_to_where_ten_is_over_is_reminded_at_once(given: Given) -> None:
    given(preferences("2010-03-01", known="email", reminders=True, zone="America/New_York"))
    given(completion("phone", when="2010-03-01"), tick("2010-03-08T12:00:00Z")).queues().due("2010-03-08T15:00:00Z")
    given.when(preferences("2010-03-08", known="email", reminders=True)).queues("profile_reminder/email")
    given.due("2010-03-10T12:00:00.000001Z")


def test_missed_reminders_are_sent_once_and_not_made_up(given: Given) -> None:
    given(WANTED, completion("phone", when="2010-03-01"))
    given.when(tick("2010-05-01")).queues("profile_reminder/email").then()
    given("profile_reminder/email").due("2010-05-03T08:00:00Z")


def test_reminders_run_from_when_they_are_switched_on(given: Given) -> None:
    given(preferences("2010-03-01"), completion("phone", when="2010-03-01")).due(None)
    given(tick("2010-03-03")).when(preferences(reminders=True)).due("2010-03-10T09:00:00Z")


def test_they_stop_at_once_when_switched_off(given: Given) -> None:
    given(WANTED, completion("phone"), tick("2010-03-08T09:00:00Z"))
    given.when(preferences(known="email", reminders=False)).queues().due(None).then(
        "withdrawn profile_reminder/email switched_off"
    )


def test_they_stop_at_once_when_the_profile_is_complete(given: Given) -> None:
    given(WANTED, completion("phone"), tick("2010-03-08T09:00:00Z"))
    given.when(completion()).then("withdrawn profile_reminder/email complete").queues().due(None)


def test_one_that_is_not_sent_yet_tells_what_is_missing_now(given: Given) -> None:
    given(WANTED, completion("email", "phone"), tick("2010-03-08T09:00:00Z"))
    given.when(completion("phone")).then().says("profile_reminder", missing=[{"field": "phone", "unlocks": ["alpha"]}])


def test_without_consent_or_mail_none_is_due(given: Given) -> None:
    given(WANTED, completion("phone")).when(preferences(reminders=True, consent=False)).due(None)
    given.when(preferences(reminders=True, off="email")).due(None)
    given.when(preferences(reminders=True, known="push")).due(None)


def test_two_services_in_any_order_are_the_same(given: Given) -> None:
    given(completion("phone", when="2010-03-01"), WANTED).due("2010-03-08T09:00:00Z")
