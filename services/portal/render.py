"""Templates, and the headers with which a page leaves."""

from collections.abc import Mapping
from typing import Any, Final

from fastapi import Response
from jinja2 import (
    BaseLoader,
    ChoiceLoader,
    Environment,
    FileSystemLoader,
    PackageLoader,
    StrictUndefined,
    TemplateSyntaxError,
    pass_context,
)
from jinja2.runtime import Context

from services.portal.assets import Assets
from services.portal.settings import PortalSettings
from services.portal.texts import LANGUAGES, translations

# No inline script or style, and nothing from another origin. Pico draws its checkboxes and arrows as data: images.
POLICY: Final = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "worker-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    ]
)
HEADERS: Final = {
    "Content-Security-Policy": POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
    # With "no-referrer" browsers send `Origin: null` with forms, and the origin of every change is checked.
    "Referrer-Policy": "same-origin",
}


class Renderer:
    """Templates. The retailer's own `shell.html`, where there is one, is put around the pages."""

    def __init__(self, settings: PortalSettings, assets: Assets) -> None:
        """Stops the process where a template is none."""
        own: list[BaseLoader] = [PackageLoader("services.portal")]
        if settings.portal_shell is not None:
            own.insert(0, FileSystemLoader(settings.portal_shell))
        environment = _environment(ChoiceLoader(own), assets)
        try:  # all now, so that no visitor waits
            self._templates = {name: environment.get_template(name) for name in environment.list_templates(["html"])}
        except TemplateSyntaxError as error:
            raise SystemExit(f"portal: {error.filename}, line {error.lineno}: {error.message}") from None

    def html(self, template: str, language: str, values: Mapping[str, Any]) -> str:
        """A page or a part of one, as HTML."""
        return self._templates[template].render(values, language=language)

    def page(
        self, template: str, language: str, values: Mapping[str, Any], status: int = 200, etag: str | None = None
    ) -> Response:
        """A response with a page."""
        headers = HEADERS | {"Content-Language": language} | ({"ETag": etag} if etag else {})
        return Response(self.html(template, language, values), status, headers, "text/html; charset=utf-8")


def _environment(loader: BaseLoader, assets: Assets) -> Environment:
    environment = Environment(
        loader=loader,
        extensions=["jinja2.ext.i18n"],
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.policies["ext.i18n.trimmed"] = True
    install: Any = vars(environment)["install_gettext_callables"]  # the extension adds it
    install(_text, _plural, newstyle=True)
    known: dict[str, Any] = environment.globals
    known |= {"asset": assets.address, "languages": LANGUAGES}
    return environment


@pass_context
def _text(context: Context, message: str) -> str:
    return translations(context["language"]).ugettext(message)


@pass_context
def _plural(context: Context, one: str, many: str, n: int) -> str:
    return translations(context["language"]).ungettext(one, many, n)
