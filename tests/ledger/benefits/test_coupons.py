"""Coupons: issued on unlocking, worth a sum or a part of the closed year, used once, and gone after a time."""

from tests.ledger.benefits.stories import (
    COUPON,
    VOUCHER,
    enrolled,
    filled,
    locked,
    revoked,
    shown,
    status,
    under,
    unlocked,
    use,
    used,
)
from tests.ledger.world import purchase, returned, tick

TYPES = ("BenefitUnlocked", "BenefitLocked", "BenefitUsed", "BenefitRevoked")
YEARLY = {**VOUCHER, "every": "year"}


def test_a_coupon_is_issued_on_unlocking_and_is_valid_for_its_time():
    given = under(VOUCHER)(enrolled()).when(filled("phone", when="2010-03-05T10:00:00Z"))
    given.then(unlocked("voucher", kind="coupon", period=None, value_minor=500, valid_until="2010-04-04T09:00:00Z"))
    (item,) = shown(given, "voucher")
    assert (item["status"], item["code"], item["value_minor"]) == ("available", "voucher/None", 500)


def test_a_coupon_is_used_once():
    given = under(VOUCHER)(enrolled(), filled("phone"))
    given.when(use("voucher", store_id="s-1")).then(used("voucher", kind="coupon", value_minor=500, store_id="s-1"))
    given.answered(200, status="used", value_minor=500)
    given.when(use("voucher")).then().answered(409, type="conflict", reason="used")
    (item,) = shown(given, "voucher")
    assert (item["status"], item["code"]) == ("used", None)


def test_a_coupon_runs_out():
    given = under(VOUCHER)(enrolled(), filled("phone", when="2010-03-05T10:00:00Z"))
    given.when(tick("2010-04-04T08:59:59Z")).then()
    given.when(tick("2010-04-04T09:00:00Z")).then(
        revoked("voucher", value_minor=500, valid_until="2010-04-04T09:00:00Z", cause="2010-04-04T09:00:00Z")
    )
    given.when(use("voucher")).then().answered(409, reason="revoked")
    assert status(given, "voucher") == "revoked"


def test_a_coupon_that_ran_out_or_was_used_does_not_come_back():
    given = under(VOUCHER)(enrolled(), filled("phone", when="2010-03-05"), tick("2010-06-01"))
    given.when(filled(), filled("phone", when="2010-06-02")).only(*TYPES).then()
    given = under(VOUCHER)(enrolled(), filled("phone", when="2010-03-05"), use("voucher"))
    given.when(filled(), filled("phone", when="2010-03-06"), tick("2011-01-01")).only(*TYPES).then()


def test_it_runs_out_before_a_command_that_comes_too_late_without_a_tick():
    given = under(VOUCHER)(enrolled(), filled("phone", when="2010-03-05"), purchase("p1", 1_00, "2010-06-01"))
    given.when(use("voucher")).then().answered(409, reason="revoked")


def test_losing_a_field_locks_an_unused_coupon_and_its_time_goes_on():
    given = under(VOUCHER)(enrolled(), filled("phone", when="2010-03-05T10:00:00Z"))
    given.when(filled(when="2010-03-10")).then(locked("voucher", "field:phone"))
    given.when(use("voucher")).then().answered(409, reason="locked")
    assert status(given, "voucher") == "locked"
    given.when(filled("phone", when="2010-03-20"))
    given.then(unlocked("voucher", value_minor=500, valid_until="2010-04-04T09:00:00Z"))
    given.when(use("voucher")).then(used("voucher"))


def test_a_locked_coupon_runs_out_as_well():
    given = under(VOUCHER)(enrolled(), filled("phone", when="2010-03-05"), filled(when="2010-03-10"))
    given.when(tick("2010-06-01")).then(revoked("voucher"))
    given.when(filled("phone", when="2010-06-02")).only(*TYPES).then()


def test_the_coupon_of_the_year_is_a_part_of_the_turnover_of_the_closed_year_floored():
    given = under(COUPON)(enrolled(), purchase("p1", 649_99, "2010-03-01"))
    (item,) = shown(given, "coupon")
    assert (item["status"], item["code"], item["value_minor"]) == ("available", None, None)
    given.when(use("coupon")).then().answered(409, type="conflict", reason="waiting")
    given.when(tick("2011-01-10")).only(*TYPES).then(
        unlocked("coupon", period="2011", value_minor=12_99, valid_until="2011-03-01T23:00:00Z")
    )
    given.when(use("coupon")).then(used("coupon", period="2011", value_minor=12_99))
    given.when(tick("2011-12-31")).only(*TYPES).then()


def test_parts_of_a_percent_are_exact():
    given = under({**COUPON, "percent_of_turnover": "0.29"})(enrolled(), purchase("p1", 1000_00, "2010-03-01"))
    given.when(tick("2011-01-10")).only(*TYPES).then(unlocked("coupon", value_minor=2_90))


def test_the_coupon_of_the_year_waits_for_a_complete_profile():
    phone = {"id": "call", "kind": "perk", "requires": {"fields": ["phone"]}}
    given = under(COUPON, phone)(enrolled(), purchase("p1", 600_00, "2010-03-01"))
    given.when(tick("2011-01-10")).only(*TYPES).then()
    given.when(filled("phone", when="2011-02-01T10:00:00Z")).only(*TYPES).then(
        unlocked("coupon", period="2011", value_minor=12_00, valid_until="2011-04-02T09:00:00Z"), unlocked("call")
    )


def test_a_tier_that_the_new_year_takes_brings_no_coupon():
    given = under(COUPON)(enrolled(), purchase("p1", 600_00, "2010-03-01"), purchase("p2", 100_00, "2011-03-01"))
    given.when(tick("2012-01-10")).only("BenefitUnlocked", "BenefitLocked")
    given.then(locked("coupon", "tier:silver", period="2012"))


def test_a_return_locks_the_coupon_of_the_year():
    given = under(COUPON)(enrolled(), purchase("p1", 600_00, "2010-12-01"), tick("2011-01-10"))
    given.when(returned("r1", 200_00, of="p1", when="2011-01-11")).only(*TYPES).then(locked("coupon", "tier:silver"))
    given.when(use("coupon")).then().answered(409, reason="locked")


def test_a_fixed_coupon_of_the_year_comes_again_and_both_may_be_good_at_once():
    given = under(YEARLY)(enrolled(), filled("phone", when="2010-12-20"))
    given.when(tick("2011-01-02")).only(*TYPES).then(unlocked("voucher", period="2011"))
    assert [(one["period"], one["code"]) for one in shown(given, "voucher")] == [
        ("2010", "voucher/2010"),
        ("2011", "voucher/2011"),
    ]
    given.when(use("voucher")).then(used("voucher", period="2010"))
    assert [(one["status"], one["period"]) for one in shown(given, "voucher")] == [("available", "2011")]
    given.when(use("voucher")).then(used("voucher", period="2011"))
    given.when(use("voucher")).then().answered(409, reason="used")


def test_the_till_may_name_the_coupon():
    given = under(YEARLY)(enrolled(), filled("phone", when="2010-12-20"), tick("2011-01-02"))
    given.when(use("voucher", "2011")).then(used("voucher", period="2011"))
    given.when(use("voucher", "2011")).then().answered(409, reason="used")
    given.when(use("voucher", "2009")).then().answered(409)
    given.when(use("voucher", "2010")).then(used("voucher", period="2010"))


def test_an_older_coupon_that_is_still_good_is_locked_with_the_newer_one_that_was_used():
    given = under(YEARLY)(enrolled(), filled("phone", when="2010-12-20"), tick("2011-01-02"), use("voucher", "2011"))
    given.when(filled(when="2011-01-03")).then(locked("voucher", "field:phone", period="2011"))
    given.when(filled("phone", when="2011-01-04")).then(unlocked("voucher", period="2010"))


def test_a_coupon_of_the_year_that_a_late_tick_brings_is_as_if_the_tick_had_come_on_time():
    given = under(COUPON)(enrolled(), purchase("p1", 600_00, "2010-03-01"), purchase("p2", 700_00, "2011-03-01"))
    late = under(COUPON)(enrolled(), purchase("p1", 600_00, "2010-03-01"))
    given(tick("2011-12-01")).when(tick("2013-01-10"))
    given.only(*TYPES).then(
        unlocked("coupon", period="2012", value_minor=14_00, valid_until="2012-02-29T23:00:00Z"),
        revoked("coupon", period="2012", valid_until="2012-02-29T23:00:00Z"),
        locked("coupon", "tier:silver", period="2013"),
    )
    late.when(tick("2013-01-10")).only(*TYPES).then(
        unlocked("coupon", period="2011", value_minor=12_00, valid_until="2011-03-01T23:00:00Z"),
        revoked("coupon", period="2011", valid_until="2011-03-01T23:00:00Z"),
        locked("coupon", "tier:silver", period="2012"),
    )


def test_a_part_of_the_turnover_follows_the_year_of_turnover_without_a_tier_too():
    share = {**COUPON, "requires": {"fields": ["phone"]}}
    given = under(share)(enrolled(), filled("phone"), purchase("p1", 100_00, "2010-03-01"))
    given.when(tick("2013-01-10")).only("BenefitUnlocked")
    given.then(unlocked("coupon", period="2011", value_minor=2_00, valid_until="2011-03-01T23:00:00Z"))
