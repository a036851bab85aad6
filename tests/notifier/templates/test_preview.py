"""`perkstream preview` writes what a message looks like."""

from pathlib import Path

import pytest

from deploy.cli.preview import preview
from deploy.cli.trouble import Trouble
from services.notifier.templates.samples import SAMPLES

PROGRAMME = Path(__file__).parents[3] / "deploy" / "programme.yaml"


@pytest.mark.parametrize("template", SAMPLES)
def test_every_template_can_be_looked_at(tmp_path: Path, template: str):
    written = preview(template, "de-AT", PROGRAMME, tmp_path / "new")
    assert [file.name for file in written] == [
        f"{template}.de-AT.{form}" for form in ("html", "txt") if form == "txt" or template != "points_redeemed"
    ]
    assert "Guten Tag Alex Example" in written[0].read_text()


@pytest.mark.parametrize(
    ("template", "locale", "said"),
    [
        ("nothing", "de", "nothing: no template; there are tier_changed, "),
        ("tier_changed", "fr", "there are en, de, ru"),
    ],
)
def test_what_does_not_exist_is_named(tmp_path: Path, template: str, locale: str, said: str):
    with pytest.raises(Trouble, match=said):
        preview(template, locale, PROGRAMME, tmp_path)
