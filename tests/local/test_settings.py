"""Settings say what is wrong with them, by the name that the operator set."""

import ssl
from pathlib import Path

import pytest

from shared.settings import KafkaSettings, Settings, load

GOOD = {
    "KAFKA_BOOTSTRAP": "one:9092,two:9092",
    "KAFKA_USERNAME": "turnover",
    "KAFKA_PASSWORD": "hidden-1",
    "MONGO_URL": "mongodb://turnover:hidden-2@db/turnover",
    "JWKS": "https://id.example.org/keys",
}


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name, value in GOOD.items():
        monkeypatch.setenv(f"PERKSTREAM_{name}", value)
    return monkeypatch


def test_a_service_is_encrypted_and_logs_in_unless_told_otherwise(given: pytest.MonkeyPatch) -> None:
    settings = load(Settings)

    assert settings.kafka_security_protocol == "SASL_SSL"
    assert settings.http_host == "127.0.0.1"
    options = settings.aiokafka()
    assert options["sasl_mechanism"] == "SCRAM-SHA-512"
    assert options["ssl_context"].verify_mode is ssl.CERT_REQUIRED


def test_a_kafka_without_login_has_to_be_asked_for(given: pytest.MonkeyPatch) -> None:
    given.setenv("PERKSTREAM_KAFKA_SECURITY_PROTOCOL", "PLAINTEXT")
    given.delenv("PERKSTREAM_KAFKA_USERNAME")

    assert load(KafkaSettings).aiokafka() == {
        "bootstrap_servers": "one:9092,two:9092",
        "security_protocol": "PLAINTEXT",
    }


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("KAFKA_BOOTSTRAP", None, "is not set"),
        ("KAFKA_BOOTSTRAP", "kafka", "is no list of host:port"),
        ("KAFKA_SECURITY_PROTOCOL", "SSL", "'PLAINTEXT', 'SASL_PLAINTEXT' or 'SASL_SSL'"),
        ("KAFKA_USERNAME", None, "is needed for SASL_SSL"),
        ("KAFKA_PASSWORD", None, "is needed for SASL_SSL"),
        ("KAFKA_CA_FILE", "nowhere.pem", "names no file"),
        ("MONGO_URL", None, "is not set"),
        ("MONGO_URL", "http://db", "does not begin with mongodb://"),
        ("HTTP_PORT", "80a", "valid integer"),
        ("HTTP_PORT", "70000", "less than or equal to 65535"),
        ("JWKS", "nowhere.json", "is neither an http(s) address nor a file"),
        ("LOG_FORMAT", "xml", "'auto', 'json' or 'console'"),
    ],
)
def test_a_wrong_setting_stops_the_start_and_is_named(
    given: pytest.MonkeyPatch, name: str, value: str | None, reason: str
) -> None:
    if value is None:
        given.delenv(f"PERKSTREAM_{name}")
    else:
        given.setenv(f"PERKSTREAM_{name}", value)

    with pytest.raises(SystemExit) as stop:
        load(Settings)

    assert f"PERKSTREAM_{name}: " in str(stop.value)
    assert reason in str(stop.value)


def test_every_wrong_setting_is_named_at_once(given: pytest.MonkeyPatch) -> None:
    given.delenv("PERKSTREAM_MONGO_URL")
    given.delenv("PERKSTREAM_JWKS")

    with pytest.raises(SystemExit) as stop:
        load(Settings)

    assert str(stop.value) == "PERKSTREAM_MONGO_URL: is not set\nPERKSTREAM_JWKS: is not set"


def test_secrets_are_in_no_message_and_no_repr(given: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert "hidden" not in repr(load(Settings))
    given.setenv("PERKSTREAM_MONGO_URL", "postgres://turnover:hidden-3@db")

    with pytest.raises(SystemExit) as stop:
        load(Settings)

    assert "hidden" not in str(stop.value)
