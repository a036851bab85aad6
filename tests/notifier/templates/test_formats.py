"""Numbers, money and days as each language writes them."""

from datetime import UTC, datetime

import pytest

from services.notifier.templates.formats import Say, language
from services.notifier.templates.params import PointsExpiring, ProfileReminder
from shared.rulebook.programme import Programme
from tests.notifier.templates.conftest import Render, version

SPACE = "\N{NO-BREAK SPACE}"


def say(locale: str, **other: object) -> Say:
    return Say(Programme([version(**other)]), 1, locale)


@pytest.mark.parametrize(
    ("locale", "spoken"),
    [
        ("de", "de"),
        ("de-AT", "de"),
        ("ru_RU", "ru"),
        ("EN-gb", "en"),
        ("fr", "en"),
        ("", "en"),
        ("../x", "en"),
        ("deu", "en"),
    ],
)
def test_a_locale_leads_to_a_language_that_we_speak(locale: str, spoken: str):
    assert language(locale) == spoken
    assert say(locale).tier("silver") == {"en": "Silver", "de": "Silber", "ru": "Серебро"}[spoken]


@pytest.mark.parametrize(
    ("locale", "currency", "minor", "written"),
    [
        ("en", "EUR", 123456, "€1,234.56"),
        ("de", "EUR", 123456, f"1.234,56{SPACE}€"),
        ("de-AT", "EUR", 123456, f"€{SPACE}1.234,56"),
        ("ru", "EUR", 123400, f"1{SPACE}234,00{SPACE}€"),
        ("en", "JPY", 1234, "¥1,234"),
        ("en", "KWD", 1234, f"KWD{SPACE}1.234"),
        ("en", "RSD", 1250, f"RSD{SPACE}12.50"),  # whose decimals CLDR leaves out
        ("fr", "EUR", 5, "€0.05"),
        ("en", "EUR", 10**12, "€10,000,000,000.00"),
    ],
)
def test_money_has_all_its_decimals(locale: str, currency: str, minor: int, written: str):
    assert say(locale, currency=currency).money(minor) == written


@pytest.mark.parametrize(
    ("points", "said"),
    [(1, "1 балл"), (2, "2 балла"), (5, "5 баллов"), (11, "11 баллов"), (21, "21 балл"), (1003, f"1{SPACE}003 балла")],
)
def test_russian_counts(render: Render, points: int, said: str):
    params = PointsExpiring(programme_version=1, points=points, expires_at=datetime(2026, 1, 1, tzinfo=UTC), days=30)
    assert render(params, "ru").subject.startswith(f"{said}: ")


def test_one_is_singular(render: Render):
    missing = render("profile_reminder").subject
    params = ProfileReminder(programme_version=1, percent=75, missing=())
    assert missing == "3 details are missing from your profile"
    assert render(params).subject.startswith("0 details")


@pytest.mark.parametrize(
    ("locale", "day"),
    [
        ("en", "March 31, 2026"),
        ("en-GB", "31 March 2026"),
        ("de", "31. März 2026"),
        ("ru", "31 марта 2026\N{NARROW NO-BREAK SPACE}г."),
    ],
)
def test_what_ends_with_a_day_names_that_day(locale: str, day: str):
    midnight = datetime(2026, 3, 31, 22, tzinfo=UTC)  # in Berlin: the first instant of 1 April
    assert say(locale).last_day(midnight) == day


def test_a_moment_is_told_in_the_zone_of_the_programme():
    assert say("de").moment(datetime(2026, 3, 31, 22, 30, tzinfo=UTC)) == "1. April 2026, 00:30"


def test_percents_are_exact():
    assert (say("de").percent(75), say("en").percent("2.5")) == (f"75{SPACE}%", "2.5%")
