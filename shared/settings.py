"""The settings of a process, read from the environment: each is PERKSTREAM_ and the name of a field here."""

import ssl
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self, TypeVar
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

if TYPE_CHECKING:
    from shared.masterkeys.kms import Kms

PREFIX = "PERKSTREAM_"
S = TypeVar("S", bound=BaseSettings)


class KafkaSettings(BaseSettings):
    """How to reach Kafka. Encrypted and with a login unless it is said otherwise."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, hide_input_in_errors=True, extra="ignore", frozen=True)

    kafka_bootstrap: str
    kafka_security_protocol: Literal["PLAINTEXT", "SASL_PLAINTEXT", "SASL_SSL"] = "SASL_SSL"
    kafka_sasl_mechanism: Literal["SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN"] = "SCRAM-SHA-512"
    kafka_username: str | None = None
    kafka_password: SecretStr | None = None
    kafka_ca_file: Path | None = None

    @field_validator("kafka_bootstrap")
    @classmethod
    def _addresses(cls, value: str) -> str:
        for address in value.split(","):
            host, _, port = address.strip().rpartition(":")
            if not host or not port.isdecimal():
                raise ValueError("is no list of host:port, separated by commas")
        return value

    @field_validator("kafka_ca_file")
    @classmethod
    def _file(cls, value: Path | None) -> Path | None:
        if value is not None and not value.is_file():
            raise ValueError("names no file")
        return value

    @model_validator(mode="after")
    def _login(self) -> Self:
        if self.kafka_security_protocol != "PLAINTEXT":
            for name in ("kafka_username", "kafka_password"):
                if getattr(self, name) is None:
                    raise ValueError(f"{PREFIX}{name.upper()}: is needed for {self.kafka_security_protocol}")
        return self

    def aiokafka(self) -> dict[str, Any]:
        """The arguments with which every aiokafka client of this process connects."""
        options: dict[str, Any] = {
            "bootstrap_servers": self.kafka_bootstrap,
            "security_protocol": self.kafka_security_protocol,
        }
        if self.kafka_username is not None and self.kafka_password is not None:
            options |= {
                "sasl_mechanism": self.kafka_sasl_mechanism,
                "sasl_plain_username": self.kafka_username,
                "sasl_plain_password": self.kafka_password.get_secret_value(),
            }
        if self.kafka_security_protocol == "SASL_SSL":
            options["ssl_context"] = ssl.create_default_context(cafile=self.kafka_ca_file)
        return options


class Settings(KafkaSettings):
    """Everything that a service needs to start."""

    mongo_url: SecretStr
    master_keys: str | None = None
    http_host: str = "127.0.0.1"
    http_port: int = Field(default=8000, ge=1, le=65535)
    jwks: str
    token_issuer: str = "perkstream"
    token_audience: str = "perkstream"
    log_format: Literal["auto", "json", "console"] = "auto"
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    @field_validator("mongo_url")
    @classmethod
    def _mongo(cls, value: SecretStr) -> SecretStr:
        if urlsplit(value.get_secret_value()).scheme not in {"mongodb", "mongodb+srv"}:
            raise ValueError("does not begin with mongodb:// or mongodb+srv://")
        return value

    @field_validator("jwks")
    @classmethod
    def _keys(cls, value: str) -> str:
        if urlsplit(value).scheme not in {"http", "https"} and not Path(value).is_file():
            raise ValueError("is neither an http(s) address nor a file")
        return value

    def kms(self) -> "Kms":
        """What guards the master keys; stops the process where nothing that does is named, or installed."""
        if self.master_keys is None:
            raise SystemExit(f"{PREFIX}MASTER_KEYS: is not set")
        from shared.masterkeys.kms import connect  # noqa: PLC0415 - not everything that has settings has keys

        try:
            return connect(self.master_keys)
        except ValueError as error:
            raise SystemExit(f"{PREFIX}MASTER_KEYS: {error}") from None
        except ImportError as error:
            raise SystemExit(f"{PREFIX}MASTER_KEYS: {self.master_keys} needs the package {error.name}") from None


def load(kind: type[S], **overrides: Any) -> S:
    """Settings of that kind from the environment; stops the process with a message that names what is wrong."""
    try:
        return kind(**overrides)
    except ValidationError as wrong:
        raise SystemExit("\n".join(_complaints(wrong))) from None


def _complaints(wrong: ValidationError) -> list[str]:
    lines: list[str] = []
    for error in wrong.errors(include_url=False, include_input=False, include_context=False):
        reason = "is not set" if error["type"] == "missing" else error["msg"].removeprefix("Value error, ")
        name = "_".join(str(part) for part in error["loc"]).upper()
        lines.append(f"{PREFIX}{name}: {reason}" if name else reason)
    return lines
