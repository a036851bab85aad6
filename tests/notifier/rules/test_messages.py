"""Which message comes up for what, in which channel, and why not."""

from tests.notifier.rules.world import (
    Given,
    completion,
    erased,
    erasure,
    expiring,
    locked,
    preferences,
    redeemed,
    tick,
    tier,
    unlocked,
)


def test_another_tier_is_told_by_mail_and_push(given: Given) -> None:
    given(preferences()).when(tier("bronze", "silver")).then().queues("tier_changed/email", "tier_changed/push")
    given.says("tier_changed", from_tier="bronze", to_tier="silver", direction="up", complete=False)
    given.when("tier_changed/email").then("sent tier_changed/email").queues("tier_changed/push")
    given.when("tier_changed/push").then("sent tier_changed/push").queues()


def test_what_a_customer_has_not_given_is_no_channel(given: Given) -> None:
    given(preferences(known="email")).when(tier("bronze", "silver")).then().queues("tier_changed/email")


def test_without_consent_nothing_comes_up(given: Given) -> None:
    given(preferences(consent=False)).when(tier("bronze", "silver")).queues().then(
        "suppressed tier_changed/email no_consent", "suppressed tier_changed/push no_consent"
    )


def test_a_channel_that_is_off_is_not_used(given: Given) -> None:
    given(preferences(off="email")).when(tier("bronze", "silver")).queues("tier_changed/push").then(
        "suppressed tier_changed/email channel_off"
    )


def test_who_cannot_be_reached_at_all_is_accounted_for_once(given: Given) -> None:
    given(preferences(known="telegram")).when(tier("bronze", "silver")).queues().then(
        "suppressed tier_changed/email channel_unknown"
    )


def test_a_message_waits_for_preferences_that_come_late(given: Given) -> None:
    given.when(tier("bronze", "silver")).then().queues()
    given.when(preferences("2010-03-01")).then().queues("tier_changed/email", "tier_changed/push")


def test_preferences_that_come_late_may_say_no(given: Given) -> None:
    given(tier("bronze", "silver")).when(preferences("2010-03-01", consent=False)).queues().then(
        "suppressed tier_changed/email no_consent", "suppressed tier_changed/push no_consent"
    )


def test_preferences_that_never_come_are_waited_for_for_two_days(given: Given) -> None:
    given(tier("bronze", "silver", "2010-03-01T12:00:00Z")).due("2010-03-03T12:00:00.000001Z")
    given.when(tick("2010-03-03T12:00:00Z")).then()
    given.when(tick("2010-03-03T12:01:00Z")).then("suppressed tier_changed/email stale").due(None)


def test_a_cause_older_than_two_days_before_the_clock_is_stale(given: Given) -> None:
    given(preferences(known="email"), tick("2010-03-10"))
    given.when(tier("bronze", "silver", "2010-03-08T12:00:00Z")).then().queues("tier_changed/email")
    given("tier_changed/email", tick("2010-03-20"))
    given.when(tier("silver", "gold", "2010-03-18T11:59:59Z")).then("suppressed tier_changed/email stale").queues()


def test_history_mails_nobody_of_whom_profile_knows_nothing(given: Given) -> None:
    given(tick("2026-01-01"))
    given.when(tier("bronze", "silver", "2010-03-01")).then("suppressed tier_changed/email stale")
    given.when(unlocked("alpha", "2010-03-01")).then("suppressed benefit_unlocked/email stale").due(None)


def test_benefits_of_one_moment_are_one_message_in_the_programmes_order(given: Given) -> None:
    given(preferences(known="email"))
    given.when(unlocked("beta"), unlocked("alpha")).then().queues("benefit_unlocked/email")
    given.says("benefit_unlocked", benefits=[{"benefit": "alpha"}, {"benefit": "beta"}])
    given.when("benefit_unlocked/email").then("sent benefit_unlocked/email")


def test_benefits_that_come_while_the_message_is_on_its_way_are_told_the_next_day(given: Given) -> None:
    given(preferences(known="email"), unlocked("alpha"))
    (identity, taken), *_ = given.customer.queue.items()
    given(unlocked("beta"))
    given.entries = given.customer.decide(given.customer.outcome(identity, taken, "sent"))
    given.then("sent benefit_unlocked/email").queues().due("2010-03-01T23:00:00Z")
    given.when(tick("2010-03-01T23:00:00Z")).queues("benefit_unlocked/email")
    given.says("benefit_unlocked", benefits=[{"benefit": "beta"}])


def test_a_benefit_that_is_locked_again_is_not_told(given: Given) -> None:
    given(preferences(known="email"), unlocked("alpha"), unlocked("beta"))
    given.when(locked("alpha")).then().says("benefit_unlocked", benefits=[{"benefit": "beta"}])
    given.when(locked("beta")).then("withdrawn benefit_unlocked/email reversed").queues()


def test_the_sender_waits_a_moment_for_the_benefits_of_one_moment(given: Given) -> None:
    given(preferences(known="email"), unlocked("alpha", "2010-03-01T12:00:00Z"))
    (document,) = given.customer.queue.values()
    assert document["due"].isoformat() == "2010-03-01T12:00:02+00:00"


def test_points_that_expire_are_told_by_mail(given: Given) -> None:
    given(preferences()).when(expiring(40, "2010-03-31", "2010-03-01")).then().queues("points_expiring/email")
    given.says("points_expiring", points=40, days=30)


def test_points_that_are_spent_cannot_expire(given: Given) -> None:
    given(preferences(known="email"), expiring(40, "2010-03-31", "2010-03-01"))
    given.when(redeemed(10, 30)).says("points_expiring", points=30)
    given.when(redeemed(30, 0)).queues().then(
        "withdrawn points_expiring/email reversed", "suppressed points_redeemed/push channel_unknown"
    )


def test_points_paid_with_are_told_by_push(given: Given) -> None:
    given(preferences()).when(redeemed(50, 10)).then().queues("points_redeemed/push")
    given.says("points_redeemed", "push", points=50, available=10)


def test_the_receipt_needs_no_consent_and_all_else_is_withdrawn(given: Given) -> None:
    given(preferences("2010-06-01", consent=True), tier("bronze", "silver", "2010-06-01"))
    given(preferences("2010-06-01", consent=False)).queues()
    given.when(erasure()).then().queues("erasure_receipt/email").says("erasure_receipt", receipt_id="r-1")


def test_what_waits_when_somebody_leaves_is_withdrawn(given: Given) -> None:
    given(preferences("2010-06-01", known="email"), tier("bronze", "silver", "2010-06-01"))
    given.when(erasure()).then("withdrawn tier_changed/email erasure").queues("erasure_receipt/email")
    given.when(tier("silver", "gold", "2010-06-01"), preferences("2010-06-01"), completion("email")).then()
    given.when("erasure_receipt/email").then("sent erasure_receipt/email")
    given.when(erased()).then().due(None)
    assert given.customer.state.preferences is None


def test_a_receipt_that_can_reach_nobody_fails_at_once(given: Given) -> None:
    given(preferences(known="push")).when(erasure()).then("failed erasure_receipt/email no_address")
    given(erased()).when(tier("bronze", "silver")).then()


def test_a_receipt_that_is_not_sent_when_the_key_goes_has_failed(given: Given) -> None:
    given(preferences("2010-06-01"), erasure()).when(erased()).then("failed erasure_receipt/email erased").queues()
