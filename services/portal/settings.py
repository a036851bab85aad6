"""The settings of the portal beside those that every service has."""

from pathlib import Path
from typing import Final, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.settings import PREFIX

LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})
DEVELOPMENT: Final = "/development"  # where the development provider answers


def _is_local(url: str) -> bool:
    return urlsplit(url).hostname in LOOPBACK


class PortalSettings(BaseSettings):
    """How browsers see the portal, who signs customers in, and where profiles are changed.

    `portal_url`: scheme, host and port as browsers see them. `oidc_issuer`: the retailer's OpenID provider, at which
    `oidc_client_id` is registered with the redirect address `<portal_url>/signed-in`. `development_key`: instead of an
    issuer, a private key (JWK) with which a built-in provider signs; for portals on this machine alone.
    `portal_shell`: a folder with a `shell.html` of the retailer's own.
    """

    model_config = SettingsConfigDict(env_prefix=PREFIX, hide_input_in_errors=True, extra="ignore", frozen=True)

    portal_url: str
    profile_url: str
    oidc_issuer: str | None = None
    oidc_client_id: str = Field(default="portal", min_length=1)
    oidc_client_secret: SecretStr | None = None
    development_key: Path | None = None
    portal_shell: Path | None = None

    @field_validator("portal_url", "oidc_issuer")
    @classmethod
    def _https(cls, value: str | None) -> str | None:
        if value is None:
            return None
        parts = urlsplit(value)
        if parts.scheme != "https" and not (parts.scheme == "http" and _is_local(value)):
            raise ValueError("does not begin with https:// (http:// is for this machine alone)")
        if parts.hostname is None or parts.query or parts.fragment or parts.username:
            raise ValueError("is no address of scheme, host and port")
        return value.rstrip("/")

    @field_validator("portal_url")
    @classmethod
    def _origin(cls, value: str) -> str:
        if urlsplit(value).path:
            raise ValueError("has a path; the portal answers at the root of its host")
        return value

    @field_validator("profile_url")
    @classmethod
    def _address(cls, value: str) -> str:
        if urlsplit(value).scheme not in {"http", "https"}:
            raise ValueError("does not begin with http:// or https://")
        return value.rstrip("/")

    @field_validator("development_key")
    @classmethod
    def _file(cls, value: Path | None) -> Path | None:
        if value is not None and not value.is_file():
            raise ValueError("names no file")
        return value

    @field_validator("portal_shell")
    @classmethod
    def _folder(cls, value: Path | None) -> Path | None:
        if value is not None and not (value / "shell.html").is_file():
            raise ValueError("names no folder with a shell.html")
        return value

    @model_validator(mode="after")
    def _provider(self) -> Self:
        if (self.oidc_issuer is None) == (self.development_key is None):
            raise ValueError(f"{PREFIX}OIDC_ISSUER: is needed, or {PREFIX}DEVELOPMENT_KEY instead of it")
        if self.development_key is not None and not _is_local(self.portal_url):
            raise ValueError(f"{PREFIX}DEVELOPMENT_KEY: is refused, because browsers elsewhere see {PREFIX}PORTAL_URL")
        return self

    @property
    def issuer(self) -> str:
        """The OpenID provider that signs customers in."""
        return self.oidc_issuer or f"{self.portal_url}{DEVELOPMENT}"

    @property
    def secure(self) -> bool:
        """Whether browsers come by https."""
        return self.portal_url.startswith("https://")
