"""Benefits that credit points: once in a lifetime, once a year, on each birthday."""

from tests.ledger.benefits.stories import (
    DELIVERY,
    GIFT,
    WELCOME,
    birthday,
    earned,
    enrolled,
    filled,
    locked,
    shown,
    status,
    under,
    unlocked,
    used,
)
from tests.ledger.world import adjust, event, purchase, returned, tick

YEARLY = {"id": "bonus", "kind": "points", "points": 50, "every": "year", "requires": {"fields": ["phone"]}}
TIERED = {"id": "thanks", "kind": "points", "points": 70, "every": "year", "requires": {"tier": "silver"}}
TYPES = ("BenefitUnlocked", "BenefitLocked", "BenefitUsed", "PointsEarned")


def test_points_are_credited_on_unlocking_and_the_benefit_is_used():
    given = under(WELCOME)(enrolled()).when(filled("email", when="2010-02-01"))
    given.then(
        unlocked("welcome", kind="points", points=100),
        earned(100, "welcome", lot={"lot_id": "b:welcome", "remaining": 100, "expires_at": "2011-02-01T23:00:00Z"}),
        used("welcome", kind="points", points=100, store_id=None),
    )
    given.balance(available=100)
    assert status(given, "welcome") == "used"


def test_once_in_a_lifetime_points_stay_and_do_not_come_again():
    given = under(WELCOME)(enrolled(), filled("email"))
    given.when(filled(), filled("email"), tick("2010-12-31")).only(*TYPES).then()
    given.balance(available=100)
    assert status(given, "welcome") == "used"


def test_two_benefits_of_one_moment_are_two_lots():
    other = {**WELCOME, "id": "hello", "points": 10}
    given = under(WELCOME, other)(enrolled()).when(filled("email")).only("PointsEarned")
    given.then(earned(100, "welcome"), earned(10, "hello", entry_id="2", totals={"available": 110}))


def test_points_of_a_benefit_settle_what_is_owed_first():
    given = under(WELCOME)(enrolled(), purchase("p1", 100_00, "2010-03-01"), tick("2010-04-01"))
    given(adjust(-100), returned("r1", 100_00, of="p1", when="2010-04-02")).balance(owed=100)
    given.when(filled("email", when="2010-04-03")).only("PointsEarned", "OwedSettled")
    given.then(earned(100, "welcome"), event("OwedSettled", 100)).balance()


def test_a_yearly_credit_comes_again_with_the_new_year_by_the_clock():
    given = under(YEARLY)(enrolled(), filled("phone", when="2010-05-01"))
    given.when(tick("2010-12-31T22:59:59Z")).then()
    given.when(tick("2010-12-31T23:00:00Z")).only(*TYPES).then(
        unlocked("bonus", period="2011", points=50, occurred_at=given.events[0]["occurred_at"]),
        earned(50, "bonus", cause="2010-12-31T23:00:00Z"),
        used("bonus", period="2011"),
    )


def test_a_yearly_credit_comes_once_a_year_however_often_it_is_locked_between():
    given = under(YEARLY)(enrolled(), filled("phone", when="2010-05-01"))
    given.when(filled(when="2010-06-01"), filled("phone", when="2010-07-01")).only(*TYPES).then()


def test_a_yearly_credit_whose_field_is_missing_at_the_new_year_comes_when_that_is_filled():
    given = under(YEARLY)(enrolled(), filled("phone", when="2010-05-01"), filled(when="2010-06-01"))
    given.when(tick("2011-02-01")).only(*TYPES).then(locked("bonus", "field:phone", period="2011"))
    given.when(filled("phone", when="2011-03-01")).only("BenefitUnlocked").then(unlocked("bonus", period="2011"))


def test_years_at_once_bring_each_its_own_credit():
    given = under(YEARLY)(enrolled(), filled("phone", when="2010-05-01"))
    given.when(tick("2013-02-01")).only("BenefitUnlocked")
    assert [(one["period"], one["occurred_at"].year) for one in given.events] == [
        ("2011", 2010),
        ("2012", 2011),
        ("2013", 2012),
    ]


def test_with_a_tier_the_year_turns_when_turnover_says_so():
    given = under(TIERED)(enrolled()).when(purchase("p1", 600_00, "2010-03-01")).only("BenefitUnlocked")
    given.then(unlocked("thanks", period="2010"))
    given.when(tick("2011-06-01"), tick("2012-06-01")).only("BenefitUnlocked", "BenefitLocked")
    given.then(unlocked("thanks", period="2011"), locked("thanks", "tier:silver", period="2012"))


def test_on_each_birthday():
    given = under(GIFT)(enrolled(), filled("birthday", "email", when="2010-01-05"))
    assert (status(given, "gift"), given.customer.balance["available"]) == ("available", 0)
    for year in (2010, 2011):
        given.when(birthday(year, f"{year}-05-05")).only(*TYPES)
        given.then(
            unlocked("gift", period=str(year), points=250),
            earned(250, "gift", lot={"lot_id": f"b:gift:{year}"}),
            used("gift", period=str(year)),
        )
        assert [(one["status"], one["period"]) for one in shown(given, "gift")] == [("used", str(year))]


def test_a_birthday_is_announced_once_a_year():
    given = under(GIFT)(enrolled(), filled("birthday", "email"), birthday(2010, "2010-05-05"))
    given.when(birthday(2010, "2010-08-08")).only(*TYPES).then()


def test_a_birthday_before_the_requirements_are_met_brings_nothing():
    given = under(GIFT)(enrolled(), filled("birthday"))
    given.when(birthday(2010, "2010-05-05T00:00:00Z")).only(*TYPES).then()
    given.when(filled("birthday", "email", when="2010-05-06T00:00:00Z")).only(*TYPES)
    given.then(unlocked("gift", period=None, points=None)).balance()


def test_what_is_missing_may_come_on_the_birthday_itself():
    given = under(GIFT)(enrolled(), filled("birthday"), birthday(2010, "2010-05-05T00:00:00Z"))
    given.when(filled("birthday", "email", when="2010-05-05T23:59:59Z")).only(*TYPES)
    given.then(unlocked("gift", period="2010"), earned(250, "gift"), used("gift"))
    given.when(filled("birthday", when="2010-05-05T23:59:59Z")).only(*TYPES).then(locked("gift", "field:email"))
    given.when(filled("birthday", "email", when="2010-05-05T23:59:59Z")).only(*TYPES)
    given.then(unlocked("gift", period=None)).balance(available=250)


def test_a_birthday_that_is_heard_late_counts():
    given = under(GIFT)(enrolled(), filled("birthday", "email"), tick("2012-01-01"))
    given.when(birthday(2011, "2011-05-05")).only("PointsEarned").then(earned(250, "gift"))


def test_points_credited_stay_when_the_tier_goes():
    given = under({**TIERED, "every": None}, DELIVERY)(enrolled(), purchase("p1", 600_00))
    given.when(returned("r1", 200_00, of="p1")).only("BenefitLocked").then(locked("delivery", "tier:silver"))
    assert status(given, "thanks") == "used"
    given.when(purchase("p2", 300_00, "2010-06-01")).only("BenefitUnlocked").then(unlocked("delivery"))
