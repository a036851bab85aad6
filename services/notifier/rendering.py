"""A message as it is sent: a template filled with its parameters, the programme's words and the customer's name."""

import re
from collections.abc import Mapping
from typing import Any, Final

from jinja2 import Template
from msgspec import Struct

from services.notifier.templates.environment import Pair, load
from services.notifier.templates.formats import language, say
from services.notifier.templates.params import Params, template_of
from shared.rulebook.programme import Programme

_BLANK_LINES: Final = re.compile(r"\n(?:[ \t]*\n){2,}")
_BREAKS: Final = re.compile(r"[ \x00-\x1f\x7f-\x9f\u2028\u2029]+")  # but not the spaces that keep numbers together


class Brand(Struct, frozen=True, gc=False):
    """Who sends: the name that customers know, and the postal address that law asks for in mail."""

    name: str
    address: str | None = None


class Rendered(Struct, frozen=True, gc=False, kw_only=True):
    """A message in one language, without an address. Holds personal data: it is not to be stored, nor shown in logs.

    `subject`, `short`: one line each; the title and text where there is little room. `text` and `html` say the same;
    `html` is `None` for what is never a mail. `unsubscribe_url`: `None` where there is nothing to unsubscribe from.
    """

    template: str
    language: str
    subject: str
    short: str
    text: str
    html: str | None
    status_url: str
    unsubscribe_url: str | None

    def __repr__(self) -> str:
        return f"Rendered(template={self.template!r}, language={self.language!r})"


class Renderer:
    """Renders every template. Raises `TemplatesError` when it is made, if a template or a translation is not right."""

    def __init__(self, brand: Brand) -> None:
        self._brand = brand
        self._templates: Mapping[tuple[str, str], Pair] = load()

    def render(
        self,
        params: Params,
        programme: Programme,
        *,
        name: str | None,
        locale: str,
        status_url: str,
        unsubscribe_url: str | None,
    ) -> Rendered:
        """The message for a customer of that name and locale (such as `de` or `de-AT`). Both addresses are absolute."""
        template, spoken = template_of(params), language(locale)
        pair = self._templates[template, spoken]
        given: dict[str, Any] = {field: getattr(params, field) for field in params.__struct_fields__} | {
            "brand": self._brand,
            "language": spoken,
            "name": _one_line(name or ""),
            "say": say(programme, params.programme_version, locale),
            "status_url": status_url,
            "template": template,
            "unsubscribe_url": unsubscribe_url,
        }
        # What a template sets at its top is told apart from the text in which it is used.
        module: Any = pair.text.make_module(given)
        subject, short = _one_line(module.subject), _one_line(module.short)
        return Rendered(
            template=template,
            language=spoken,
            subject=subject,
            short=short,
            text=_BLANK_LINES.sub("\n\n", str(module)).strip() + "\n",
            html=_html(pair.html, given | {"subject": subject, "short": short}),
            status_url=status_url,
            unsubscribe_url=unsubscribe_url,
        )


def _html(template: Template | None, given: dict[str, Any]) -> str | None:
    return None if template is None else template.render(given)


def _one_line(text: str) -> str:
    return _BREAKS.sub(" ", text).strip()
