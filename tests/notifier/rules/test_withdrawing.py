"""What is not sent, although it was queued: its cause is gone, or the customer does not want it any more."""

from services.notifier import views
from tests.notifier.rules.world import Given, completion, preferences, redeemed, tick, tier, unlocked

MAIL = preferences(known="email")


def test_a_tier_that_is_lost_again_is_not_told(given: Given) -> None:
    given(MAIL, tier("bronze", "silver")).when(tier("silver", "bronze", "2010-03-01T13:00:00Z")).queues().then(
        "withdrawn tier_changed/email reversed", "withdrawn tier_changed/email reversed"
    )


def test_a_tier_that_is_lost_again_in_the_night_is_not_told_in_the_morning(given: Given) -> None:
    given(preferences(known="push"), tier("bronze", "silver", "2010-03-01T19:58:00Z"))
    given(tier("silver", "gold", "2010-03-01T19:59:00Z"), tick("2010-03-01T20:00:00Z")).queues()
    given.when(tier("gold", "bronze", "2010-03-01T21:00:00Z")).queues().due(None).then(
        "withdrawn tier_changed/push merged",
        "withdrawn tier_changed/push reversed",
        "withdrawn tier_changed/push reversed",
    )


def test_a_tier_that_is_lost_in_part_is_told_from_where_the_customer_was(given: Given) -> None:
    given(MAIL, tier("bronze", "gold")).when(tier("gold", "silver", "2010-03-01T13:00:00Z")).then(
        "withdrawn tier_changed/email reversed"
    )
    given.queues("tier_changed/email").says("tier_changed", from_tier="bronze", to_tier="silver", direction="up")


def test_a_tier_that_was_told_and_is_lost_is_told_the_next_day(given: Given) -> None:
    given(MAIL, tier("bronze", "silver"), "tier_changed/email")
    given.when(tier("silver", "bronze", "2010-03-01T13:00:00Z")).then().queues()
    given.when(tick("2010-03-02")).says("tier_changed", direction="down", to_tier="bronze")


def test_what_was_on_its_way_when_it_was_withdrawn_was_sent_and_is_put_right(given: Given) -> None:
    given(MAIL, tier("bronze", "silver"))
    (identity, taken), *_ = given.customer.queue.items()
    given(tier("silver", "bronze", "2010-03-01T13:00:00Z")).queues()
    given.entries = given.customer.decide(given.customer.outcome(identity, taken, "sent"))
    given.then("sent tier_changed/email").queues().due("2010-03-01T23:00:00Z")
    given.when(tick("2010-03-02")).says("tier_changed", from_tier="silver", to_tier="bronze", direction="down")


def test_withdrawn_consent_takes_back_all_that_is_not_sent(given: Given) -> None:
    given(preferences(), tier("bronze", "silver"), redeemed(5, 5, "2010-03-01T22:00:00Z"), unlocked("alpha"))
    given.when(preferences(consent=False)).queues().due(None).then(
        "withdrawn tier_changed/email no_consent",
        "withdrawn tier_changed/push no_consent",
        "withdrawn points_redeemed/push no_consent",
        "withdrawn benefit_unlocked/email no_consent",
        "withdrawn benefit_unlocked/push no_consent",
    )


def test_a_channel_that_is_switched_off_takes_back_its_own(given: Given) -> None:
    given(preferences(), tier("bronze", "silver")).when(preferences(off="email")).queues("tier_changed/push").then(
        "withdrawn tier_changed/email channel_off"
    )


def test_an_address_that_is_gone_takes_back_its_own(given: Given) -> None:
    given(preferences(), tier("bronze", "silver")).when(preferences(known="push")).queues("tier_changed/push").then(
        "withdrawn tier_changed/email channel_unknown"
    )


def test_preferences_that_stay_change_nothing(given: Given) -> None:
    given(preferences(), tier("bronze", "silver"))
    assert given.customer.take(preferences()) == []
    assert given.customer.take(completion("email")) != []
    assert given.customer.take(completion("email")) == []


def test_a_late_word_of_an_earlier_message_counts_though_the_next_one_is_queued(given: Given) -> None:
    given(MAIL, tier("bronze", "gold"))
    (identity, taken), *_ = given.customer.queue.items()
    given(tier("gold", "silver", "2010-03-01T13:00:00Z")).queues("tier_changed/email")
    given.entries = given.customer.decide(given.customer.outcome(identity, taken, "sent"))
    given.then("sent tier_changed/email").queues("tier_changed/email")


def test_a_zone_in_which_it_is_night_takes_back_what_would_ring(given: Given) -> None:
    given(preferences(known="push"), redeemed(5, 5, "2010-03-01T08:30:00Z")).queues("points_redeemed/push")
    given.when(preferences(known="push", zone="America/New_York")).then().queues().due("2010-03-01T14:00:00Z")


def test_what_is_queued_and_stays_is_not_written_again(given: Given) -> None:
    given(preferences(), tier("bronze", "silver"))
    before = given.customer.state
    given(unlocked("alpha"), completion("email"))
    written = views.deliveries("c-1", before, given.customer.state)
    assert {(view.document or {}).get("template") for view in written} == {"benefit_unlocked"}
