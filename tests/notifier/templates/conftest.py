"""The default programme, and a renderer for it."""

from pathlib import Path
from typing import Any, Protocol

import pytest
import yaml

from services.notifier.rendering import Brand, Rendered, Renderer
from services.notifier.templates.params import Params
from services.notifier.templates.samples import SAMPLES
from shared.contracts.coherence import parse_programme
from shared.contracts.programme import ProgrammeVersion
from shared.rulebook.programme import Programme

DOCUMENT: dict[str, Any] = yaml.safe_load((Path(__file__).parents[3] / "deploy" / "programme.yaml").read_text())
STATUS = "https://shop.example/my-bonus"
UNSUBSCRIBE = "https://shop.example/unsubscribe/abc?x=1&y=2"


def version(**other: Any) -> ProgrammeVersion:
    """The default programme, with other values."""
    return parse_programme(DOCUMENT | other)


class Render(Protocol):
    def __call__(
        self,
        params: Params | str,
        locale: str = ...,
        *,
        name: str | None = ...,
        programme: Programme = ...,
        unsubscribe_url: str | None = ...,
    ) -> Rendered: ...


@pytest.fixture(scope="session")
def render() -> Render:
    """Renders parameters, or the sample of a template."""
    renderer = Renderer(Brand("Größe & Co", "1 High Street"))
    default = Programme([version()])

    def rendered(
        params: Params | str,
        locale: str = "en",
        *,
        name: str | None = "Alex",
        programme: Programme = default,
        unsubscribe_url: str | None = UNSUBSCRIBE,
    ) -> Rendered:
        if isinstance(params, str):
            params = SAMPLES[params](programme.versions[-1].terms)
        return renderer.render(
            params, programme, name=name, locale=locale, status_url=STATUS, unsubscribe_url=unsubscribe_url
        )

    return rendered
