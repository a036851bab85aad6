"""Databases and key management systems of a test's own, and time that only passes when it is told to."""

import logging
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from moto.core.exceptions import JsonRESTError
from moto.kms.responses import KmsResponse
from moto.server import ThreadedMotoServer
from pymongo import AsyncMongoClient

from deploy.local.stack import Stack
from shared.masterkeys.kms import Kms, connect
from shared.mongo import Document, Mongo


class Clock:
    """Seconds that only go forward."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Counting:
    """A KMS that counts how often it is asked to decrypt, and can be cut off."""

    def __init__(self, kms: Kms) -> None:
        self.kms = kms
        self.decrypted = 0
        self.away: Exception | None = None

    async def create(self) -> str:
        return await self.kms.create()

    async def encrypt(self, ref: str, plain: bytes) -> bytes:
        return await self.kms.encrypt(ref, plain)

    async def decrypt(self, ref: str, sealed: bytes) -> bytes:
        if self.away is not None:
            raise self.away
        self.decrypted += 1
        return await self.kms.decrypt(ref, sealed)

    async def destroy(self, ref: str) -> None:
        await self.kms.destroy(ref)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def kms(tmp_path: Path) -> Counting:
    return Counting(connect(f"file:{tmp_path / 'master-keys'}"))


@pytest.fixture
async def mongo(stack: Stack) -> AsyncIterator[Mongo]:
    """A database with the collections that keys need, empty, gone after the test."""
    name = f"test-{uuid4().hex}"
    async with AsyncMongoClient[Document](stack.mongo_url()) as client:
        for collection in ("keys", "masters"):
            await client[name].create_collection(collection)
        mongo = Mongo(stack.mongo_url(), name)
        yield mongo
        await mongo.close()
        await client.drop_database(name)


@pytest.fixture(scope="session")
def aws_server() -> Iterator[str]:
    """The address of a server that speaks the protocol of AWS KMS; its encryption is real."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def aws(aws_server: str, monkeypatch: pytest.MonkeyPatch) -> Kms:
    """AWS KMS, found as any AWS client finds it."""
    for name, value in {
        "AWS_ENDPOINT_URL_KMS": aws_server,
        "AWS_DEFAULT_REGION": "eu-central-1",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_CONFIG_FILE": "none",
        "AWS_SHARED_CREDENTIALS_FILE": "none",
    }.items():
        monkeypatch.setenv(name, value)
    _refuse_keys_to_be_deleted(monkeypatch)
    return connect("aws")


def _refuse_keys_to_be_deleted(monkeypatch: pytest.MonkeyPatch) -> None:
    """As AWS does, and this server does not yet: it takes note of a deletion, and goes on using the key."""

    def checked(original: Callable[[KmsResponse], str]) -> Callable[[KmsResponse], str]:
        def check(self: KmsResponse) -> str:
            key = self.kms_backend.keys.get(self._get_param("KeyId"))
            if key is not None and key.key_state == "PendingDeletion":
                raise JsonRESTError("KMSInvalidStateException", "pending deletion")
            return original(self)

        return check

    for name in ("encrypt", "decrypt"):
        monkeypatch.setattr(KmsResponse, name, checked(getattr(KmsResponse, name)))
