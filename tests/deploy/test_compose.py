"""compose.yaml and its secrets: complete, consistent with the code, and without a password of its own."""

import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from deploy.credentials import MASTER_KEYS, URLS, make
from deploy.local import containers, mongo, provision
from shared.contracts import topics
from shared.settings import PREFIX, Settings, load
from tests.deploy.files import COMPOSE, DEPLOY, OWN_SETTINGS, ROOT, SERVICES, dockerfile, env_file, environment

ALL: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: service for name, service in ALL.items() if service["image"].startswith("perkstream")}


@pytest.fixture(scope="module")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("project") / "deploy" / "secrets"
    make(folder)
    return folder


def tree(folder: Path) -> dict[str, str]:
    return {str(file.relative_to(folder)): file.read_text() for file in folder.rglob("*") if file.is_file()}


def mounted(secrets: Path, name: str) -> dict[str, str]:
    """What compose.yaml gives to a service, with mounted secrets where they lie here."""
    files = {f"/run/secrets/{each}": COMPOSE["secrets"][each]["file"] for each in ALL[name]["secrets"]}
    found = environment(secrets, name)
    return {key: str(secrets.parent / files[value]) if value in files else value for key, value in found.items()}


def ports(name: str) -> tuple[range, int]:
    """The ports of the host on which a service answers, and its own."""
    (port,) = ALL[name]["ports"]
    _, outside, inside = port.split(":")
    first, _, last = outside.partition("-")
    return range(int(first), int(last or first) + 1), int(inside)


def test_every_service_that_exists_is_in_it_and_built_from_its_own_folder() -> None:
    stages = {words[2] for instruction, words in dockerfile() if instruction == "FROM"}
    for name in SERVICES:
        build = ALL[name]["build"]
        assert build["args"] == {"SERVICE": name}
        assert build["target"] == ("portal" if name == "portal" else "service")
        assert (DEPLOY / build["context"] / build["dockerfile"]).is_file()
    assert {service["build"]["target"] for service in OURS.values()} <= stages
    assert sorted(topics.SERVICES) == SERVICES


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_starts_with_its_settings_as_its_own_user_on_its_own_database(
    secrets: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable, value in mounted(secrets, name).items():
        monkeypatch.setenv(variable, value)

    settings = load(Settings)
    for kind in OWN_SETTINGS.get(name, ()):
        load(kind)

    url = urlsplit(settings.mongo_url.get_secret_value())
    assert (settings.kafka_username, url.username, url.path) == (name, name, f"/{name}")
    assert settings.kafka_security_protocol != "PLAINTEXT"
    assert (settings.master_keys is not None) == (name == "profile")


def test_no_service_gets_a_secret_that_it_does_not_need(secrets: Path) -> None:
    passwords = {file.name: file.read_text() for file in (secrets / "passwords").iterdir()}
    others = {"ledger": "COUPON_SECRET", "notifier": "UNSUBSCRIBE_KEY"}
    for name in SERVICES:
        given = env_file(secrets, name)
        text = "\n".join(given.values())
        assert [who for who, password in passwords.items() if password in text] == [name]
        assert [key for who, key in others.items() if PREFIX + key in given and who != name] == []
        more = {"notifier": {"notifier.token"}, "portal": {"signing"}}.get(name, set())
        assert set(ALL[name]["secrets"]) == {"jwks"} | more


def test_every_address_leads_to_the_port_where_that_service_answers() -> None:
    for name in SERVICES:
        assert URLS[f"{name.upper()}_URL"] == f"http://{name}:{ports(name)[1]}"
        port = ALL[name].get("environment", {}).get("PERKSTREAM_HTTP_PORT", "8000")
        assert ports(name)[1] == int(port)
    taken = [port for name in SERVICES for port in ports(name)[0]]
    assert len(set(taken)) == len(taken)
    for name in ("notifier", "portal"):
        given = ALL[name]["environment"]
        assert given["PERKSTREAM_PROFILE_URL"] == URLS["PROFILE_URL"]
        assert given["PERKSTREAM_PORTAL_URL"] == f"http://localhost:{ports('portal')[0][0]}"
    # Its own address, where the sign-in for this machine answers, is the same inside and outside.
    assert list(ports("portal")[0]) == [ports("portal")[1]]
    assert ALL["notifier"]["environment"]["PERKSTREAM_PUBLIC_URL"] == f"http://localhost:{ports('notifier')[0][0]}"


def test_profile_and_the_operator_find_the_same_master_keys(secrets: Path) -> None:
    folder = MASTER_KEYS.removeprefix("file:")
    assert folder != MASTER_KEYS
    for name in ("profile", "ops"):
        assert f"master-keys:{folder}" in ALL[name]["volumes"]
    assert env_file(secrets, "profile")["PERKSTREAM_MASTER_KEYS"] == MASTER_KEYS
    assert f"\nMASTER_KEYS={MASTER_KEYS}\n" in (secrets / "operator" / "env").read_text()
    # A volume gets its owner from the image.
    assert folder in next(words for instruction, words in dockerfile() if instruction == "RUN" and "useradd" in words)


def test_every_setting_that_is_named_exists(secrets: Path) -> None:
    kinds = [Settings, *(kind for own in OWN_SETTINGS.values() for kind in own)]
    exist = {name for kind in kinds for name in kind.model_fields}
    files = [*secrets.glob("*.env"), DEPLOY / "compose.yaml", DEPLOY / "Dockerfile"]
    for file in files:
        for word in file.read_text().replace("=", " ").replace(":", " ").replace("'", " ").split():
            name = word.strip('{[,"]}')
            if name.startswith(PREFIX):
                assert name.removeprefix(PREFIX).lower() in exist, f"{file.name}: {name}"


def test_the_commands_have_logins_of_their_own(secrets: Path) -> None:
    users = {name: env_file(secrets, name)["KAFKA_USERNAME"] for name in ("programme", "clock")}

    assert users == {"programme": "programme", "clock": "clock"}


def test_the_servers_are_those_of_the_local_stack_with_its_settings() -> None:
    assert ALL["kafka"]["image"] == containers.KAFKA_IMAGE
    assert ALL["mongo"]["image"] == containers.MONGO_IMAGE
    command = ALL["mongo"]["command"][0]
    assert f"--setParameter=transactionLifetimeLimitSeconds={mongo.TRANSACTION_LIFETIME_S}" in command
    assert f"--replSet={mongo.REPLICA_SET}" in command
    assert "--keyFile=" in command


def test_nothing_starts_before_it_is_provisioned() -> None:
    for name in [*SERVICES, "programme"]:
        assert ALL[name]["depends_on"] == {"provision": {"condition": "service_completed_successfully"}}


def test_our_containers_may_do_nothing_but_their_work() -> None:
    for name, service in OURS.items():
        assert service["read_only"], name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
    assert all(port.startswith("127.0.0.1:") for service in ALL.values() for port in service.get("ports", ()))


def test_everything_that_is_mounted_is_made_by_the_command(secrets: Path) -> None:
    made = secrets.parent
    for secret in COMPOSE["secrets"].values():
        assert (made / secret["file"]).is_file(), secret
    for name, service in ALL.items():
        assert set(service.get("secrets", ())) <= COMPOSE["secrets"].keys(), name
        files = service.get("env_file", [])
        for file in [files] if isinstance(files, str) else files:
            assert (made / file).is_file(), file
        for volume in service.get("volumes", ()):
            source = volume.split(":")[0]
            if source.startswith("./secrets"):
                assert (made / source).is_dir(), source
            elif source.startswith("."):
                assert (DEPLOY / source).is_file(), source
            else:
                assert source in COMPOSE["volumes"], source


def test_a_password_is_made_for_everybody_and_stands_in_no_file_of_the_project(secrets: Path) -> None:
    passwords = {file.name: file.read_text() for file in (secrets / "passwords").iterdir()}

    assert passwords.keys() == set(provision.PRINCIPALS)
    assert len(set(passwords.values())) == len(passwords)
    assert (
        "password" not in yaml.safe_dump({name: service.get("environment") for name, service in OURS.items()}).lower()
    )


def test_making_the_secrets_again_keeps_them(tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    make(folder)
    before = tree(folder)
    make(folder)

    after = tree(folder)
    renewed = {"operator/env", "notifier.token"}  # have new tokens in them
    assert {name for name in after if after[name] != before.get(name)} <= renewed
    assert after.keys() == before.keys()


def test_making_the_secrets_again_keeps_the_settings_of_channels(tmp_path: Path) -> None:
    make(tmp_path)
    (tmp_path / "channels.env").write_text("PERKSTREAM_SMTP_HOST=smtp.shop.example\n")
    make(tmp_path)

    assert env_file(tmp_path, "notifier")["PERKSTREAM_SMTP_HOST"] == "smtp.shop.example"


def test_the_secrets_are_closed_to_others_and_to_git(secrets: Path) -> None:
    assert secrets.stat().st_mode & 0o077 == 0
    subprocess.run(["git", "init", "-q", str(secrets.parents[1])], check=True)
    seen = subprocess.run(
        ["git", "status", "--porcelain", "--untracked-files=all"],
        cwd=secrets.parents[1],
        capture_output=True,
        text=True,
        check=True,
    )
    assert seen.stdout == ""


def test_what_a_container_reads_as_another_user_is_open_inside_that_folder(secrets: Path) -> None:
    as_root = {"mongo.key"}  # the container copies it before it becomes somebody else
    for name, secret in COMPOSE["secrets"].items():
        if name not in as_root:
            assert (secrets.parent / secret["file"]).stat().st_mode & 0o004, name
    for folder in ("passwords", "operator"):
        assert (secrets / folder).stat().st_mode & 0o005 == 0o005
        assert all(file.stat().st_mode & 0o004 for file in (secrets / folder).iterdir())


def test_the_file_says_that_it_was_not_run() -> None:
    for name in ("compose.yaml", "Dockerfile"):
        head = (DEPLOY / name).read_text()[:900]
        assert "NOT RUN" in head or "NOT BUILT" in head
    assert (ROOT / "deploy" / "kafka.properties").is_file()
