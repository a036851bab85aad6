"""Settings that would let the wrong people in are refused at start."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from services.portal.settings import PortalSettings


@pytest.fixture
def key(tmp_path: Path) -> Path:
    file = tmp_path / "key.json"
    file.write_text("{}")
    return file


def made(**settings: Any) -> PortalSettings:
    return PortalSettings.model_validate(
        {"portal_url": "https://shop.example", "profile_url": "http://profile"} | settings
    )


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8000", "http://localhost:8000", "http://[::1]:8000", "https://localhost"]
)
def test_the_development_provider_is_for_this_machine(url: str, key: Path) -> None:
    settings = made(portal_url=url, development_key=key)
    assert settings.issuer == f"{url}/development"


@pytest.mark.parametrize("url", ["https://shop.example", "https://127.0.0.1.example", "https://10.0.0.1"])
def test_the_development_provider_is_refused_anywhere_else(url: str, key: Path) -> None:
    with pytest.raises(ValidationError, match="PERKSTREAM_DEVELOPMENT_KEY: is refused"):
        made(portal_url=url, development_key=key)


def test_there_is_one_provider_and_no_more(key: Path) -> None:
    with pytest.raises(ValidationError, match="PERKSTREAM_OIDC_ISSUER: is needed"):
        made()
    with pytest.raises(ValidationError, match="PERKSTREAM_OIDC_ISSUER: is needed"):
        made(portal_url="http://127.0.0.1:1", development_key=key, oidc_issuer="https://id.example")


@pytest.mark.parametrize(
    "wrong",
    [
        {"portal_url": "http://shop.example"},
        {"portal_url": "https://shop.example/shop"},
        {"portal_url": "https://user@shop.example"},
        {"oidc_issuer": "http://id.example"},
        {"profile_url": "profile:8000"},
        {"portal_shell": "/nowhere"},
    ],
)
def test_what_would_not_be_safe_or_not_work_is_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        made(**{"oidc_issuer": "https://id.example"} | wrong)


def test_cookies_are_secure_wherever_browsers_come_by_https() -> None:
    assert made(oidc_issuer="https://id.example/").secure
    assert made(oidc_issuer="https://id.example/").issuer == "https://id.example"
