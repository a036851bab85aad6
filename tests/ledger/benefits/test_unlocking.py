"""What unlocks a benefit, what locks it again, and that it is told exactly once."""

from itertools import permutations

import pytest

from tests.ledger.benefits.stories import (
    ALL,
    CATALOGUE,
    DELIVERY,
    SHOPPER,
    WELCOME,
    enrolled,
    filled,
    locked,
    shown,
    status,
    under,
    unlocked,
)
from tests.ledger.world import purchase, returned, tick

TYPES = ("BenefitUnlocked", "BenefitLocked", "BenefitUsed", "BenefitRevoked")


def test_on_enrolment_every_benefit_is_locked_with_all_its_reasons():
    given = under(WELCOME, CATALOGUE, DELIVERY)
    given.when(enrolled()).then(
        locked("welcome", "field:email", kind="points"),
        locked("catalogue", "field:address", kind="perk"),
        locked("delivery", "tier:silver", "profile", kind="perk"),
    )


def test_nothing_is_told_of_a_customer_who_is_not_enrolled():
    under(WELCOME, DELIVERY).when(purchase("p1", 10_00)).only(*TYPES).then()


def test_a_benefit_that_names_fields_and_a_tier_lacks_all_of_them():
    both = {"id": "both", "kind": "perk", "requires": {"tier": "gold", "fields": ["phone", "email"]}}
    given = under(both).when(enrolled()).then(locked("both", "field:phone", "field:email", "tier:gold", "profile"))
    given.when(filled("phone")).then(locked("both", "field:email", "tier:gold", "profile"))
    given.when(filled("phone", "email")).then(locked("both", "tier:gold"))


def test_locked_is_told_again_only_when_the_reasons_change():
    given = under(CATALOGUE, DELIVERY, fields={"address": "text", "phone": "phone"})
    given(enrolled()).when(filled("phone")).then()
    given.when(filled("phone", "address")).then(unlocked("catalogue"), locked("delivery", "tier:silver"))


def test_a_perk_unlocks_when_its_field_is_filled():
    given = under(CATALOGUE)(enrolled()).when(filled("address", when="2010-02-03"))
    given.then(unlocked("catalogue", kind="perk", period=None, cause="profile/c-1/2", programme=1))
    assert status(given, "catalogue") == "available"


def test_turnover_benefits_wait_for_a_complete_profile():
    given = under(CATALOGUE, DELIVERY)(enrolled(), purchase("p1", 600_00))
    assert [(one["status"], one["reasons"]) for one in shown(given, "delivery")] == [
        ("locked", [{"kind": "profile", "id": None}])
    ]
    given.when(filled("address")).then(unlocked("catalogue"), unlocked("delivery"))


def test_a_complete_profile_has_the_fields_that_benefits_name_and_no_others():
    given = under(DELIVERY)(enrolled()).when(purchase("p1", 600_00)).only(*TYPES)
    given.then(unlocked("delivery"))


def test_a_higher_tier_will_do():
    under(DELIVERY, SHOPPER)(enrolled()).when(purchase("p1", 2000_00)).only(*TYPES).then(
        unlocked("delivery"), unlocked("shopper")
    )


def test_the_first_tier_is_held_by_everybody():
    greeting = {"id": "greeting", "kind": "perk", "requires": {"tier": "bronze"}}
    under(greeting).when(enrolled()).then(unlocked("greeting"))


STORY = {
    "enrolled": enrolled("2010-03-01"),
    "tier": purchase("p1", 600_00, "2010-03-01"),
    "profile": filled("address", when="2010-03-01"),
    "tick": tick("2010-03-01"),
}


@pytest.mark.parametrize("order", list(permutations(STORY)), ids="-".join)
def test_it_unlocks_exactly_once_whichever_comes_last(order: tuple[str, ...]):
    given = under(CATALOGUE, DELIVERY).when(*[STORY[one] for one in order]).only("BenefitUnlocked")
    assert [one["benefit"] for one in given.events] == ["catalogue", "delivery"]
    assert (status(given, "delivery"), status(given, "catalogue")) == ("available", "available")


def test_it_unlocks_when_the_last_requirement_is_met():
    given = under(CATALOGUE, DELIVERY)(enrolled(), filled("address", when="2010-05-01"))
    given.when(purchase("p1", 600_00, "2010-03-01")).only("BenefitUnlocked")
    assert [one["occurred_at"].isoformat()[:10] for one in given.events] == ["2010-05-01"]


def test_losing_the_tier_locks_it_and_reaching_it_again_unlocks_it_again():
    given = under(DELIVERY)(enrolled(), purchase("p1", 600_00))
    given.when(returned("r1", 200_00, of="p1")).only(*TYPES).then(locked("delivery", "tier:silver"))
    assert status(given, "delivery") == "locked"
    given.when(purchase("p2", 200_00, "2010-06-01")).only(*TYPES).then(unlocked("delivery"))


def test_clearing_a_required_field_locks_perks_and_what_a_complete_profile_carries():
    given = under(CATALOGUE, DELIVERY)(enrolled(), filled("address"), purchase("p1", 600_00))
    given.when(filled()).then(locked("catalogue", "field:address"), locked("delivery", "profile"))


def test_what_was_heard_before_leads_to_nothing():
    given = under(CATALOGUE, WELCOME)
    heard = [one(given.customer) for one in (enrolled(), filled("address"), filled("address", "email"))]
    given(*heard)
    given.when(*heard).then()


def test_a_return_that_leaves_the_tier_leaves_its_benefits():
    given = under(DELIVERY)(enrolled(), purchase("p1", 600_00))
    given.when(returned("r1", 50_00, of="p1")).only(*TYPES).then()


def test_the_year_takes_a_tier_and_its_benefits():
    given = under(DELIVERY)(enrolled(), purchase("p1", 600_00, "2010-03-01"))
    given.when(tick("2011-06-01")).only(*TYPES).then()
    given.when(tick("2012-01-01")).only(*TYPES).then(locked("delivery", "tier:silver"))


def test_all_fields_at_once_unlock_all_that_names_them():
    given = under(WELCOME, CATALOGUE, DELIVERY)(enrolled()).when(filled(*ALL)).only("BenefitUnlocked", "BenefitLocked")
    given.then(unlocked("welcome"), unlocked("catalogue"), locked("delivery", "tier:silver"))
