"""What the HTTP reads show."""

from collections.abc import Callable

from services.turnover import views
from tests.turnover.world import CUSTOMER, Given, at, purchase, returned, stored, terms, tick

Under = Callable[..., Given]


def test_turnover_shows_all_that_the_contract_names(given: Given) -> None:
    given(purchase("p1", 600_00, "2010-03-01"), returned("r1", 50_00, of="p1"), purchase("p2", 20_00, "2011-02-01"))
    assert given.customer.view() == {
        "customer_id": CUSTOMER,
        "currency": "EUR",
        "year": 2011,
        "turnover_minor": 20_00,
        "tier": "silver",
        "valid_until": "2011-12-31T23:00:00Z",
        "next_tier": "gold",
        "to_next_minor": 1980_00,
        "to_keep_minor": 480_00,
        "years": {
            "2010": {
                "purchases_minor": 600_00,
                "returns_minor": 50_00,
                "turnover_minor": 550_00,
                "tier_reached": "silver",
            },
            "2011": {"purchases_minor": 20_00, "returns_minor": 0, "turnover_minor": 20_00, "tier_reached": "bronze"},
        },
        "version": 5,
    }


def test_an_unknown_customer_has_zeros_with_version_0_in_the_year_of_the_tick(given: Given) -> None:
    given.shows(version=0, year=2030, turnover_minor=0, tier="bronze", next_tier="silver", to_next_minor=500_00)
    given(tick("2012-01-01")).shows(version=0, year=2012, years={}, to_keep_minor=0, valid_until=None)
    assert given.customer.programme.in_force(at("2000-01-01")) is None
    unknown = views.turnover(CUSTOMER, None, 0, given.customer.programme, None, at("2000-01-01"))
    assert (unknown["year"], unknown["tier"], unknown["currency"]) == (2000, "bronze", "EUR")


def test_the_callers_time_decides_nothing_for_a_known_customer(given: Given) -> None:
    given(purchase("p1", 1_00, "2010-03-01")).shows(year=2010)
    assert given.customer.view("1999-01-01") == given.customer.view("2099-01-01")


def test_a_tick_that_is_not_settled_yet_shows_what_it_will_bring(given: Given, under: Under) -> None:
    for one in (given, under(terms(window="rolling_12_months"))):
        one(purchase("p1", 600_00, "2010-03-01"))
        one.customer.tick = at("2012-04-01")
        before = one.customer.view()
        after = one.when(tick("2012-04-01")).customer.view()
        assert before | {"version": 0} == after | {"version": 0}


def test_the_view_agrees_with_the_last_standing(given: Given) -> None:
    given.when(purchase("p1", 600_00, "2010-03-01"), returned("r1", 50_00, of="p1"))
    for name, value in given.entries[-1].fact.model_dump(mode="json")["standing"].items():
        given.shows(**{name: value})


def test_purchases_lists_what_counted(given: Given) -> None:
    given.when(purchase("p1", 600_00, "2010-03-01"), returned("r1", 700_00, of="p1"))
    events = [stored(entry, version) for version, entry in enumerate(given.entries)]
    assert [item for event in events if (item := views.purchase_item(event))] == [
        {
            "version": 1,
            "type": "TurnoverRecorded.v1",
            "purchase_id": "p1",
            "return_id": None,
            "store_id": "s-1",
            "occurred_at": "2010-03-01T12:00:00Z",
            "amount_minor": 600_00,
            "year": 2010,
            "late": False,
        },
        {
            "version": 3,
            "type": "TurnoverReduced.v1",
            "purchase_id": "p1",
            "return_id": "r1",
            "store_id": "s-1",
            "occurred_at": "2010-05-01T12:00:00Z",
            "amount_minor": 600_00,
            "year": 2010,
            "late": None,
        },
    ]
