"""What the sender's reports lead to: sent, tried again, given up, an address that is no good."""

from tests.notifier.rules.world import Customer, Given, preferences, redeemed, tick, tier, unlocked

MAIL = preferences(known="email")


def queued(customer: Customer) -> dict[str, object]:
    (document,) = customer.queue.values()
    return document


def test_a_temporary_failure_is_tried_again_after_pauses_that_grow(given: Given) -> None:
    given(MAIL, tier("bronze", "silver", "2010-03-01T12:00:00Z"))
    pauses = []
    for attempt in range(1, 11):
        before = given.customer.now
        assert before is not None
        given.when("tier_changed/email retry").then().queues("tier_changed/email")
        document = queued(given.customer)
        assert document["attempt"] == attempt + 1
        pauses.append(document["due"] - before)  # type: ignore[operator]
    assert pauses == sorted(pauses)
    given.when("tier_changed/email retry").then("failed tier_changed/email gave_up").queues()


def test_a_report_of_an_earlier_attempt_changes_nothing_unless_it_was_sent(given: Given) -> None:
    given(MAIL, tier("bronze", "silver"))
    (identity, first), *_ = given.customer.queue.items()
    given("tier_changed/email retry")
    assert given.customer.decide(given.customer.outcome(identity, first, "retry")) == []
    assert given.customer.decide(given.customer.outcome(identity, first, "rejected")) == []
    given.entries = given.customer.decide(given.customer.outcome(identity, first, "sent"))
    given.then("sent tier_changed/email").queues()
    assert given.customer.decide(given.customer.outcome(identity, first, "sent")) == []


def test_a_retry_that_would_fall_into_quiet_hours_waits_for_their_end(given: Given) -> None:
    given(preferences(known="push"), redeemed(5, 5, "2010-03-01T19:59:30Z"))
    given.when("points_redeemed/push retry").queues().due("2010-03-02T08:00:00Z")
    given.when(tick("2010-03-02T08:00:00Z")).queues("points_redeemed/push")
    assert queued(given.customer)["attempt"] == 2


def test_an_address_that_is_rejected_is_not_used_again(given: Given) -> None:
    given(MAIL, tier("bronze", "silver")).when("tier_changed/email rejected").then("failed tier_changed/email rejected")
    given(unlocked("alpha"))
    assert queued(given.customer)["avoid"] == "ref-1"
    given.when("benefit_unlocked/email bad_address").then("suppressed benefit_unlocked/email bad_address").queues()


def test_what_has_no_address_or_no_channel_is_accounted_for(given: Given) -> None:
    given(preferences(), tier("bronze", "silver"))
    given.when("tier_changed/email no_address").then("suppressed tier_changed/email no_address")
    given.when("tier_changed/push not_configured").then("suppressed tier_changed/push not_configured").queues()


def test_each_message_has_one_id_whenever_it_is_decided(given: Given) -> None:
    given(MAIL, tier("bronze", "silver"))
    (identity,) = given.customer.queue
    assert len(identity) == 32
    other = Customer(given.customer.programme)
    for raw in (MAIL, tier("bronze", "silver")):
        other.take(raw)
    assert list(other.queue) == [identity]
