"""What the HTTP reads show, and what entries say to their customer."""

import json
from typing import Any

import pytest

from services.ledger import views
from services.ledger.quotes import quote
from services.ledger.texts import LANGUAGES
from shared.contracts.pos import POS
from shared.rulebook.entry import Note
from shared.rulebook.refused import Refused
from tests.ledger.benefits.stories import enrolled, filled, shown, under
from tests.ledger.world import (
    Given,
    adjust,
    at,
    capture,
    hold,
    programme_of,
    purchase,
    release,
    returned,
    terms,
    tick,
)
from tests.turnover.world import stored

NAMES = {"bronze": ("Bronze", "Bronze", "Бронза"), "silver": ("Silver", "Silber", "Серебро")}
WELCOME = {
    "id": "welcome",
    "kind": "points",
    "points": 1,
    "label": {"en": "Welcome", "de": "Willkommen", "ru": "Привет"},
    "requires": {"fields": ["email"]},
}
BONUS = {**WELCOME, "id": "bonus", "points": 1_234, "every": "year", "requires": {"fields": ["phone"]}}


@pytest.fixture
def given() -> Given:
    document = terms(benefits=[WELCOME, BONUS])
    for tier in document["tiers"]:
        tier["label"] = dict(zip(LANGUAGES, NAMES.get(tier["id"], ("Gold", "Gold", "Золото")), strict=True))
    begun = under()
    begun.customer.programme = begun.customer.turnover.programme = programme_of(document)
    return begun


def entries(given: Given) -> list[dict[str, Any]]:
    """What is listed of all that happened, oldest first."""
    item = views.entry_item(given.customer.programme)
    events = [stored(one, n) for n, one in enumerate(given.customer.log) if not isinstance(one.fact, Note)]
    return [found for event in events if (found := item(event)) is not None]


def text(given: Given, language: str = "en") -> str:
    """What the newest entry says."""
    return entries(given)[-1]["text"][language].replace("\N{NO-BREAK SPACE}", " ")


def test_the_balance_shows_points_and_when_they_expire(given: Given):
    given(purchase("p1", 50_00, "2010-03-01"), purchase("p2", 30_00, "2010-03-01"), purchase("p3", 20_00, "2010-03-20"))
    given(tick("2010-03-25"), hold("00-1", 10), adjust(5))
    assert views.balance(given.customer.state, 9) == {
        "pending": 20,
        "available": 75,
        "held": 10,
        "owed": 0,
        "expiring": [
            {"points": 70, "expires_at": "2011-03-15T23:00:00Z"},
            {"points": 5, "expires_at": "2011-03-25T23:00:00Z"},
        ],
        "version": 9,
    }


def test_a_customer_nobody_knows_has_zeros_and_locked_benefits(given: Given):
    nobody = {"pending": 0, "available": 0, "held": 0, "owed": 0, "expiring": [], "version": 0}
    assert views.balance(None, 0) == nobody
    items = views.benefits(None, given.customer.programme, at("2010-01-01"), lambda *_: "")["items"]
    assert [(one["benefit"], one["status"], one["reasons"]) for one in items] == [
        ("welcome", "locked", [{"kind": "field", "id": "email"}]),
        ("bonus", "locked", [{"kind": "field", "id": "phone"}]),
    ]


def test_entries_are_movements_alone(given: Given):
    given(enrolled(), filled("email"), hold("00-1", 5), purchase("p1", 10_00, "2010-01-02"))
    listed = entries(given)
    assert [(one["type"], one["entry_id"], one["points"]) for one in listed] == [
        ("PointsEarned.v1", "1", 1),
        ("PointsEarned.v1", "2", 10),
    ]
    assert all(sum(posting["points"] for posting in one["postings"]) == 0 for one in listed)


def test_a_purchase_says_rate_tier_and_that_it_was_rounded(given: Given):
    given(purchase("p1", 49_95, "2010-03-01"))
    assert text(given) == "49 points for your purchase of €49.95: one for every €1.00 at tier Bronze, rounded down"
    assert text(given, "de") == "49 Punkte für Ihren Einkauf über 49,95 €: einer je 1,00 € im Status Bronze, abgerundet"
    assert (
        text(given, "ru") == "49 баллов за покупку на 49,95 €: один за каждые 1,00 €, статус «Бронза», округлено вниз"
    )


def test_a_purchase_says_its_multiplier_where_it_has_one(given: Given):
    given(purchase("p1", 600_00, "2010-03-01"), purchase("p2", 1000_00, "2010-03-02"))
    assert text(given) == "1,250 points for your purchase of €1,000.00: one for every €1.00, times 1.25 at tier Silver"
    assert text(given, "de").endswith("mal 1,25 im Status Silber")
    assert text(given, "ru").startswith(
        "1 250 баллов за покупку на 1 000,00 €: один за каждые 1,00 €, умножено на 1,25"
    )


def test_one_point_is_one_point(given: Given):
    given(enrolled(), filled("email"))
    assert [text(given, language) for language in LANGUAGES] == [
        "1 point from your benefit Welcome",
        "1 Punkt aus Ihrem Vorteil Willkommen",
        "1 балл по привилегии «Привет»",
    ]
    given(purchase("p1", 2_00, "2010-01-02"))
    assert text(given, "ru").startswith("2 балла за")


def test_a_benefit_that_comes_again_says_for_which_year(given: Given):
    given(enrolled(), filled("phone"))
    assert text(given) == "1,234 points from your benefit Welcome of 2010"
    assert text(given, "de") == "1.234 Punkte aus Ihrem Vorteil Willkommen für 2010"
    assert text(given, "ru") == "1 234 балла по привилегии «Привет» за 2010 год"


@pytest.mark.parametrize(
    ("story", "said"),
    [
        ([tick("2010-03-20")], "100 points can be used from now on, up to March 15, 2011"),
        ([tick("2011-03-16")], "100 points expired: not used by March 15, 2011"),
        ([tick("2010-03-20"), adjust(7)], "7 points credited by customer service"),
        ([tick("2010-03-20"), adjust(-7)], "7 points deducted by customer service"),
        ([tick("2010-03-20"), hold("00-1", 30)], "30 points reserved at the till"),
        ([tick("2010-03-20"), hold("00-1", 30), capture("00-1")], "30 points redeemed, worth €0.30"),
        ([tick("2010-03-20"), hold("00-1", 30), release("00-1")], "no longer reserved: the till let go of them"),
        ([tick("2010-03-20"), hold("00-1", 30), tick("2010-03-21")], "no longer reserved: the time for paying ran out"),
        ([returned("r1", 10_00, of="p1")], "taken back after a return: the purchase brought 100 points, now 90 points"),
        ([returned("r1", 10_00)], "10 points taken back after a return without its receipt"),
    ],
    ids=lambda one: one[:40].replace(" ", "-") if isinstance(one, str) else "after",
)
def test_every_movement_says_what_it_is(given: Given, story: list[Any], said: str):
    given(purchase("p1", 100_00, "2010-03-01"), *story)
    assert said in text(given)


def test_every_movement_has_a_text_in_every_language(given: Given):
    given(purchase("p1", 100_00, "2010-03-01"), tick("2010-03-20"), hold("00-1", 80), capture("00-1", 50))
    given(adjust(-80), returned("r1", 100_00, of="p1", when="2010-03-21"), adjust(60), tick("2012-01-01"))
    listed = entries(given)
    assert {one["type"] for one in listed} >= {"OwedSettled.v1", "HoldReleased.v1", "PointsReversed.v1"}
    for one in listed:
        assert sorted(one["text"]) == sorted(LANGUAGES)
        assert all(one["text"].values())
        assert not any("{" in said for said in one["text"].values())


def test_benefits_show_all_that_the_contract_names(given: Given):
    given(enrolled(), filled("email"))
    (item,) = shown(given, "welcome")
    assert item == {
        "benefit": "welcome",
        "label": WELCOME["label"],
        "kind": "points",
        "status": "used",
        "reasons": [],
        "period": None,
        "code": None,
        "points": 1,
        "value_minor": None,
        "valid_until": None,
    }


def test_the_trial_balance_sums_to_zero_and_tells_the_liability_by_month(given: Given):
    given(purchase("p1", 50_00, "2010-03-01"), tick("2010-03-20"), hold("00-1", 20), capture("00-1", 5))
    given(purchase("p2", 30_00, "2010-04-01"))
    shown = views.trial_balance(given.customer.totals, given.customer.programme, at("2010-04-01"))
    assert shown == {
        "accounts": {
            "programme": -80,
            "pending": 30,
            "available": 45,
            "held": 0,
            "redeemed": 5,
            "expired": 0,
            "owed": 0,
        },
        "sum": 0,
        "customers": 1,
        "liability": [
            {"month": "2011-03", "points": 45, "value_minor": 45},
            {"month": "2011-04", "points": 30, "value_minor": 30},
        ],
    }


def test_nobody_owes_nobody_before_the_first_customer(given: Given):
    empty = views.trial_balance({}, given.customer.programme, at("2010-04-01"))
    assert (empty["sum"], empty["customers"], empty["liability"]) == (0, 0, [])


def quoted(given: Given, raw: dict[str, Any]) -> dict[str, Any]:
    sale = POS.validate_json(json.dumps(raw))
    return quote(given.customer.state, sale, given.customer.programme)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "sale",
    [
        purchase("p9", 49_95, "2010-05-01"),
        purchase("p9", 49_95, "2010-05-01", tax_minor=5_00),
        purchase("p9", 10_00, "2010-05-01", currency="USD", fx_rate="0.755"),
        purchase("p9", 99, "2010-05-01"),
    ],
    ids=["exact", "with-tax", "another-currency", "nothing"],
)
@pytest.mark.parametrize("before", [0, 600_00, 2500_00])
def test_a_quote_is_what_the_purchase_then_earns(given: Given, before: int, sale: dict[str, Any]):
    given(purchase("p1", before, "2010-03-01"), tick("2010-04-30"))
    promised = quoted(given, sale)
    earned = given.when(sale).only("PointsEarned").events
    assert promised["points"] == sum(one["points"] for one in earned)
    for one in earned:
        assert promised["why"] == one["why"]
        assert (promised["available_at"], promised["expires_at"], promised["programme_version"]) == (
            one["lot"]["available_at"],
            one["lot"]["expires_at"],
            one["programme"],
        )


def test_a_quote_explains_itself(given: Given):
    promised = quoted(given, purchase("p1", 49_95))
    assert promised["points"] == 49
    assert promised["text"]["en"].startswith("49\N{NO-BREAK SPACE}points for your purchase of €49.95")


def test_a_quote_is_by_the_version_of_its_purchase():
    given = under()
    twice = terms(2, "2011-01-01", points={"per_minor": 50})
    given.customer.programme = programme_of(terms(), twice)
    assert [quoted(given, purchase("p1", 10_00, when))["points"] for when in ("2010-12-31", "2011-01-01")] == [10, 20]


def test_without_a_rate_or_a_programme_there_is_no_quote(given: Given):
    for raw in (purchase("p1", 10_00, currency="USD"), purchase("p1", 10_00, "1990-01-01")):
        with pytest.raises(Refused):
            quoted(given, raw)


def test_a_tier_that_the_version_of_the_purchase_does_not_know_is_taken_by_its_threshold():
    given = under()
    renamed = terms(2, "2011-01-01", tiers={"blue": 0, "red": 400_00}, multipliers={"blue": "1", "red": "2"})
    given.customer.programme = given.customer.turnover.programme = programme_of(terms(), renamed)
    given(purchase("p1", 600_00, "2010-12-01"))
    assert quoted(given, purchase("p2", 10_00, "2011-01-05"))["points"] == 20
    assert given.customer.state.benefits.basis.tier == "silver"
