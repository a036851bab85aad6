"""The templates, read and checked at start: MJML compiled once, Jinja in a sandbox, a catalogue for each language."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from io import BytesIO
from typing import Any, Final

import mjml
from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import NullTranslations, Translations
from jinja2 import DictLoader, StrictUndefined, Template
from jinja2.sandbox import ImmutableSandboxedEnvironment

from services.notifier.templates.checking import faults
from services.notifier.templates.formats import LANGUAGES
from services.notifier.templates.params import TEMPLATES

_FOLDER: Final = files("services.notifier.templates")
_ALWAYS: Final = frozenset({"brand", "name", "say", "status_url", "template", "unsubscribe_url"})
_IN_HTML: Final = frozenset({"language", "short", "subject"})  # the latter two are what the text has made


class TemplatesError(Exception):
    """Templates that cannot be used; `faults` names every one."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


@dataclass(frozen=True, slots=True)
class Pair:
    """A template in one language. `text` also sets `subject` and `short`; `html` is missing where no mail is sent."""

    text: Template
    html: Template | None


@cache
def load() -> dict[tuple[str, str], Pair]:
    """All templates by name and language; raises `TemplatesError` for what is missing or wrong."""
    sources = read_sources()
    catalogues = {language: catalogue(language) for language in LANGUAGES[1:]}
    found = [f"{name}.txt: does not exist" for name in TEMPLATES if f"{name}.txt" not in sources]
    found += faults(environment(sources), sources, _known(sources), catalogues)
    if found:
        raise TemplatesError(found)
    pairs: dict[tuple[str, str], Pair] = {}
    for language in LANGUAGES:
        spoken = environment(sources, catalogues.get(language))
        for name in TEMPLATES:
            html = spoken.get_template(f"{name}.html") if f"{name}.html" in sources else None
            pairs[name, language] = Pair(spoken.get_template(f"{name}.txt"), html)
    return pairs


def read_sources() -> dict[str, str]:
    """Every template's text by name: `.txt` as it is, `.html` from MJML in its layout."""
    texts = {file.name: file.read_text(encoding="utf-8") for file in _FOLDER.iterdir() if file.is_file()}
    sources = {name: text for name, text in texts.items() if name.endswith(".txt")}
    # Under two names, since Jinja takes what a macro of a text has made for safe in HTML.
    sources["phrases.txt"] = sources["phrases.html"] = texts["phrases.jinja"]
    for name in TEMPLATES:
        if content := texts.get(f"{name}.mjml"):
            # MJML's own include gives what it brings no width. Jinja's marks pass through MJML as text.
            whole = texts["layout.mjml"].replace("<!-- content -->", content)
            whole = whole.replace("<!-- progress -->", texts["progress.mjml"])
            # No fonts: MJML would have them loaded, and so tell others who reads a mail.
            sources[f"{name}.html"] = mjml.mjml2html(whole, fonts={})
    return sources


def environment(sources: Mapping[str, str], translated: Catalog | None = None) -> ImmutableSandboxedEnvironment:
    """Jinja for one language; for the one in which the templates are written, there is no catalogue."""
    made = ImmutableSandboxedEnvironment(
        loader=DictLoader(sources),
        extensions=["jinja2.ext.i18n"],
        autoescape=_is_html,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.policies["ext.i18n.trimmed"] = True
    translations: Any = NullTranslations() if translated is None else _compiled(translated)
    install: Any = vars(made)["install_gettext_translations"]  # the extension adds it
    install(translations, newstyle=True)
    return made


def catalogue(language: str) -> Catalog:
    """The translations into a language; one without a file has none."""
    file = _FOLDER / "translations" / f"{language}.po"
    if not file.is_file():
        return Catalog(locale=language)
    with file.open("rb") as opened:
        return read_po(opened, locale=language, abort_invalid=True)


def _known(sources: Iterable[str]) -> dict[str, frozenset[str]]:
    """What each template is given, by its file."""
    known = {"layout.txt": _ALWAYS}
    for source in sources:
        name, _, form = source.rpartition(".")
        if name in TEMPLATES:
            fields = frozenset(TEMPLATES[name].__struct_fields__)
            known[source] = fields | _ALWAYS | (_IN_HTML if form == "html" else frozenset())
    return known


def _is_html(name: str | None) -> bool:
    return name is not None and name.endswith(".html")


def _compiled(translated: Catalog) -> Translations:
    compiled = BytesIO()
    write_mo(compiled, translated)
    compiled.seek(0)
    return Translations(compiled)
