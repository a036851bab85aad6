"""A message, an authority that signs certificates, and the providers."""

import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trustme

from services.notifier.rendering import Rendered
from tests.notifier.channels.provider import Provider, provider

MESSAGE = Rendered(
    template="tier_changed",
    language="de",
    subject="Ihr neuer Status: Größe",
    short="Danke, dass Sie bei uns einkaufen.",
    text="Guten Tag,\n\nIhr Status ist Größe.\n.\nEin Punkt allein.\n",
    html="<!doctype html><html><body><p>Guten Tag,</p><p>Ihr Status ist Größe.</p></body></html>",
    status_url="https://shop.example/my-bonus",
    unsubscribe_url="https://shop.example/unsubscribe/" + "x" * 400,
)


@pytest.fixture
def message() -> Rendered:
    return MESSAGE


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> "Authority":
    return Authority(tmp_path_factory.mktemp("authority"))


class Authority:
    """`file`: whom to trust. `certificate`: of localhost, with its key."""

    def __init__(self, folder: Path) -> None:
        made = trustme.CA()
        issued = made.issue_cert("localhost", "127.0.0.1")
        self.file = folder / "authority.pem"
        self.certificate = folder / "localhost.pem"
        made.cert_pem.write_to_path(self.file)
        issued.private_key_and_cert_chain_pem.write_to_path(self.certificate)

    def server(self) -> ssl.SSLContext:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self.certificate)
        return context


@pytest.fixture
async def gateway() -> AsyncIterator[Provider]:
    async with provider() as started:
        yield started
