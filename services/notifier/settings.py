"""How messages leave: the settings of each channel, and who sends. A channel that has no settings is off."""

from email.headerregistry import Address
from email.utils import parseaddr
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final, Literal, Self
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric import ec
from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict
from standardwebhooks.webhooks import EmptyWebhookSecretError, Webhook

from services.notifier.channels.base64url import decoded
from shared.settings import PREFIX

# Where the browsers' own push services live. A subscription names its own address, so it must not name any other.
_PUSH_SERVICES: Final = (
    "fcm.googleapis.com",
    "updates.push.services.mozilla.com",
    "*.push.apple.com",
    "*.notify.windows.com",
)


class ChannelSettings(BaseSettings):
    """What the channels need. `sms_body`: `{to}`, `{text}` and `{id}` in its texts are filled in.

    `vapid_private_key`: 32 bytes as base64url. `vapid_contact`: an address for the push service, such as
    `mailto:ops@shop.example`. `push_services`: hosts that may be sent to; `*.` stands for any name before it.
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_ignore_empty=True, hide_input_in_errors=True, extra="ignore", frozen=True
    )

    brand_name: str = "Perkstream"
    brand_address: str | None = None

    mail_from: str | None = None
    smtp_host: str | None = None
    smtp_port: int = Field(default=587, ge=1, le=65535)
    smtp_security: Literal["starttls", "tls", "none"] = "starttls"
    smtp_username: str | None = None
    smtp_password: SecretStr | None = None
    smtp_ca_file: Path | None = None

    sms_url: str | None = None
    sms_headers: dict[str, SecretStr] = {}
    sms_format: Literal["json", "form"] = "json"
    sms_body: dict[str, Any] = {"to": "{to}", "text": "{text}", "id": "{id}"}

    vapid_private_key: SecretStr | None = None
    vapid_contact: str | None = None
    push_services: tuple[str, ...] = _PUSH_SERVICES

    telegram_token: SecretStr | None = None
    telegram_url: str = "https://api.telegram.org"

    webhook_url: str | None = None
    webhook_secret: SecretStr | None = None

    @field_validator("mail_from")
    @classmethod
    def _sender(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                Address(*_name_and_address(value))
            except (ValueError, IndexError):
                raise ValueError("is no sender, such as My Shop <bonus@shop.example>") from None
        return value

    @field_validator("sms_url", "telegram_url", "webhook_url")
    @classmethod
    def _private(cls, value: str | None) -> str | None:
        if value is not None and not _is_private(value):
            raise ValueError("is no https address; http is for this machine alone")
        return value

    @field_validator("vapid_private_key")
    @classmethod
    def _key(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            try:
                ec.derive_private_key(int.from_bytes(decoded(value.get_secret_value())), ec.SECP256R1())
            except ValueError:
                raise ValueError("is no private key of P-256 as base64url") from None
        return value

    @field_validator("webhook_secret")
    @classmethod
    def _secret(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            try:
                Webhook(value.get_secret_value())
            except (ValueError, EmptyWebhookSecretError):
                raise ValueError("is no secret of Standard Webhooks, such as whsec_ and base64") from None
        return value

    @field_validator("smtp_ca_file")
    @classmethod
    def _file(cls, value: Path | None) -> Path | None:
        if value is not None and not value.is_file():
            raise ValueError("names no file")
        return value

    @model_validator(mode="after")
    def _whole(self) -> Self:
        for one, other in (
            ("smtp_host", "mail_from"),
            ("smtp_username", "smtp_password"),
            ("smtp_password", "smtp_username"),
            ("vapid_private_key", "vapid_contact"),
            ("webhook_url", "webhook_secret"),
        ):
            if getattr(self, one) is not None and getattr(self, other) is None:
                raise ValueError(f"{PREFIX}{other.upper()}: is needed where {PREFIX}{one.upper()} is set")
        if self.smtp_username is not None and self.smtp_security == "none":
            raise ValueError(f"{PREFIX}SMTP_SECURITY: a password is never sent without encryption")
        return self

    def sender(self) -> Address:
        """Who mails are from; only where mail is on."""
        assert self.mail_from is not None
        return Address(*_name_and_address(self.mail_from))

    def on(self) -> dict[str, bool]:
        """Each channel by name, and whether it is configured."""
        return {
            "email": self.smtp_host is not None,
            "sms": self.sms_url is not None,
            "push": self.vapid_private_key is not None,
            "telegram": self.telegram_token is not None,
            "webhook": self.webhook_url is not None,
        }


def _name_and_address(sender: str) -> tuple[str, str, str]:
    name, address = parseaddr(sender)
    user, _, domain = address.rpartition("@")
    if not user or not domain:
        raise ValueError
    return name, user, domain


def _is_private(url: str) -> bool:
    """Whether nobody reads along: encrypted, or not leaving this machine."""
    parts = urlsplit(url)
    if parts.scheme != "http" or parts.hostname is None:
        return parts.scheme == "https" and parts.hostname is not None
    try:
        return parts.hostname == "localhost" or ip_address(parts.hostname).is_loopback
    except ValueError:
        return False
