"""What the sender needs beside its channels: where profile is, who we are to it, and where customers find us."""

from pathlib import Path
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.settings import PREFIX


class DeliverySettings(BaseSettings):
    """`profile_url`: profile's API. `profile_token_file`: holds our token with the scope `contacts`; read again for
    each call, so that it can be renewed. `public_url`: this service as customers reach it, for links to unsubscribe.
    `portal_url`: the portal as they reach it. `unsubscribe_key`: signs those links; another one makes all of them
    useless. `rates`: the most messages a second by channel.
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_ignore_empty=True, hide_input_in_errors=True, extra="ignore", frozen=True
    )

    profile_url: str
    profile_token_file: Path
    public_url: str
    portal_url: str
    unsubscribe_key: SecretStr = Field(min_length=32)
    rates: dict[str, float] = {"email": 300, "sms": 20, "push": 200, "telegram": 25}

    @field_validator("profile_url", "public_url", "portal_url")
    @classmethod
    def _address(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
            raise ValueError("is no http(s) address")
        return value.rstrip("/")

    @field_validator("profile_token_file")
    @classmethod
    def _file(cls, value: Path) -> Path:
        if not value.is_file():
            raise ValueError("names no file")
        return value

    @field_validator("rates")
    @classmethod
    def _above_zero(cls, value: dict[str, float]) -> dict[str, float]:
        if any(rate <= 0 for rate in value.values()):
            raise ValueError("has a rate that is not above zero")
        return value

    @property
    def status_url(self) -> str:
        """The customer's page."""
        return f"{self.portal_url}/my-bonus"

    def token(self) -> str:
        """Our token, as the file has it now."""
        return self.profile_token_file.read_text().strip()
