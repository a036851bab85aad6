"""A stand for the sender: servers of its own, and a database of its own."""

import secrets
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from deploy.local.stack import Stack
from shared.mongo import Mongo
from tests.notifier.channels.mailserver import MailServer, mail_server
from tests.notifier.channels.provider import Provider, provider
from tests.notifier.delivery.stand import Profile, Stand
from tests.notifier.rules.world import Customer, Given, the_programme


@pytest.fixture
async def server() -> AsyncIterator[MailServer]:
    async with mail_server(None) as started:
        yield started


@pytest.fixture
async def gateway() -> AsyncIterator[Provider]:
    async with provider() as started:
        yield started


@pytest.fixture
def profile() -> Iterator[Profile]:
    started = Profile()
    yield started
    started.close()


@pytest.fixture
async def mongo(stack: Stack) -> AsyncIterator[Mongo]:
    name = f"notifier_{secrets.token_hex(4)}"
    opened = Mongo(stack.mongo_url(), name)
    yield opened
    await opened.database.client.drop_database(name)
    await opened.close()


@pytest.fixture
def stand(mongo: Mongo, profile: Profile, server: MailServer, gateway: Provider, tmp_path: Path) -> Stand:
    return Stand(mongo, profile, tmp_path, server.port, sms_url=f"http://127.0.0.1:{gateway.port}/send")


@pytest.fixture
def given() -> Given:
    """A customer nobody knows yet."""
    return Given(Customer(the_programme()))
