"""What is wrong with a template or a translation is seen at start, all of it."""

from io import BytesIO

import pytest
from babel.messages.pofile import read_po

from services.notifier.templates import environment
from services.notifier.templates.checking import faults, texts_of
from services.notifier.templates.formats import LANGUAGES


def found(sources: dict[str, str], translations: str = "", known: frozenset[str] = frozenset({"n"})) -> list[str]:
    catalogue = read_po(BytesIO(HEADER + translations.encode()), locale="ru")
    return list(faults(environment.environment(sources), sources, dict.fromkeys(sources, known), {"ru": catalogue}))


HEADER = rb"""msgid ""
msgstr ""
"Content-Type: text/plain; charset=utf-8\n"
"Plural-Forms: nplurals=3; plural=(n%10==1 && n%100!=11 ? 0 : n%10>=2 && n%10<=4 && (n%100<10 || n%100>=20) ? 1 : 2);\n"

"""
PLURAL = "{% trans n=n %}{{ n }} point{% pluralize %}{{ n }} points{% endtrans %}"


def test_the_templates_have_no_fault():
    assert environment.load()


def test_a_variable_that_nobody_gives():
    assert found({"a.txt": "{{ n }}{{ points }}{% set x = 1 %}{{ x }}"}) == [
        "a.txt: uses points, which it is not given"
    ]


def test_a_template_that_does_not_exist():
    assert found({"a.txt": '{% extends "b.txt" %}'}) == ["a.txt: needs b.txt, which does not exist"]


def test_a_template_that_cannot_be_read():
    assert found({"a.txt": "\n{% if %}"}) == ["a.txt: line 2: Expected an expression, got 'end of statement block'"]


@pytest.mark.parametrize(
    ("translations", "said"),
    [
        ("", "ru: '%(n)s point' is not translated"),
        (
            '#, fuzzy\nmsgid "%(n)s point"\nmsgid_plural "%(n)s points"\nmsgstr[0] "а"\nmsgstr[1] "а"\nmsgstr[2] "а"',
            "is not translated",
        ),
        (
            'msgid "%(n)s point"\nmsgid_plural "%(n)s points"\nmsgstr[0] "%(n)s"\nmsgstr[1] "%(n)s"\nmsgstr[2] ""',
            "lacks a form",
        ),
        (
            'msgid "%(n)s point"\nmsgid_plural "%(n)s points"\nmsgstr[0] "%(n)s"\nmsgstr[1] "%(m)s"\nmsgstr[2] "%(n)s"',
            "other variables",
        ),
    ],
)
def test_a_translation_that_will_not_do(translations: str, said: str):
    [fault] = found({"a.txt": PLURAL}, translations)
    assert said in fault


def test_a_translation_that_will():
    forms = 'msgid "%(n)s point"\nmsgid_plural "%(n)s points"\n' + "".join(f'msgstr[{n}] "%(n)s а"\n' for n in range(3))
    assert found({"a.txt": PLURAL}, forms) == []


@pytest.mark.parametrize("language", LANGUAGES[1:])
def test_no_translation_is_left_over(language: str):
    sources = environment.read_sources()
    wanted = {next(iter(text)) for text in texts_of(environment.environment(sources), sources.values())}
    ids = {message.id if isinstance(message.id, str) else message.id[0] for message in environment.catalogue(language)}
    assert ids - {""} == wanted
