"""Every text of the portal that is to be translated, found in its templates and its code."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from babel.messages.extract import extract
from jinja2 import Environment
from jinja2.ext import extract_from_ast

PORTAL = Path(__file__).parents[2] / "services" / "portal"
CALLS: dict[str, Any] = {"text": None, "plural": (1, 2)}  # of `services.portal.texts.Say`
Text = tuple[str, ...]  # singular and plural, where it has both


def texts() -> dict[Text, str]:
    """Texts, and the file of each."""
    return {text: file for file, text in (*_in_templates(), *_in_code())}


def _in_templates() -> Iterator[tuple[str, Text]]:
    environment = Environment(extensions=["jinja2.ext.i18n"], trim_blocks=True, lstrip_blocks=True)
    environment.policies["ext.i18n.trimmed"] = True
    for file in sorted((PORTAL / "templates").rglob("*.html")):
        for _line, _function, message in extract_from_ast(environment.parse(file.read_text(encoding="utf-8"))):
            parts = (message,) if isinstance(message, str) else message or ()
            yield file.name, tuple(part for part in parts if part is not None)


def _in_code() -> Iterator[tuple[str, Text]]:
    for file in sorted(PORTAL.glob("*.py")):
        with file.open("rb") as opened:
            for _line, message, _comments, _context in extract(
                "python", opened, keywords={"text": None, "plural": (1, 2)}
            ):
                yield file.name, (message,) if isinstance(message, str) else tuple(message)
