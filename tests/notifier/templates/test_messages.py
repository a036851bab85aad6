"""Every message in every language: well-formed, complete, and the same as text and as HTML."""

import re
from datetime import UTC, datetime
from unicodedata import category
from xml.etree.ElementTree import Element

import html5lib
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from services.notifier.templates.formats import LANGUAGES
from services.notifier.templates.params import (
    TEMPLATES,
    BenefitUnlocked,
    MissingField,
    Params,
    PointsExpiring,
    ProfileReminder,
    TierChanged,
    Unlocked,
    read,
    stored,
    template_of,
)
from services.notifier.templates.samples import SAMPLES
from shared.rulebook.programme import Programme
from tests.notifier.templates.conftest import STATUS, UNSUBSCRIBE, Render, version

UP = SAMPLES["tier_changed"](version())
assert isinstance(UP, TierChanged)
DOWN = replace(UP, from_tier="silver", to_tier="bronze", direction="down", next_tier="silver", turnover_minor=0)
CASES: dict[str, Params] = {
    **{name: sample(version()) for name, sample in SAMPLES.items()},
    "up, complete": replace(UP, complete=True),
    "up, to the top": replace(UP, to_tier="gold", next_tier=None, to_next_minor=None),
    "up, for ever": replace(UP, valid_until=None),
    "down": replace(DOWN, to_next_minor=50000),
    "down, to a tier without benefits": replace(DOWN, valid_until=None, to_next_minor=1, turnover_minor=49999),
    "one benefit": BenefitUnlocked(programme_version=1, benefits=(Unlocked(benefit="free_delivery"),)),
    "one coupon": BenefitUnlocked(programme_version=1, benefits=(Unlocked(benefit="year_coupon", value_minor=1),)),
    "a benefit that is gone": BenefitUnlocked(programme_version=1, benefits=(Unlocked(benefit="gone"),)),
    "the last week": PointsExpiring(programme_version=1, points=1, expires_at=datetime(2026, 1, 1, tzinfo=UTC), days=7),
    "nothing told yet": ProfileReminder(programme_version=1, percent=0, missing=(MissingField("email", ()),)),
}
HTML = [case for case, params in CASES.items() if template_of(params) != "points_redeemed"]
every_language = pytest.mark.parametrize("locale", LANGUAGES)


def parse(html: str) -> Element:
    """The tree of an HTML document; raises for anything that HTML5 calls an error."""
    return html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(html)


def visible(tree: Element) -> list[str]:
    """What a reader sees: the texts of the body, without the line that mail programs show in their lists."""
    body = tree.find("body")
    assert body is not None
    body.remove(body[0])
    texts: list[str | None] = []
    for element in body.iter():
        # What is in comments is for old Outlook alone; what follows one is for everybody.
        texts += [element.text if isinstance(element.tag, str) else None, element.tail]  # pyright: ignore[reportUnnecessaryIsInstance]
    return [text for text in map(squeezed, filter(None, texts)) if text]


def squeezed(text: str) -> str:
    return " ".join(text.split())


def test_there_is_a_case_for_every_template():
    assert {template_of(params) for params in CASES.values()} == set(TEMPLATES) == set(SAMPLES)


@pytest.mark.parametrize("case", CASES)
def test_parameters_survive_storage(case: str):
    assert read(stored(CASES[case])) == CASES[case]


@every_language
@pytest.mark.parametrize("case", CASES)
def test_subject_and_short_text_are_one_full_line(render: Render, case: str, locale: str):
    message = render(CASES[case], locale)
    for line in (message.subject, message.short):
        assert line
        assert line == line.strip()
        assert not re.search(r"\s\s|[\r\n]", line)
        assert "None" not in line
    assert len(message.subject) <= 78


@every_language
@pytest.mark.parametrize("case", HTML)
def test_html_is_well_formed_and_the_text_says_the_same(render: Render, case: str, locale: str):
    message = render(CASES[case], locale)
    text = squeezed(message.text)
    tree = parse(message.html or "")
    assert tree.get("lang") == locale
    assert tree.findtext("head/title") == message.subject
    for seen in visible(tree):
        assert seen in text
    assert "None" not in text
    assert message.text.count("\n\n\n") == 0


@every_language
@pytest.mark.parametrize("case", HTML)
def test_every_link_is_absolute_and_in_the_text_too(render: Render, case: str, locale: str):
    message = render(CASES[case], locale)
    links = {str(link.get("href")) for link in parse(message.html or "").iter("a")}
    assert links <= {STATUS, UNSUBSCRIBE}
    assert UNSUBSCRIBE in links
    assert all(link in message.text for link in links)
    assert not re.search(r"\ssrc=|url\(|@import", message.html or "")  # nothing that tells when it was opened


@every_language
def test_languages_differ(render: Render, locale: str):
    for name in SAMPLES:
        others = [render(name, other).text for other in LANGUAGES if other != locale]
        assert render(name, locale).text not in others


def test_a_reminder_switches_off_reminders_and_others_mail(render: Render):
    assert "Switch off these reminders" in render("profile_reminder").text
    assert "Unsubscribe from these e-mails" in render("points_expiring").text


def test_a_reminder_tells_what_each_detail_brings(render: Render):
    text = render("profile_reminder", "de").text
    assert "Ihr Profil ist zu 25\N{NO-BREAK SPACE}% vollständig." in text
    assert "* Geburtsdatum\n  - Geburtstagsgeschenk: 250 Punkte (2,50\N{NO-BREAK SPACE}€) · jedes Jahr zu Ihrem" in text


def test_a_new_tier_tells_the_way_to_the_next(render: Render):
    message = render("tier_changed")
    assert message.subject == "Your new status: Silver"
    assert "Left to spend for Gold: €1,125.00" in message.text
    assert "Status valid until: December 31, 2027" in message.text
    assert "You can use these benefits as soon as your profile is complete." in message.text
    assert "Complete my profile: " in message.text


def test_the_top_has_no_next_tier(render: Render):
    text = render(CASES["up, to the top"]).text
    assert "This is the highest status." in text
    assert "Left to spend" not in text


def test_who_is_not_known_by_name_is_greeted_too(render: Render):
    assert "\nHello,\n" in f"\n{render('points_expiring', name=None).text}"


def test_what_was_bought_with_points_is_told_shortly(render: Render):
    message = render("points_redeemed")
    assert (message.subject, message.short) == ("Paid with points: 500", "You saved €5.00. Points left: 740")
    assert message.html is None


def test_points_without_a_price_are_not_priced(render: Render):
    free = version(points={"per_minor": 100, "pending": "P14D", "expiry": "P12M", "value_minor": 0, "hold": "PT15M"})
    message = render("points_expiring", programme=Programme([free]))
    assert message.short == "Do not let your points expire."
    assert "€" not in message.text


def test_words_are_those_of_the_version_that_decided(render: Render):
    labels = {"en": "Premium", "de": "Premium", "ru": "Премиум"}
    tiers = [{**tier, "label": labels} for tier in version().model_dump(mode="json")["tiers"]]
    later = version(version=2, effective_from="2011-01-01", tiers=tiers)
    both = Programme([version(), later])
    assert render(UP, programme=both).subject == "Your new status: Silver"
    assert render(replace(UP, programme_version=2), programme=both).subject == "Your new status: Premium"


names = st.text(st.characters(exclude_categories=("Cs", "Cn")), max_size=40) | st.sampled_from(
    [
        "<script>alert(1)</script>",
        "{{ 7 * 7 }}",
        "{% raw %}",
        "%(brand)s",
        "&lt;b&gt;",
        "a\r\nBcc: b@example.org",
        '"><a href="x">',
    ]
)


@given(name=names, case=st.sampled_from(HTML))
def test_a_name_is_never_more_than_a_name(render: Render, name: str, case: str):
    message = render(CASES[case], name=name)
    plain = render(CASES[case], name="Alex")
    tree = parse(message.html or "")
    assert [element.tag for element in tree.iter()] == [element.tag for element in parse(plain.html or "").iter()]
    shown = squeezed("".join(" " if category(letter) in {"Cc", "Zl", "Zp"} else letter for letter in name))
    if shown:
        assert f"Hello {shown}," in visible(tree)
        assert squeezed(message.text.split("\n\n")[0]) == f"Hello {shown},"
    assert (message.subject, message.short) == (plain.subject, plain.short)


def test_a_message_does_not_show_itself_in_logs(render: Render):
    assert repr(render("tier_changed", "de")) == "Rendered(template='tier_changed', language='de')"


def test_a_label_is_never_more_than_a_label(render: Render):
    label = dict.fromkeys(LANGUAGES, "<b>{{ name }}</b> & %(tier)s")
    document = version().model_dump(mode="json")
    others = {part: [{**one, "label": label} for one in document[part]] for part in ("tiers", "benefits")}
    fields = [{**one, "label": label} for one in document["profile"]["fields"]]
    programme = Programme([version(**others, profile={"fields": fields})])
    assert render("tier_changed", programme=programme).subject == "Your new status: <b>{{ name }}</b> & %(tier)s"
    for template in SAMPLES.keys() - {"points_redeemed"}:
        tree = parse(render(template, programme=programme).html or "")
        assert not list(tree.iter("b"))
        assert template in {"points_expiring", "erasure_receipt"} or "<b>{{ name }}</b>" in " ".join(visible(tree))
