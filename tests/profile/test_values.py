"""Values: what is taken of each kind, in which form, and that what is refused leaves the old value."""

from datetime import date

import pytest
from email_validator import EmailNotValidError, validate_email
from hypothesis import given as whatever
from hypothesis import strategies as st

from services.profile.values import BadValueError, checked
from shared.rulebook.refused import Refused
from tests.profile.world import EMAIL, WHOLE, Given, crm, edit, tick

TODAY = date(2011, 3, 1)
SUBSCRIPTION = '{"endpoint": "https://push.example.org/1", "keys": {"p256dh": "k", "auth": "a"}}'


@pytest.mark.parametrize(
    ("kind", "text", "kept"),
    [
        ("email", "anna@example.org", "anna@example.org"),
        ("email", " Anna.B@EXAMPLE.org ", "Anna.B@example.org"),
        ("email", "o'hara+shop@example.co.uk", "o'hara+shop@example.co.uk"),
        ("email", "jörg@müller.de", "jörg@müller.de"),
        ("email", "anna@shop.test", "anna@shop.test"),
        ("phone", "+4930123456", "+4930123456"),
        ("phone", " +49 (30) 12-34/56 ", "+4930123456"),
        ("phone", "+15551234567", "+15551234567"),
        ("date", "1980-02-29", "1980-02-29"),
        ("date", "2011-03-01", "2011-03-01"),
        ("text", "x", "x"),
        ("text", "Lindenstraße 1\n10969 Berlin", "Lindenstraße 1\n10969 Berlin"),
        ("text", "x" * 500, "x" * 500),
        ("name", " Ада Лавлейс ", "Ада Лавлейс"),
        ("locale", "de", "de"),
        ("locale", "de-AT", "de-AT"),
        ("locale", "sr-Latn-RS", "sr-Latn-RS"),
        ("time_zone", "Asia/Kathmandu", "Asia/Kathmandu"),
        ("push", SUBSCRIPTION, SUBSCRIPTION),
        ("telegram", "1234567890", "1234567890"),
    ],
)
def test_a_value_of_its_kind_is_kept_in_one_form(kind: str, text: str, kept: str) -> None:
    assert checked(kind, text, TODAY) == kept
    assert checked(kind, kept, TODAY) == kept


@pytest.mark.parametrize(
    ("kind", "texts"),
    [
        ("email", ["", "anna", "@example.org", "anna@", "anna@localhost", "a b@c.de", "a@b@c.de", "Anna <a@b.de>"]),
        ("email", ["a@[127.0.0.1]", "a@example.invalid", "a@" + "b." * 130 + "de", "a@b.de\n\rx"]),
        ("phone", ["", "030123456", "+", "+49", "12", "+999123456", "+1-800-FLOWERS", "+49301234567890123", "+٤٩٣٠"]),
        ("phone", ["tel:+4930123456", "+4930123456;ext=5"]),
        (
            "date",
            ["", "17.03.1980", "1980-3-17", "2010-02-29", "2011-03-02", "1899-12-31", "19800317", "1980-03-17T00"],
        ),
        ("text", ["", " \n\t", "x" * 501]),
        ("name", ["", "  ", "Anna\nBcc: x", "x" * 201, "a\u2028b", "a\x00b"]),
        ("locale", ["", "german", "DE", "de_DE", "de-at", "en-US-posix"]),
        ("time_zone", ["", "Berlin", "Europe/berlin", "localtime", "../etc/passwd", "UTC+1"]),
        ("push", ["", "null", "[]", '{"endpoint": "http://x", "keys": {"p256dh": "k", "auth": "a"}}', "[" * 1000]),
        ("push", ['{"endpoint": "https://x"}', '"https://x"', SUBSCRIPTION + " " * 2000]),
        ("telegram", ["", "anna", "-100", "0", "1" * 21]),
    ],
)
def test_what_is_none_of_its_kind_is_refused_without_being_quoted(kind: str, texts: list[str]) -> None:
    for text in texts:
        with pytest.raises(BadValueError) as refused:
            checked(kind, text, TODAY)
        assert len(text) < 7 or text not in str(refused.value)


@whatever(st.one_of(st.emails(), st.text(max_size=20), st.from_regex(r"[a-z._+-]{1,70}@[a-z.-]{1,20}", fullmatch=True)))
def test_addresses_are_judged_as_the_library_judges_them(text: str) -> None:
    try:
        expected = validate_email(text.strip(), check_deliverability=False, test_environment=True).normalized
    except EmailNotValidError:
        with pytest.raises(BadValueError):
            checked("email", text, TODAY)
    else:
        assert checked("email", text, TODAY) == expected


@whatever(st.sampled_from(["email", "phone", "date", "text", "name", "locale", "time_zone", "push"]), st.text())
def test_any_text_is_taken_or_refused(kind: str, text: str) -> None:
    try:
        kept = checked(kind, text, TODAY)
    except BadValueError:
        return
    assert checked(kind, kept, TODAY) == kept


def test_of_a_crm_record_the_valid_parts_count_and_the_bad_fields_are_named(given: Given) -> None:
    given(crm("2010-12-01", WHOLE))
    given.when(crm("2010-12-02", {"email": "nonsense", "phone": "+4930999999", "colour": "blue"}, name=5)).shows(
        fields=WHOLE | {"phone": "+4930999999"}, name=None
    )
    assert given.buried() == (
        "fields.email: is no e-mail address; fields: has a name that is no field of the profile; "
        "name: is no text of up to 500 characters"
    )


def test_a_crm_record_without_a_valid_part_enrols_and_its_bad_parts_are_named(given: Given) -> None:
    given.when(crm("2010-12-01", {"email": "nonsense"})).shows(percent=0, version=3)
    assert given.buried() == "fields.email: is no e-mail address"


def test_a_crm_record_that_changes_nothing_is_refused_for_its_bad_parts(given: Given) -> None:
    given(crm("2010-12-01", WHOLE))
    with pytest.raises(Refused, match=r"^fields\.email: is no e-mail address$"):
        given.when(crm("2010-12-01", WHOLE | {"email": "nonsense"}))
    given.shows(fields=WHOLE)


@pytest.mark.parametrize(
    ("parts", "reason"),
    [
        ({"fields": []}, "fields: is no object"),
        ({"fields": {"email": 5}}, "fields.email: is no text of up to 500 characters"),
        ({"fields": {"email": ["secret"]}}, "fields.email: is no text of up to 500 characters"),
        ({"fields": {"secret": "x"}}, "fields: has a name that is no field of the profile"),
        ({"fields": {"secret": 5}}, "fields: has a name that is no field of the profile"),
        ({"name": "x\ny"}, "name: is not 1 to 200 printable characters"),
        ({"locale": {"secret": 1}}, "locale: is no text of up to 500 characters"),
        ({"locale": "german"}, "locale: is no language tag, such as de or de-AT"),
        ({"time_zone": "Berlin"}, "time_zone: is no time zone of the IANA database, such as Europe/Berlin"),
        ({"consents": None}, "consents: is no object"),
        ({"consents": {"secret": {"granted": True, "text": "1"}}}, "consents: has a purpose that is none of"),
        ({"consents": {"marketing": True}}, "consents.marketing: is no object"),
        ({"consents": {"marketing": {"granted": 1}}}, "consents.marketing.granted: is neither true nor false"),
        ({"consents": {"marketing": {"granted": True}}}, "consents.marketing: names no version of a text"),
        (
            {"consents": {"marketing": {"granted": True, "text": "1", "at": "2010-12-02T13:00:00Z"}}},
            "consents.marketing: is later than the record",
        ),
    ],
)
def test_each_part_of_a_crm_record_stands_by_itself(given: Given, parts: dict[str, object], reason: str) -> None:
    good = {"fields": {"email": EMAIL}, "name": "Anna", "locale": "de", "time_zone": "Europe/Vienna"}
    given(crm("2010-12-01")).when(crm("2010-12-02", **(good | parts)))
    said = given.buried()
    assert said is not None
    assert said.startswith(reason)
    assert "secret" not in said
    for part in good.keys() - parts.keys():
        given.shows(**{part: good[part]})


def test_an_edit_with_a_bad_field_is_refused_whole_and_every_field_is_named(given: Given) -> None:
    given(crm("2010-12-01", {"phone": "+4930123456"}))
    before = given.customer.state
    with pytest.raises(Refused) as refused:
        given.when(edit(fields={"email": EMAIL, "phone": "12", "birthday": "2099-01-01", "colour": "x"}, locale="x"))
    assert refused.value.errors == (
        ("fields.phone", "is no phone number with country code, such as +49 30 123456"),
        ("fields.birthday", "is after today"),
        ("fields.colour", "is no field of the profile"),
        ("locale", "is no language tag, such as de or de-AT"),
    )
    assert given.customer.state == before


def test_a_box_that_cannot_be_opened_is_a_bad_value(given: Given) -> None:
    given(crm("2010-12-01"))
    command = edit(fields={"email": EMAIL})
    command.body.values["fields.phone"] = command.body.values["fields.email"]
    with pytest.raises(Refused) as refused:
        given.when(command)
    assert refused.value.errors == (("fields.phone", "cannot be read"),)


def test_a_date_may_be_today_by_the_programmes_clock_and_no_later(given: Given) -> None:
    given(crm("2010-12-01"), tick("2010-12-31T22:59:59Z"))
    with pytest.raises(Refused):
        given.when(edit(fields={"birthday": "2011-01-01"}))
    given(tick("2010-12-31T23:00:00Z")).when(edit(fields={"birthday": "2011-01-01"})).told(
        200, fields={"birthday": "2011-01-01"}
    )
