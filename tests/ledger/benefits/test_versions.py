"""New versions of the programme: benefits come, change and are withdrawn, and an erased customer has none."""

from typing import Any

from tests.ledger.benefits.stories import (
    CATALOGUE,
    DELIVERY,
    VOUCHER,
    WELCOME,
    accepted,
    earned,
    enrolled,
    erased,
    filled,
    locked,
    revoked,
    shown,
    status,
    under,
    under_versions,
    unlocked,
    use,
    used,
)
from tests.ledger.world import Given, programme_of, purchase, terms, tick

TYPES = ("BenefitUnlocked", "BenefitLocked", "BenefitUsed", "BenefitRevoked")


def from_2011(*benefits: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return terms(2, "2011-01-01", benefits=list(benefits), **changes)


def test_a_benefit_that_the_programme_drops_is_revoked():
    given = under_versions(terms(benefits=[CATALOGUE, WELCOME]), from_2011(WELCOME))
    given(enrolled(), filled("address", "email"))
    given.when(tick("2010-12-31T23:00:00Z")).only(*TYPES)
    given.then(revoked("catalogue", kind="perk", cause="2", programme=2))
    given.when(use("catalogue")).then().answered(409)
    assert (status(given, "welcome"), shown(given, "catalogue")) == ("used", [])


def test_one_that_was_used_or_is_still_locked_is_revoked_too_and_shown_if_it_gave_something():
    given = under_versions(terms(benefits=[CATALOGUE, WELCOME]), from_2011())
    given(enrolled(), filled("email"))
    given.when(tick("2011-02-01")).only(*TYPES).then(revoked("catalogue"), revoked("welcome"))
    assert (status(given, "welcome"), shown(given, "catalogue")) == ("revoked", [])
    given.when(tick("2012-02-01")).then()


def test_a_benefit_that_the_programme_adds_is_locked_or_unlocks_at_once():
    given = under_versions(terms(benefits=[CATALOGUE]), from_2011(CATALOGUE, WELCOME, DELIVERY))
    given(enrolled(), filled("email"))
    given.when(tick("2011-02-01")).only(*TYPES).then(
        unlocked("welcome", points=100), used("welcome"), locked("delivery", "tier:silver", "profile")
    )
    given.balance(available=100)


def test_a_field_that_becomes_required_locks_what_a_complete_profile_carries():
    given = under_versions(terms(benefits=[DELIVERY]), from_2011(DELIVERY, CATALOGUE))
    given(enrolled(), purchase("p1", 600_00, "2010-12-01"))
    given.when(tick("2011-02-01")).only(*TYPES).then(
        locked("delivery", "profile"), locked("catalogue", "field:address")
    )


def test_changed_requirements_are_told():
    stricter = {**CATALOGUE, "requires": {"fields": ["address", "phone"]}}
    given = under_versions(terms(benefits=[CATALOGUE]), from_2011(stricter))(enrolled())
    given.when(tick("2011-02-01")).then(locked("catalogue", "field:address", "field:phone"))


def test_nothing_is_credited_twice_when_a_benefit_comes_back():
    given = under_versions(
        terms(benefits=[WELCOME]), from_2011(), terms(3, "2012-01-01", benefits=[{**WELCOME, "points": 900}])
    )
    given(enrolled(), filled("email"), tick("2011-06-01"))
    given.when(tick("2012-06-01"), filled("email", "phone", when="2012-06-02")).only("PointsEarned", *TYPES).then()
    assert status(given, "welcome") == "used"


def test_an_unused_coupon_ends_with_its_benefit_and_a_new_one_is_issued_when_that_comes_back():
    given = under_versions(
        terms(benefits=[VOUCHER]), from_2011(), terms(3, "2011-01-10", benefits=[{**VOUCHER, "value_minor": 700}])
    )
    given(enrolled(), filled("phone", when="2010-12-20"))
    given.when(tick("2011-01-05")).then(revoked("voucher", valid_until=None))
    given.when(use("voucher")).then().answered(409)
    given.when(tick("2011-01-15")).then(unlocked("voucher", value_minor=700, valid_until="2011-02-08T23:00:00Z"))


def test_a_version_that_is_published_late_takes_effect_with_the_next_tick_or_record():
    for comes in (
        tick("2011-03-01"),
        purchase("p2", 1_00, "2011-03-01"),
        filled("address", "email", when="2011-03-01"),
    ):
        given = under(CATALOGUE)(enrolled(), filled("address"), tick("2011-02-01"))
        given.customer.programme = programme_of(terms(benefits=[CATALOGUE]), from_2011())
        given.customer.turnover.programme = given.customer.programme
        given.when(comes).only(*TYPES).then(revoked("catalogue"))


def test_a_version_that_took_the_place_of_another_on_its_day_revokes_what_only_that_had():
    given = under(CATALOGUE, VOUCHER, WELCOME)(enrolled(), filled("address", "phone", "email"))
    replaced = programme_of(terms(benefits=[CATALOGUE, VOUCHER, WELCOME]), terms(2, benefits=[DELIVERY]))
    given.customer.programme = given.customer.turnover.programme = replaced
    given.when(tick("2010-01-02")).only(*TYPES).then(
        revoked("catalogue", kind="perk"),
        revoked("voucher", kind="coupon"),
        revoked("welcome", kind="points"),
        locked("delivery", "tier:silver"),
    )
    given.when(tick("2010-01-03"), filled("email", when="2010-01-03")).only(*TYPES).then()
    assert [shown(given, name) for name in ("catalogue", "voucher", "welcome")] == [[], [], []]


def test_a_tier_that_is_renamed_is_compared_where_it_was_known_until_turnover_speaks():
    renamed = from_2011(
        {**DELIVERY, "requires": {"tier": "silver"}}, tiers={"bronze": 0, "silver": 500_00, "platinum": 2000_00}
    )
    given = under_versions(terms(benefits=[DELIVERY]), renamed)(enrolled(), purchase("p1", 2000_00, "2010-12-01"))
    given.when(tick("2011-02-01")).only(*TYPES).then()
    assert given.customer.state.benefits.basis.tier == "platinum"


def test_before_the_first_version_there_are_no_benefits():
    given = under(WELCOME).when(enrolled("2001-01-01"), filled("email", when="2001-01-01")).then()
    given.when(tick("2005-01-01")).only("PointsEarned", *TYPES)
    given.then(unlocked("welcome"), earned(100, "welcome"), used("welcome"))


def test_an_accepted_erasure_revokes_what_is_unlocked_and_nothing_comes_after():
    given = under(CATALOGUE, VOUCHER, WELCOME)(enrolled(), filled("address", "phone", "email"))
    given.when(accepted("2010-01-20")).only(*TYPES).then(revoked("catalogue"), revoked("voucher"), revoked("welcome"))
    given.when(erased(), filled("phone"), tick("2012-01-01")).then()
    given.when(use("catalogue")).then().answered(410, type="erased")
    assert given.customer.state.benefits.basis.filled == ()


def test_an_erasure_of_somebody_unknown_is_noted(given: Given):
    given.when(accepted(), enrolled("2010-07-01"), filled("email", when="2010-07-01")).then()
