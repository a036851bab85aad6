"""`perkstream preview`: what a message looks like, without sending it."""

from pathlib import Path

from deploy.cli import programme
from deploy.cli.trouble import Trouble
from services.notifier.rendering import Brand, Rendered, Renderer
from services.notifier.templates.environment import TemplatesError
from services.notifier.templates.formats import LANGUAGES, language
from services.notifier.templates.samples import SAMPLES, sample
from shared.rulebook.programme import Programme


def preview(template: str, locale: str, file: Path, folder: Path) -> list[Path]:
    """Write a sample of a template in that locale, with the words of the programme in `file`; gives what was written.

    Raises `Trouble` for a template or a language that does not exist, and with every fault of the templates.
    """
    if template not in SAMPLES:
        raise Trouble(f"{template}: no template; there are {', '.join(SAMPLES)}")
    if language(locale) != locale.replace("_", "-").split("-")[0].lower():
        raise Trouble(f"{locale}: no language of the messages; there are {', '.join(LANGUAGES)}")
    terms = programme.load(file)
    try:
        renderer = Renderer(Brand("Perkstream", "1 High Street, Example Town"))
    except TemplatesError as error:
        raise Trouble("\n  ".join(["the templates have faults:", *error.faults])) from None
    message = renderer.render(
        sample(template, terms),
        Programme([terms]),
        name="Alex Example",
        locale=locale,
        status_url="https://shop.example/my-bonus",
        unsubscribe_url=None if template == "erasure_receipt" else "https://shop.example/unsubscribe/sample",
    )
    return _write(message, folder / f"{template}.{locale}")


def _write(message: Rendered, stem: Path) -> list[Path]:
    parts = {".html": message.html, ".txt": f"{message.subject}\n{message.short}\n\n{message.text}"}
    stem.parent.mkdir(parents=True, exist_ok=True)
    written: list[Path] = []
    for suffix, content in parts.items():
        if content is not None:
            file = stem.with_name(stem.name + suffix)
            file.write_text(content, encoding="utf-8")
            written.append(file)
    return written
