"""What every key management system promises, tried on files and on AWS KMS."""

import os
from pathlib import Path

import boto3
import pytest

from shared.masterkeys.aws import WAIT_DAYS, AwsKms
from shared.masterkeys.file import FileKms
from shared.masterkeys.kms import GoneError, Kms, KmsUnavailable, connect
from shared.mongo import Unavailable
from shared.settings import Settings

MATERIAL = bytes(range(64))


@pytest.fixture(params=["file", "aws"])
def guard(request: pytest.FixtureRequest, tmp_path: Path) -> Kms:
    return connect(f"file:{tmp_path / 'keys'}") if request.param == "file" else request.getfixturevalue("aws")


async def test_it_opens_what_it_encrypted(guard: Kms) -> None:
    ref = await guard.create()
    sealed = await guard.encrypt(ref, MATERIAL)
    assert MATERIAL not in sealed
    assert await guard.decrypt(ref, sealed) == MATERIAL


async def test_a_key_opens_nothing_of_another(guard: Kms) -> None:
    one, other = await guard.create(), await guard.create()
    sealed = await guard.encrypt(one, MATERIAL)
    with pytest.raises((GoneError, KmsUnavailable)):
        await guard.decrypt(other, sealed)


async def test_a_destroyed_key_opens_nothing_and_encrypts_nothing(guard: Kms) -> None:
    ref, other = await guard.create(), await guard.create()
    sealed, kept = await guard.encrypt(ref, MATERIAL), await guard.encrypt(other, MATERIAL)

    await guard.destroy(ref)

    with pytest.raises(GoneError):
        await guard.decrypt(ref, sealed)
    with pytest.raises(GoneError):
        await guard.encrypt(ref, MATERIAL)
    assert await guard.decrypt(other, kept) == MATERIAL


async def test_destroying_again_and_what_never_was_does_no_harm(guard: Kms) -> None:
    ref = await guard.create()
    await guard.destroy(ref)
    await guard.destroy(ref)
    await guard.destroy("0123456789abcdef")


async def test_a_key_file_is_readable_by_its_owner_alone_and_gone_when_destroyed(tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    kms = FileKms(folder)
    ref = await kms.create()
    assert folder.stat().st_mode & 0o777 == 0o700
    assert (folder / ref).stat().st_mode & 0o777 == 0o600
    content = (folder / ref).open("rb")  # what a disk may still hold of a file that is unlinked

    await kms.destroy(ref)

    assert content.read() == bytes(64)
    content.close()
    assert list(folder.iterdir()) == []


async def test_files_that_cannot_be_written_are_an_outage(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text("no folder")
    with pytest.raises(Unavailable):
        await FileKms(tmp_path / "keys").create()
    with pytest.raises(Unavailable):
        await FileKms(tmp_path / "keys").decrypt("a", b"")


async def test_aws_keeps_a_destroyed_key_for_its_waiting_period(aws: Kms) -> None:
    ref = await aws.create()
    await aws.destroy(ref)
    client = boto3.client("kms")
    said = client.describe_key(KeyId=ref)["KeyMetadata"]
    assert said["KeyState"] == "PendingDeletion"
    assert round((said["DeletionDate"] - said["CreationDate"]).total_seconds() / 86_400) == WAIT_DAYS


async def test_an_aws_that_does_not_answer_is_an_outage(aws: Kms, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_KMS", "http://127.0.0.1:1")
    with pytest.raises(Unavailable, match="AWS KMS: EndpointConnectionError"):
        await AwsKms().create()


async def test_aws_without_a_region_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    with pytest.raises(Unavailable, match="NoRegionError"):
        await connect("aws").create()


@pytest.mark.parametrize("setting", ["", "file", "file:", "aws:eu", "vault", "AWS"])
def test_a_setting_that_names_no_kms_stops_the_start(setting: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SystemExit, match="PERKSTREAM_MASTER_KEYS: is neither file:FOLDER nor aws"):
        settings(setting, monkeypatch).kms()


def test_a_service_with_personal_data_needs_the_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SystemExit, match="PERKSTREAM_MASTER_KEYS: is not set"):
        settings(None, monkeypatch).kms()


def settings(master_keys: str | None, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("PERKSTREAM_KAFKA_BOOTSTRAP", "h:1")
    monkeypatch.setenv("PERKSTREAM_KAFKA_SECURITY_PROTOCOL", "PLAINTEXT")
    monkeypatch.setenv("PERKSTREAM_MONGO_URL", "mongodb://h")
    monkeypatch.setenv("PERKSTREAM_JWKS", "https://h/keys")
    if master_keys is not None:
        monkeypatch.setenv("PERKSTREAM_MASTER_KEYS", master_keys)
    return Settings.model_validate({})
