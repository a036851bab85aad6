"""A command finds the system in the environment, or in .run/env of the folder or one above."""

from pathlib import Path

import pytest

from deploy.cli.place import Place, find
from deploy.cli.trouble import Trouble

FILE = """
# a comment
KAFKA_BOOTSTRAP=127.0.0.1:9
KAFKA_SECURITY_PROTOCOL=SASL_PLAINTEXT
KAFKA_SASL_MECHANISM=SCRAM-SHA-512
KAFKA_USERNAME=ops
KAFKA_PASSWORD=a=b
MONGO_URL=mongodb://127.0.0.1
TURNOVER_URL=http://127.0.0.1:8
OPS_TOKEN=secret
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / ".run").mkdir()
    (tmp_path / ".run" / "env").write_text(FILE)
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    return below


def test_the_file_of_a_folder_above_is_found(folder: Path) -> None:
    place = find(folder, {})

    assert place.kafka() == {
        "bootstrap_servers": "127.0.0.1:9",
        "security_protocol": "SASL_PLAINTEXT",
        "sasl_mechanism": "SCRAM-SHA-512",
        "sasl_plain_username": "ops",
        "sasl_plain_password": "a=b",
    }
    assert place.service("turnover") == ("http://127.0.0.1:8", "secret")


def test_the_environment_comes_first_and_passwords_of_the_file_never_go_to_its_addresses(folder: Path) -> None:
    environment = {"KAFKA_BOOTSTRAP": "kafka.example:9092", "TURNOVER_URL": "https://turnover.example/"}
    place = find(folder, environment)

    assert place.kafka() == {"bootstrap_servers": "kafka.example:9092", "security_protocol": "PLAINTEXT"}
    with pytest.raises(Trouble, match="set OPS_TOKEN"):
        place.service("turnover")
    assert Place(environment | {"OPS_TOKEN": "other"}).service("turnover") == ("https://turnover.example", "other")


def test_settings_of_a_service_in_the_environment_are_not_mixed_in(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PERKSTREAM_KAFKA_USERNAME", "turnover")
    monkeypatch.setenv("PERKSTREAM_KAFKA_PASSWORD", "its own")

    assert "its own" not in find(folder, {}).kafka().values()
    assert find(folder, {"KAFKA_BOOTSTRAP": "h:1"}).kafka()["security_protocol"] == "PLAINTEXT"


def test_without_a_system_the_message_says_how_to_get_one() -> None:
    message = "no system is running here: start one with `make run` or `make up`, or set KAFKA_BOOTSTRAP"
    with pytest.raises(Trouble, match=message):
        Place({}).kafka()
    with pytest.raises(Trouble, match="or set TURNOVER_URL"):
        Place({}).service("turnover")


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("KAFKA_BOOTSTRAP", "localhost", "KAFKA_BOOTSTRAP: is no list of host:port"),
        ("KAFKA_SECURITY_PROTOCOL", "SSL", "KAFKA_SECURITY_PROTOCOL: Input should be"),
        ("KAFKA_SECURITY_PROTOCOL", "SASL_SSL", "KAFKA_USERNAME: is needed for SASL_SSL"),
        ("KAFKA_CA_FILE", "/nowhere.pem", "KAFKA_CA_FILE: names no file"),
    ],
)
def test_a_wrong_setting_is_named(name: str, value: str, reason: str) -> None:
    with pytest.raises(Trouble, match=reason):
        Place({"KAFKA_BOOTSTRAP": "h:1", name: value}).kafka()


def test_a_service_that_does_not_run_here_is_named_with_those_that_do(folder: Path) -> None:
    with pytest.raises(Trouble, match="no service ledger runs here; there is: turnover"):
        find(folder, {}).service("ledger")
