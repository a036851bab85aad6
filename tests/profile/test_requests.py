"""Requests of the customer: reminders, channels, consents, cards; what they are told, and what follows."""

import pytest

from services.profile import views
from services.profile.rules import MOST_CARDS
from shared.rulebook.refused import Refused
from tests.profile.world import (
    EMAIL,
    PHONE,
    WHOLE,
    Given,
    asked,
    changed,
    channel,
    consent,
    crm,
    edit,
    event,
    preferred,
    tick,
)

OFF = {"known": False, "on": False}
ON = {"known": True, "on": True}


def test_an_edit_answers_with_the_completion_after_it(given: Given) -> None:
    given(crm("2010-12-01")).when(edit(fields=WHOLE, name=" Anna ")).told(
        200, fields=WHOLE, name="Anna", percent=100, complete=True, missing=[], version=6
    )


def test_the_answer_shows_what_get_shows(given: Given) -> None:
    given(crm("2010-12-01", {"email": EMAIL})).when(edit(fields={"phone": PHONE}, locale="de"))
    told = given.customer.profile()
    given.told(200, **{name: told[name] for name in told.keys() - {"fields", "missing", "time_zone"}})


def test_an_edit_of_nothing_changes_nothing(given: Given) -> None:
    given(crm("2010-12-01", {"email": EMAIL})).when(edit()).told(200, percent=25)
    assert given.entries == []


def test_reminders_are_off_until_the_customer_turns_them_on(given: Given) -> None:
    given(crm("2010-12-01", WHOLE)).shows(reminders=False)
    given.when(asked("SetReminders.v1", on=True)).then(preferred(reminders=True)).told(200, reminders=True)
    given.when(asked("SetReminders.v1", "2011-02-02", on=True)).then()
    given.when(asked("SetReminders.v1", "2011-02-03", on=False)).then(preferred(reminders=False))


def test_a_channel_is_on_once_its_address_is_known_until_it_is_switched_off(given: Given) -> None:
    given(crm("2010-12-01")).shows(channels={"email": OFF, "sms": OFF, "push": OFF, "telegram": OFF})
    given(crm("2010-12-02", {"email": EMAIL})).shows(channels={"email": ON, "sms": OFF})
    given.when(channel("email", False)).then(preferred(channels={"email": {"known": True, "on": False}}))
    given.told(200, channels={"email": {"known": True, "on": False}})
    given.when(channel("email", True)).then(preferred(channels={"email": ON}))


def test_a_channel_switched_off_stays_off_when_its_address_comes(given: Given) -> None:
    given(crm("2010-12-01")).when(channel("sms", False)).then()
    given(edit(fields={"phone": PHONE})).shows(channels={"sms": {"known": True, "on": False}})


def test_a_channel_switched_on_waits_for_its_address(given: Given) -> None:
    given(crm("2010-12-01"), channel("telegram", False)).when(channel("telegram", True)).told(
        200, channels={"telegram": OFF}
    )
    given.when(channel("telegram", True, "123456")).then(
        changed("channels.telegram"), preferred(channels={"telegram": ON})
    )


def test_the_address_of_email_and_sms_is_that_of_the_profile(given: Given) -> None:
    given(crm("2010-12-01")).when(channel("sms", True, "+49 30 123456")).then(
        changed("fields.phone"), preferred(), event("CompletionChanged", percent=25)
    )
    given.shows(fields={"phone": "+4930123456"})


def test_a_bad_address_is_refused_and_the_switch_stays(given: Given) -> None:
    given(crm("2010-12-01"))
    for name, address in (("email", "x"), ("sms", "12"), ("push", "{}"), ("telegram", "anna")):
        with pytest.raises(Refused) as refused:
            given.when(channel(name, False, address))
        assert refused.value.errors[0][0] == "address"
    assert given.customer.state.off == ()


def test_a_consent_given_twice_says_nothing_new(given: Given) -> None:
    given(crm("2010-12-01")).when(consent("marketing", True)).then(changed("consents.marketing"), preferred())
    given.told(200, consents={"marketing": {"granted": True, "text": "2011-1", "at": "2011-02-01T12:00:00Z"}})
    given.when(consent("marketing", True, when="2011-02-02")).then(changed("consents.marketing"))


def test_a_card_leads_to_its_customer_until_it_is_revoked(given: Given) -> None:
    given(crm("2010-12-01")).when(asked("IssueCard.v1"))
    card = given.customer.state.cards[0]
    given.then(event("CardIssued", card_id=card)).told(201, card_id=card)
    assert given.customer.views == {(views.CARDS, card): {"customer": "c-1"}}
    given.when(asked("RevokeCard.v1", card_id=card)).then(event("CardRevoked", card_id=card)).told(204)
    assert given.customer.views == {}
    given.when(asked("RevokeCard.v1", "2011-02-02", card_id=card)).then().told(404, type="not-found")


def test_cards_have_ids_of_their_partition_that_nobody_can_guess(given: Given) -> None:
    given(crm("2010-12-01"), asked("IssueCard.v1", "2011-02-01"), asked("IssueCard.v1", "2011-02-02"))
    one, other = given.customer.state.cards
    assert one != other
    for card in (one, other):
        place, _, rest = card.partition("-")
        assert (place, len(rest)) == ("07", 32)
        assert card != asked("IssueCard.v1", "2011-02-01").command_id


def test_the_same_request_for_a_card_issues_one(given: Given) -> None:
    given(crm("2010-12-01"), asked("IssueCard.v1")).when(asked("IssueCard.v1")).then()


def test_a_customer_has_ten_cards_at_most(given: Given) -> None:
    given(crm("2010-12-01"), *(asked("IssueCard.v1", f"2011-02-{day:02}") for day in range(1, MOST_CARDS + 1)))
    given.when(asked("IssueCard.v1", "2011-03-01")).then().told(409, type="conflict")
    given(asked("RevokeCard.v1", card_id=given.customer.state.cards[3]))
    given.when(asked("IssueCard.v1", "2011-03-01")).told(201)


def test_totals_count_customers_by_percent_and_by_what_they_lack(given: Given) -> None:
    assert given.customer.totals == {}
    given(crm("2010-12-01", {"email": EMAIL, "phone": PHONE}), tick("2011-01-01"))
    assert given.customer.totals == {"customers": 1, "percent:50": 1, "missing:birthday": 1, "missing:address": 1}
    assert views.completions({"customers": 3, "percent:50": 2, "percent:0": 1, "missing:a": 1, "missing:b": 3}) == {
        "customers": 3,
        "percent": [{"percent": 0, "customers": 1}, {"percent": 50, "customers": 2}],
        "missing": [{"field": "b", "customers": 3}, {"field": "a", "customers": 1}],
    }


def test_an_address_has_a_ref_that_changes_with_it(given: Given) -> None:
    given(crm("2010-12-01", {"email": EMAIL}, name="Anna"))
    first = views.contact("c-1", given.customer.state)["channels"]["email"]["ref"]
    given(crm("2010-12-02", {"email": EMAIL}, name="Berta"))
    assert views.contact("c-1", given.customer.state)["channels"]["email"]["ref"] == first
    given(crm("2010-12-03", {"email": "b@example.org"}))
    assert views.contact("c-1", given.customer.state)["channels"]["email"]["ref"] != first
