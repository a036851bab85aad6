"""`perkstream keys`, and what the services may do with keys in the database."""

import re
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from pymongo import AsyncMongoClient
from pymongo.errors import OperationFailure
from typer.testing import CliRunner

from deploy.cli import keys
from deploy.cli.main import app
from deploy.cli.place import Place
from deploy.cli.trouble import Trouble
from deploy.local.stack import Stack
from shared.masterkeys.masters import CLOSED, MASTERS
from shared.mongo import Mongo
from shared.runtime.keyring import Keyring
from shared.runtime.owned import KEYS
from shared.settings import PREFIX
from tests.sealing.conftest import Clock, Counting


@pytest.fixture
def where(mongo: Mongo, stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[str, str]:
    async def moment(_: Mongo) -> float:
        return 0.001

    monkeypatch.setattr(keys, "DATABASE", mongo.database.name)
    monkeypatch.setattr(Mongo, "lifetime", moment)  # of transactions, which a rotation waits for
    return stack.mongo_url(), f"file:{tmp_path / 'master-keys'}"


async def test_versions_are_listed_made_and_destroyed(
    mongo: Mongo, kms: Counting, where: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    await keys.listing(*where)
    assert "there is none yet" in capsys.readouterr().out
    ring = Keyring(mongo, kms, 12, Clock())
    await ring.load({})
    await mongo.insert(KEYS, ring.make("c-1", 1)[1])

    await keys.rotate(*where)

    assert "version 2 wraps all keys; 1 were moved to it" in capsys.readouterr().out
    await keys.listing(*where)
    told = capsys.readouterr().out
    assert re.search(r"1 .*closed .* 0 ", told)
    assert re.search(r"2 .*open .* 1 ", told)
    with pytest.raises(Trouble, match="version 2 is the newest"):
        await keys.destroy(*where, 2)
    await keys.destroy(*where, 1)
    assert "version 1 is destroyed" in capsys.readouterr().out


def test_destroying_asks_first(where: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[int] = []

    async def destroy(_url: str, _keys: str, version: int) -> None:
        done.append(version)

    monkeypatch.setattr(keys, "destroy", destroy)
    monkeypatch.setenv("MONGO_URL", where[0])
    monkeypatch.setenv("MASTER_KEYS", where[1])
    run = CliRunner().invoke

    assert run(app, ["keys", "destroy", "3"], input="n\n").exit_code == 1
    assert done == []
    assert run(app, ["keys", "destroy", "3"], input="y\n").exit_code == 0
    assert run(app, ["keys", "destroy", "4", "--yes"]).exit_code == 0
    assert done == [3, 4]


@pytest.mark.parametrize(
    ("url", "master_keys", "told"),
    [
        ("mongodb://127.0.0.1", "vault:x", "MASTER_KEYS: is neither file:FOLDER nor aws"),
        ("mongo://127.0.0.1", "file:x", "MONGO_URL: Invalid URI scheme"),
    ],
)
async def test_a_wrong_address_is_named(url: str, master_keys: str, told: str) -> None:
    with pytest.raises(Trouble, match=told):
        await keys.listing(url, master_keys)


def test_the_place_of_keys_is_taken_from_one_source() -> None:
    file = {"MONGO_URL": "mongodb://f", "MASTER_KEYS": "file:f"}
    assert Place({}, file).keys() == ("mongodb://f", "file:f")
    with pytest.raises(Trouble, match="set MASTER_KEYS"):
        Place({"MONGO_URL": "mongodb://e"}, file).keys()


def test_the_local_stack_names_master_keys_to_profile_and_operators_alone(stack: Stack) -> None:
    name = f"{PREFIX}MASTER_KEYS"
    assert stack.environment("profile")[name] == stack.environment("ops")[name]
    assert stack.environment("profile")[name].startswith(f"file:{stack.folder}")
    assert all(name not in stack.environment(role) for role in ("turnover", "ledger", "notifier", "crm"))


async def test_profile_may_change_keys_and_only_add_versions(stack: Stack) -> None:
    identity = f"test-{uuid4().hex}"
    document: dict[str, Any] = {"_id": identity, "state": CLOSED}
    async with AsyncMongoClient[dict[str, Any]](stack.mongo_url("profile", "profile")) as client:
        await client.profile[KEYS].insert_one({"_id": identity})
        await client.profile[KEYS].delete_one({"_id": identity})
        await client.profile[MASTERS].insert_one(document)
        try:
            change = client.profile[MASTERS].update_one({"_id": identity}, {"$set": {"state": "open"}})
            for attempt in (change, client.profile[MASTERS].delete_one({"_id": identity})):
                with pytest.raises(OperationFailure, match="not authorized"):
                    await attempt
        finally:
            async with AsyncMongoClient[dict[str, Any]](stack.mongo_url()) as operator:
                await operator.profile[MASTERS].delete_one({"_id": identity})


@pytest.mark.parametrize("service", ["turnover", "ledger", "notifier"])
async def test_no_other_service_reads_them(stack: Stack, service: str) -> None:
    async with AsyncMongoClient[dict[str, Any]](stack.mongo_url(service, service)) as client:
        for name in (KEYS, MASTERS):
            with pytest.raises(OperationFailure, match="not authorized"):
                await client.profile[name].find_one()
