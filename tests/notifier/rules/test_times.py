"""When a message may go: once a day, not at night, and not for ever."""

import pytest

from tests.notifier.rules.world import Given, expiring, preferences, redeemed, tick, tier, unlocked

MAIL = preferences(known="email")
PUSH = preferences(known="push")


def test_one_message_of_a_template_a_day_in_the_customers_zone(given: Given) -> None:
    given(MAIL, tier("bronze", "silver", "2010-03-01T22:00:00Z"), "tier_changed/email")
    given.when(tier("silver", "gold", "2010-03-01T22:30:00Z")).then().queues().due("2010-03-01T23:00:00Z")
    given.when(tick("2010-03-01T22:59:59Z")).queues()
    given.when(tick("2010-03-01T23:00:00Z")).queues("tier_changed/email").says("tier_changed", to_tier="gold")


def test_another_template_has_a_day_of_its_own(given: Given) -> None:
    given(MAIL, tier("bronze", "silver"), "tier_changed/email")
    given.when(unlocked("alpha")).queues("benefit_unlocked/email")


def test_what_the_cap_holds_back_tells_the_state_of_the_next_day(given: Given) -> None:
    given(MAIL, tier("bronze", "silver"), "tier_changed/email", tier("silver", "gold"))
    given.when(tier("gold", "bronze")).then("withdrawn tier_changed/email merged").queues()
    given.when(tick("2010-03-02")).queues("tier_changed/email")
    given.says("tier_changed", from_tier="silver", to_tier="bronze", direction="down")


def test_what_the_cap_holds_back_is_withdrawn_when_it_equals_what_was_told_last(given: Given) -> None:
    given(MAIL, tier("bronze", "silver"), "tier_changed/email", tier("silver", "gold"))
    given.when(tier("gold", "silver")).queues().then(
        "withdrawn tier_changed/email reversed", "withdrawn tier_changed/email reversed"
    )
    given(unlocked("alpha"), "benefit_unlocked/email", unlocked("alpha", "2010-03-01T13:00:00Z"))
    given.when(tick("2010-03-02")).then("withdrawn benefit_unlocked/email unchanged").queues().due(None)


def test_benefits_that_the_cap_holds_back_are_told_together(given: Given) -> None:
    given(MAIL, unlocked("alpha"), "benefit_unlocked/email")
    given(unlocked("beta", "2010-03-01T13:00:00Z"))
    given.when(unlocked("alpha", "2010-03-01T14:00:00Z")).then("withdrawn benefit_unlocked/email merged")
    given.when(tick("2010-03-02")).says("benefit_unlocked", benefits=[{"benefit": "beta"}])


def test_points_of_two_days_are_two_messages(given: Given) -> None:
    given(MAIL, expiring(40, "2010-03-31T22:00:00Z", "2010-03-01"), "points_expiring/email")
    given(expiring(70, "2010-03-08T23:00:00Z", "2010-03-01", days=7)).queues()
    given.when(tick("2010-03-02")).queues("points_expiring/email").says("points_expiring", points=70, days=7)


def test_points_that_wait_tell_how_many_days_are_left_then(given: Given) -> None:
    given(MAIL, expiring(40, "2010-03-31T22:00:00Z", "2010-03-01"), "points_expiring/email")
    given(expiring(70, "2010-03-07T23:00:00Z", "2010-03-01", days=7))
    given.when(tick("2010-03-02")).says("points_expiring", days=6)


def test_a_second_one_does_not_overtake_the_first(given: Given) -> None:
    given(MAIL, tier("bronze", "silver")).when(tier("silver", "gold", "2010-03-01T13:00:00Z")).then()
    given.queues("tier_changed/email").says("tier_changed", to_tier="silver")
    given.when("tier_changed/email").then("sent tier_changed/email").queues().due("2010-03-01T23:00:00Z")
    given.when(tick("2010-03-01T23:00:00Z")).says("tier_changed", from_tier="silver", to_tier="gold")


def test_a_failure_does_not_use_up_the_day(given: Given) -> None:
    given(MAIL, tier("bronze", "silver"), tier("silver", "gold", "2010-03-01T13:00:00Z"))
    given.when("tier_changed/email unrenderable").then("failed tier_changed/email unrenderable")
    given.queues("tier_changed/email").says("tier_changed", to_tier="gold")


@pytest.mark.parametrize(
    ("when", "may_go"),
    [
        ("2010-03-01T19:59:59Z", None),  # 20:59:59 in Berlin
        ("2010-03-01T20:00:00Z", "2010-03-02T08:00:00Z"),
        ("2010-03-02T07:59:59Z", "2010-03-02T08:00:00Z"),
        ("2010-03-02T08:00:00Z", None),
        ("2010-03-27T21:00:00Z", "2010-03-28T07:00:00Z"),  # clocks go forward in the night
        ("2010-10-30T20:00:00Z", "2010-10-31T08:00:00Z"),  # and back
        ("2010-10-30T18:59:59Z", None),
        ("2010-10-30T19:00:00Z", "2010-10-31T08:00:00Z"),
    ],
)
def test_nothing_rings_in_quiet_hours(given: Given, when: str, may_go: str | None) -> None:
    given(PUSH).when(redeemed(50, 10, when))
    if may_go is None:
        given.queues("points_redeemed/push")
    else:
        given.queues().due(may_go).when(tick(may_go)).queues("points_redeemed/push")


def test_quiet_hours_are_the_customers(given: Given) -> None:
    given(preferences(known="push", zone="Asia/Tokyo")).when(redeemed(50, 10, "2010-03-01T12:00:00Z")).queues()
    given.due("2010-03-02T00:00:00Z")
    given.when(preferences(known="push", zone="Europe/Berlin")).queues("points_redeemed/push")


def test_mail_does_not_ring(given: Given) -> None:
    given(MAIL).when(tier("bronze", "silver", "2010-03-01T23:00:00Z")).queues("tier_changed/email")


def test_what_nobody_took_before_quiet_hours_waits_for_their_end(given: Given) -> None:
    given(PUSH, redeemed(50, 10, "2010-03-01T19:00:00Z")).queues("points_redeemed/push").due("2010-03-01T20:00:00Z")
    given.when(tick("2010-03-01T20:00:00Z")).queues().due("2010-03-02T08:00:00Z")
    given.when(tick("2010-03-02T08:00:00Z")).queues("points_redeemed/push")


def test_a_late_clock_does_not_ring_at_night(given: Given) -> None:
    given(PUSH, redeemed(50, 10, "2010-03-01T21:00:00Z")).due("2010-03-02T08:00:00Z")
    given.when(tick("2010-03-02T20:30:00Z")).queues().due("2010-03-03T08:00:00Z")


def test_redemptions_that_wait_for_the_morning_are_one_message(given: Given) -> None:
    given(PUSH, redeemed(50, 60, "2010-03-01T21:00:00Z"))
    given.when(redeemed(20, 40, "2010-03-01T22:00:00Z")).then("withdrawn points_redeemed/push merged")
    given.when(tick("2010-03-02T08:00:00Z")).says("points_redeemed", "push", points=70, available=40)


def test_a_redemption_that_joins_a_message_on_its_way_is_told_in_the_morning(given: Given) -> None:
    given(PUSH, redeemed(50, 60, "2010-03-01T19:59:00Z"))
    ((identity, taken),) = given.customer.queue.items()
    given(tick("2010-03-01T20:00:00Z"), redeemed(20, 40, "2010-03-01T20:30:00Z")).queues()
    given.entries = given.customer.decide(given.customer.outcome(identity, taken, "sent"))
    given.then("sent points_redeemed/push").queues().due("2010-03-02T08:00:00Z")
    given.when(tick("2010-03-02T08:00:00Z")).says("points_redeemed", "push", points=20, available=40)


def test_what_nobody_takes_for_two_days_is_over(given: Given) -> None:
    given(MAIL, tier("bronze", "silver", "2010-03-01T12:00:00Z")).when(tick("2010-03-03T12:00:00Z")).then()
    given.when(tick("2010-03-03T12:00:01Z")).then("suppressed tier_changed/email stale").queues().due(None)


def test_what_was_tried_for_two_days_has_failed(given: Given) -> None:
    given(MAIL, tier("bronze", "silver", "2010-03-01T12:00:00Z"), "tier_changed/email retry")
    given.when(tick("2010-03-04")).then("failed tier_changed/email gave_up").queues()


def test_benefits_of_one_moment_wait_for_the_morning_as_one_message(given: Given) -> None:
    given(PUSH).when(unlocked("alpha", "2010-03-01T21:00:00Z"), unlocked("beta", "2010-03-01T21:00:00Z")).then()
    given.when(tick("2010-03-02T08:00:00Z")).queues("benefit_unlocked/push")
    given.says("benefit_unlocked", "push", benefits=[{"benefit": "alpha"}, {"benefit": "beta"}])


def test_a_tier_that_was_told_today_is_not_told_again_tomorrow(given: Given) -> None:
    given(preferences(known="email push"), tier("bronze", "silver"), "tier_changed/email", "tier_changed/push")
    given(preferences(known="email push", off="email"), tier("silver", "bronze", "2010-03-01T13:00:00Z"))
    given(preferences(known="email push"), tier("bronze", "silver", "2010-03-01T14:00:00Z"))
    given.when(tick("2010-03-02")).then("withdrawn tier_changed/email unchanged").queues()
