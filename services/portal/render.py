"""Templates, and the headers with which a page leaves."""

from collections.abc import Mapping
from typing import Any, Final

from fastapi import Response
from jinja2 import BaseLoader, ChoiceLoader, Environment, FileSystemLoader, PackageLoader, StrictUndefined

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
    """Templates in each language. The retailer's own `shell.html`, where there is one, is put around the pages."""

    def __init__(self, settings: PortalSettings, assets: Assets) -> None:
        own: list[BaseLoader] = [PackageLoader("services.portal")]
        if settings.portal_shell is not None:
            own.insert(0, FileSystemLoader(settings.portal_shell))
        self._environments = {language: _environment(ChoiceLoader(own), language, assets) for language in LANGUAGES}

    def html(self, template: str, language: str, values: Mapping[str, Any]) -> str:
        """A page or a part of one, as HTML."""
        return self._environments[language].get_template(template).render(values)

    def page(
        self, template: str, language: str, values: Mapping[str, Any], status: int = 200, etag: str | None = None
    ) -> Response:
        """A response with a page."""
        headers = HEADERS | {"Content-Language": language} | ({"ETag": etag} if etag else {})
        return Response(self.html(template, language, values), status, headers, "text/html; charset=utf-8")


def _environment(loader: BaseLoader, language: str, assets: Assets) -> Environment:
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
    install: Any = vars(environment)["install_gettext_translations"]  # the extension adds it
    install(translations(language), newstyle=True)
    known: dict[str, Any] = environment.globals
    known |= {"asset": assets.address, "language": language, "languages": LANGUAGES}
    return environment
