"""The pages as HTML: in every language, with nothing that the policy forbids, and with all that is foreign as text."""

from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from services.portal import parts
from services.portal.assets import Assets
from services.portal.card import qr
from services.portal.render import Renderer
from services.portal.settings import PortalSettings
from services.portal.texts import LANGUAGES
from shared.contracts.coherence import parse_programme
from shared.rulebook.programme import Programme
from tests.portal import samples
from tests.portal.samples import completion
from tests.portal.world import PROGRAMME, Customer

SCRIPT = "<script>alert(1)</script><img src=x onerror=alert(1)>\"'{{ 7*7 }}"
STATES = {"unknown": samples.unknown, "fresh": samples.fresh, "busy": samples.busy, "complete": samples.complete}
PLACES = ("bonus", "history", "card", "data", "sorry", "signed_out")


@pytest.fixture(scope="module")
def renderer(tmp_path_factory: pytest.TempPathFactory) -> Renderer:
    key = tmp_path_factory.mktemp("portal") / "key.json"
    key.write_text("{}")
    settings = PortalSettings(
        portal_url="http://127.0.0.1:8000", profile_url="http://127.0.0.1:8001", development_key=key
    )
    return Renderer(settings, Assets())


def page(renderer: Renderer, customer: Customer, language: str, place: str = "bonus", **more: Any) -> str:
    m, say = customer.shows(language), customer.say(language)
    given = parts.values(m, say, **more)
    match place:
        case "bonus":
            return renderer.html("status.html", language, given)
        case "history":
            return renderer.html("history.html", language, given)
        case "card":
            card = {"say": say, "card": m.card, "qr": qr(m.card) if m.card else None, "known": True}
            return renderer.html("card.html", language, card | parts.shell("card", "c-1"))
        case "data":
            mine = {"say": say, "fields": {"email": SCRIPT}, "refused": frozenset(), "focus": None, "done": "saved"}
            return renderer.html("data.html", language, mine | parts.shell("data", "c-1"))
        case "sorry":
            return renderer.html("sorry.html", language, {"status": 503, "signed_in": False})
        case _:
            return renderer.html("signed_out.html", language, {"signed_in": False, "again": "/sign-in"})


class Reader(HTMLParser):
    """Every tag of a page with its attributes, and the ids."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("place", PLACES)
def test_no_page_has_what_the_policy_forbids(renderer: Renderer, language: str, state: str, place: str) -> None:
    read = Reader(page(renderer, STATES[state](locale=language), language, place))
    for tag, attributes in read.tags:
        assert tag != "style"
        assert not [name for name in attributes if name == "style" or name.startswith("on")], (tag, attributes)
        if tag == "script":
            assert (attributes["src"] or "").startswith("/static/")
        for name in ("src", "href", "action"):
            assert (attributes.get(name) or "/").startswith(("/", "#")), (tag, attributes)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("state", STATES)
def test_ids_are_unique_and_what_refers_to_them_finds_them(renderer: Renderer, language: str, state: str) -> None:
    html = page(renderer, STATES[state](locale=language), language, given={}, refused=frozenset({"address"}))
    read = Reader(html)
    ids = [attributes["id"] for _, attributes in read.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    for _, attributes in read.tags:
        for name in ("for", "aria-labelledby", "aria-describedby"):
            assert set((attributes.get(name) or "").split()) <= set(ids), attributes
        address = attributes.get("href") or ""
        assert not address.startswith("#") or address.removeprefix("#") in ids, attributes


def test_a_script_in_a_field_or_a_label_is_text(renderer: Renderer) -> None:
    document = PROGRAMME.versions[0].terms.model_dump(mode="json")
    for part in (*document["tiers"], *document["benefits"], *document["profile"]["fields"]):
        part["label"] = dict.fromkeys(LANGUAGES, SCRIPT)
    document = {name: value for name, value in document.items() if value is not None}
    customer = samples.busy()
    customer.programme = Programme([parse_programme(_without_nulls(document))])
    customer.hears(
        "ledger",
        "PointsAdjusted.v1",
        entry_id="8",
        points=1,
        totals=samples.totals(1),
        postings=[],
        lots=[],
        reason="goodwill",
        by=SCRIPT,
    )
    customer.hears("profile", "CardIssued.v1", card_id=SCRIPT[:64])
    typed = {"phone": SCRIPT, "birthday": SCRIPT}
    for place in PLACES:
        html = page(renderer, customer, "en", place, given=typed, refused=frozenset(typed))
        assert "<script>alert" not in html
        assert "<img src=x" not in html


def test_what_was_typed_stays_with_its_reason_and_the_focus(renderer: Renderer) -> None:
    html = page(renderer, samples.fresh(), "en", given={"phone": "12"}, refused=frozenset({"phone"}), focus="phone")
    field = next(attributes for _, attributes in Reader(html).tags if attributes.get("id") == "field-phone")
    assert field["value"] == "12"
    assert (field["aria-invalid"], "autofocus" in field) == ("true", True)
    assert "wrong-phone" in (field["aria-describedby"] or "")


def test_the_celebration_comes_once_and_only_with_the_last_field(renderer: Renderer) -> None:
    assert 'class="celebration"' in page(renderer, samples.complete(), "en", done="complete")
    assert 'class="celebration"' not in page(renderer, samples.complete(), "en", done="saved")
    assert 'class="celebration"' not in page(renderer, samples.complete(), "en")


def test_the_warning_is_not_shown_where_it_does_not_matter(renderer: Renderer) -> None:
    assert 'id="waiting"' in page(renderer, samples.busy(), "en")
    assert 'id="waiting"' not in page(renderer, samples.fresh(), "en")
    assert 'id="waiting"' not in page(renderer, samples.complete(), "en")


def test_a_shell_of_the_retailers_own_takes_the_place_of_ours(tmp_path: Path) -> None:
    (tmp_path / "shell.html").write_text("<html><body>Our shop {% block content %}{% endblock %}</body></html>")
    settings = PortalSettings(
        portal_url="https://shop.example",
        profile_url="http://p",
        oidc_issuer="https://id.example",
        portal_shell=tmp_path,
    )
    html = page(Renderer(settings, Assets()), samples.fresh(), "en")
    assert html.startswith("<html><body>Our shop")
    assert 'id="headline"' in html


def test_a_shell_that_is_no_template_is_refused_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "shell.html").write_text("<html>\n{% block content %}\n</html>")
    settings = PortalSettings(
        portal_url="https://shop.example",
        profile_url="http://p",
        oidc_issuer="https://id.example",
        portal_shell=tmp_path,
    )
    with pytest.raises(SystemExit, match=r"portal: .*/shell\.html, line [23]: "):
        Renderer(settings, Assets())


def test_values_of_a_profile_are_on_no_page_but_that_of_the_customers_data(renderer: Renderer) -> None:
    customer = samples.fresh().hears("profile", "CompletionChanged.v1", **completion("email", "phone"))
    assert "a@example.org" not in page(renderer, customer, "en")


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_nulls(one) for name, one in value.items() if one is not None}
    return [_without_nulls(one) for one in value] if isinstance(value, list) else value
