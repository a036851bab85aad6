"""Perks at the till: again and again, or once a year."""

from services.ledger.benefits import rules
from tests.ledger.benefits.stories import (
    CATALOGUE,
    DELIVERY,
    WELCOME,
    enrolled,
    filled,
    locked,
    shown,
    status,
    under,
    unlocked,
    use,
    used,
)
from tests.ledger.world import purchase, returned, tick

YEARLY = {"id": "massage", "kind": "perk", "every": "year", "requires": {"fields": ["phone"]}}
TIERED = {"id": "parking", "kind": "perk", "every": "year", "requires": {"tier": "silver"}}
TYPES = ("BenefitUnlocked", "BenefitLocked", "BenefitUsed")


def test_a_perk_is_used_again_and_again():
    given = under(CATALOGUE)(enrolled(), filled("address"))
    for _ in range(3):
        given.when(use("catalogue", store_id="s-1", purchase_id="p1"))
        given.then(used("catalogue", kind="perk", period=None, store_id="s-1", purchase_id="p1"))
        given.answered(200, benefit="catalogue", status="available", period=None, value_minor=None)
    assert status(given, "catalogue") == "available"


def test_a_locked_perk_is_refused():
    given = under(CATALOGUE)(enrolled()).when(use("catalogue")).then()
    given.answered(409, type="conflict", reason="locked")


def test_a_benefit_nobody_knows_is_refused():
    under(CATALOGUE)(enrolled(), filled("address")).when(use("other")).then().answered(409, type="conflict")


def test_points_are_used_without_a_till():
    given = under(WELCOME)(enrolled(), filled("email")).when(use("welcome")).then()
    given.answered(409, type="conflict", reason="used")


def test_a_yearly_perk_is_used_once_a_year():
    given = under(YEARLY)(enrolled(), filled("phone", when="2010-05-01"))
    given.when(use("massage")).then(used("massage", period="2010")).answered(200, status="used", period="2010")
    given.when(use("massage")).then().answered(409, reason="used")
    assert status(given, "massage") == "used"
    given.when(tick("2011-01-01")).only(*TYPES).then(unlocked("massage", period="2011"))
    given.when(use("massage")).then(used("massage", period="2011"))


def test_a_yearly_perk_that_is_used_stays_so_when_it_is_locked_and_unlocked_in_its_year():
    given = under(YEARLY)(enrolled(), filled("phone", when="2010-05-01"), use("massage"))
    given.when(filled(when="2010-06-01"), filled("phone", when="2010-07-01")).only(*TYPES).then()
    given.when(use("massage")).then().answered(409, reason="used")


def test_with_a_tier_the_year_of_a_perk_is_that_of_turnover():
    given = under(TIERED)(enrolled(), purchase("p1", 600_00, "2010-03-01"), use("parking"))
    given.when(tick("2011-06-01")).only(*TYPES).then(unlocked("parking", period="2011"))
    given.when(use("parking"), use("parking")).then(used("parking", period="2011"))
    given.when(tick("2012-06-01")).only(*TYPES).then(locked("parking", "tier:silver", period="2012"))
    assert [(one["status"], one["period"]) for one in shown(given, "parking")] == [("locked", "2012")]


def test_what_a_return_locks_cannot_be_used():
    given = under(DELIVERY)(enrolled(), purchase("p1", 600_00), returned("r1", 200_00, of="p1"))
    given.when(use("delivery")).then().answered(409, reason="locked")


def test_a_customer_of_whom_nothing_is_known_uses_nothing():
    under(CATALOGUE).when(use("catalogue")).then().answered(409, reason="locked")


def test_the_new_year_is_due_only_where_it_can_bring_something():
    for benefit, due in ((YEARLY, True), (TIERED, False), (CATALOGUE, False)):
        customer = under(benefit)(enrolled(), filled("phone")).customer
        assert (rules.due(customer.state, customer.programme) is not None) == due
