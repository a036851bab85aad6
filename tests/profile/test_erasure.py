"""Erasure in two steps: accepted stops everything but the receipt; then the key goes, and nothing is left to read."""

from collections.abc import Callable

import pytest

from services.profile import rules, views
from services.profile.state import Erasure, State
from shared.rulebook.refused import Refused
from tests.profile.world import (
    EMAIL,
    WHOLE,
    Given,
    Message,
    asked,
    at,
    channel,
    consent,
    crm,
    edit,
    event,
    message_of,
    notified,
    tick,
    wish_to_be_forgotten,
)

Under = Callable[..., Given]
ACCEPTED, ERASED = event("ErasureAccepted"), event("CustomerErased")
MARKS = ("MARKED", "marked@example.org", "+4930777777", "1977-07-07")
MARKED = {"email": "marked@example.org", "phone": "+4930777777", "birthday": "1977-07-07", "address": "MARKED-address"}


@pytest.mark.parametrize("request_", [asked("Erase.v1"), wish_to_be_forgotten("2011-01-01")])
def test_an_erasure_is_accepted_with_a_receipt_and_takes_the_cards_away(given: Given, request_: Message) -> None:
    given(crm("2010-12-01", WHOLE), asked("IssueCard.v1")).when(request_).then(ACCEPTED)
    erasure = given.customer.state.erasure
    assert erasure is not None
    assert erasure.receipt_id.startswith("r-")
    assert given.entries[0].fact.model_dump()["receipt_id"] == erasure.receipt_id
    assert given.customer.views == {}
    assert not rules.forgotten(given.customer.state)


def test_the_customer_is_told_the_receipt(given: Given) -> None:
    given(crm("2010-12-01")).when(asked("Erase.v1"))
    erasure = given.customer.state.erasure
    assert erasure is not None
    given.told(200, receipt_id=erasure.receipt_id)


@pytest.mark.parametrize(
    "kind", ["NotificationSent.v1", "NotificationFailed.v1", "NotificationSuppressed.v1", "NotificationWithdrawn.v1"]
)
def test_when_the_receipt_is_sent_or_never_will_be_the_customer_is_erased(given: Given, kind: str) -> None:
    given(crm("2010-12-01", WHOLE), asked("Erase.v1")).when(notified(kind, when="2010-12-02")).then(
        ERASED | {"cause": (kind, "notifier/c-1/1")}
    )
    assert rules.forgotten(given.customer.state)


def test_another_message_is_no_receipt(given: Given) -> None:
    given(crm("2010-12-01", WHOLE), asked("Erase.v1")).when(notified(template="tier_changed")).then()
    given.when(notified(), notified()).then(ERASED)


def test_a_receipt_of_somebody_who_is_not_to_be_erased_means_nothing(given: Given) -> None:
    given.when(notified()).then()
    given(crm("2010-12-01")).when(notified()).then()


def test_after_24_hours_the_customer_is_erased_without_a_receipt(given: Given) -> None:
    given(crm("2010-12-01", WHOLE), tick("2010-12-05T10:00:00Z"), wish_to_be_forgotten("2010-12-03"))
    assert rules.due_at(given.customer.state, given.customer.programme) == at("2010-12-06T10:00:00Z")
    given.when(tick("2010-12-06T09:59:59Z")).then()
    given.when(tick("2010-12-08")).then(ERASED | {"occurred_at": at("2010-12-06T10:00:00Z")})
    assert rules.due_at(given.customer.state, given.customer.programme) is None
    given.when(tick("2015-01-01")).then()


def test_the_receipt_is_settled_before_what_comes_after_its_time(given: Given) -> None:
    given(crm("2010-12-01"), asked("Erase.v1"), tick("2010-12-01"))
    given.when(notified(when="2011-01-01")).then(ERASED)
    assert given.customer.state.erasure is not None


@pytest.mark.parametrize("erased", [True, False])
def test_from_accepted_on_records_are_refused_and_requests_told(given: Given, erased: bool) -> None:
    given(crm("2010-12-01", WHOLE), asked("Erase.v1"), *([notified()] if erased else []))
    before = given.customer.state
    with pytest.raises(Refused, match=r"^erased"):
        given.when(crm("2011-03-01", {"email": EMAIL}))
    for request in (
        edit(fields={"email": EMAIL}),
        channel("sms", True),
        consent("marketing", True),
        asked("SetReminders.v1", on=True),
        asked("IssueCard.v1"),
        asked("RevokeCard.v1", card_id="07-x"),
        asked("Erase.v1", "2011-03-03"),
    ):
        given.when(request).then().told(410, type="erased")
    given.when(wish_to_be_forgotten("2010-12-01"), wish_to_be_forgotten("2010-12-01T20:00:00Z")).then()
    assert given.customer.state == before


def test_an_accepted_erasure_stops_birthdays_and_versions(given: Given) -> None:
    given(crm("2010-12-01", {"birthday": "1980-03-17"}), tick("2011-03-16"), asked("Erase.v1"))
    given.when(tick("2011-03-17T11:00:00Z")).then()


def test_the_receipt_can_still_be_addressed(given: Given) -> None:
    given(crm("2010-12-01", WHOLE, name="Anna"), asked("Erase.v1"))
    contact = views.contact("c-1", given.customer.state)
    assert contact["channels"].keys() == {"email", "sms"}
    assert contact["name"] is not None


def test_somebody_the_crm_never_named_is_erased_before_they_are_enrolled(given: Given) -> None:
    given.when(wish_to_be_forgotten("2010-12-01")).then(ACCEPTED)
    with pytest.raises(Refused, match=r"^erased"):
        given.when(crm("2010-12-02", WHOLE))
    given.when(tick("2010-12-03")).then(ERASED)


def test_nobody_else_is_erased_by_a_request_of_their_own(given: Given) -> None:
    given.when(asked("Erase.v1")).then().told(404, type="not-found")


def test_after_the_erasure_the_state_says_so_and_nothing_else(given: Given) -> None:
    given(crm("2010-12-01", WHOLE, name="Anna"), consent("marketing", True), asked("IssueCard.v1"))
    given(asked("Erase.v1"), notified())
    state = given.customer.state
    assert state.erasure is not None
    assert state == State(
        version=state.version, clock=state.clock, erasure=Erasure(state.erasure.receipt_id, at("2010-12-01"), True)
    )
    assert given.customer.totals == {}
    assert given.customer.rebuilt() == state


def test_no_value_of_a_person_is_anywhere_in_clear(given: Given) -> None:
    given.when(crm("2010-12-01", MARKED, name="MARKED name"))
    push = '{"endpoint": "https://MARKED.example.org", "keys": {"p256dh": "k", "auth": "a"}}'
    for request in (
        edit(fields=MARKED | {"address": "MARKED too"}, name="MARKED again"),
        channel("push", True, push),
        channel("telegram", True, "77777777"),
        asked("IssueCard.v1"),
        tick("2011-07-07"),
        asked("Erase.v1"),
        tick("2011-08-01"),
    ):
        given.when(request)
        everything = given.customer.everything()
        for mark in (*MARKS, "77777777"):
            assert mark not in everything


def test_no_value_of_a_person_is_in_a_refusal_or_in_what_a_record_looks_like(given: Given) -> None:
    given(crm("2010-12-01"))
    bad: dict[str, str] = dict.fromkeys(("email", "phone", "birthday", "colour"), "MARKED")
    given.when(crm("2010-12-02", bad | {"address": "ok"}, name="MARKED\n", locale="MARKED", time_zone="MARKED"))
    assert "MARKED" not in given.customer.everything()
    with pytest.raises(Refused) as refused:
        given.when(edit(fields=bad))
    assert "MARKED" not in f"{refused.value.reason}{refused.value.errors}{refused.value!r}"
    assert "MARKED" not in repr(message_of(crm("2010-12-01", MARKED, name="MARKED", locale="MARKED")))
