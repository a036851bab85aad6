"""Three languages: every text is translated, and money, days and numbers are written as each language does."""

import re

import pytest

from services.portal.texts import LANGUAGES, accepted, catalogue, language_of
from tests.portal import samples
from tests.portal.wording import texts

VARIABLE = re.compile(r"%\((\w+)\)s")
OTHERS = [language for language in LANGUAGES if language != "en"]


@pytest.mark.parametrize("language", OTHERS)
def test_every_text_is_translated_and_no_other(language: str) -> None:
    known = {
        message.id if isinstance(message.id, str) else message.id[0] for message in catalogue(language) if message.id
    }
    assert known == {text[0] for text in texts()}


@pytest.mark.parametrize("language", OTHERS)
def test_every_translation_has_its_forms_and_its_variables(language: str) -> None:
    found = catalogue(language)
    for text in texts():
        *_, last = text
        message = found.get(text[0])
        assert message is not None
        forms = (message.string,) if isinstance(message.string, str) else tuple(message.string or ())
        assert len(forms) == (found.num_plurals if len(text) > 1 else 1), text
        for form in forms:
            assert form, text
            assert set(VARIABLE.findall(form)) in [set(VARIABLE.findall(part)) for part in text], text
            assert form.count("<b>") == last.count("<b>"), text


@pytest.mark.parametrize(
    ("language", "points"),
    [("en", ["1 point", "2 points", "1,250 points"]), ("de", ["1 Punkt", "2 Punkte", "1.250 Punkte"])],
)
def test_points_have_their_plural(language: str, points: list[str]) -> None:
    say = samples.fresh(locale=language).say(language)
    assert [say.points(n) for n in (1, 2, 1250)] == points


def test_russian_points_have_three_plurals() -> None:
    say = samples.fresh(locale="ru").say("ru")
    assert [say.points(n) for n in (1, 2, 5, 21, 112)] == ["1 балл", "2 балла", "5 баллов", "21 балл", "112 баллов"]


def test_money_has_all_its_places_and_prices_only_those_they_need() -> None:
    say = samples.fresh().say()
    assert (say.money(100), say.price(100), say.price(150)) == ("€1.00", "€1", "€1.50")


@pytest.mark.parametrize(("language", "less"), [("en", "−€10.00"), ("de", "−10,00\xa0€"), ("ru", "−10,00\xa0€")])
def test_what_came_back_has_the_same_minus_in_money_and_in_points(language: str, less: str) -> None:
    say = samples.fresh(locale=language).say(language)
    assert (say.money(-1000), say.signed(-10)) == (less, "−10")


def test_a_region_of_the_language_is_heeded_and_one_of_another_is_not() -> None:
    customer = samples.fresh()
    assert customer.say("de-AT").money(123456).replace("\xa0", " ") == "€ 1.234,56"
    assert customer.say("en-GB").day(samples.busy().shows().history.items[0].at.date()) == "9 May 2026"


def test_a_tag_that_is_none_falls_back_to_english() -> None:
    assert language_of("../../etc/passwd") is None
    assert samples.fresh().say("en-☃").money(100) == "€1.00"


@pytest.mark.parametrize(
    ("header", "tag"),
    [
        ("de-CH,de;q=0.9,en;q=0.8", "de-CH"),
        ("fr, ru;q=0.3, en;q=0.2", "ru"),
        ("fr", None),
        ("", None),
        (None, None),
        ("de;q=nothing, ru", "ru"),
    ],
)
def test_a_browser_is_answered_in_what_it_wants_most_of_what_we_speak(header: str | None, tag: str | None) -> None:
    assert accepted(header) == tag
