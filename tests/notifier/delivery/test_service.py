"""The running service between Kafka, MongoDB and a mail server: from an event to a mail, and to what became of it."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import httpx
import pytest
from aiokafka import AIOKafkaProducer

from deploy.cli import programme
from deploy.cli.kafka import started
from deploy.local import ports
from deploy.local.service import Service
from deploy.local.stack import Stack
from deploy.local.system import PROGRAMME
from shared.contracts.partition import partition_of
from shared.contracts.topics import events_topic
from shared.settings import PREFIX
from tests.conftest import FreshStack
from tests.notifier.channels.mailserver import MailServer
from tests.notifier.delivery.stand import KEY, Profile, until, when
from tests.notifier.rules.world import Raw, preferences, tier, unlocked

pytestmark = pytest.mark.timeout(180)
CUSTOMER, OTHER, THIRD = "c-1", "c-2", "c-3"


class Running:
    """The service, seen from outside."""

    def __init__(self, stack: Stack, url: str, http: httpx.AsyncClient, producer: AIOKafkaProducer) -> None:
        self.url, self._http, self._producer = url, http, producer
        self._staff = {"Authorization": f"Bearer {stack.token('staff')}"}
        self._versions: dict[tuple[str, str], int] = {}

    async def say(self, raw: Raw, customer: str = CUSTOMER) -> None:
        """Publish an event of a sister service, as its runtime would."""
        service = raw["service"]
        version = self._versions[service, customer] = self._versions.get((service, customer), 0) + 1
        event = {name: value for name, value in raw.items() if name != "service"}
        value = json.dumps(event | {"customer_id": customer, "version": version}).encode()
        place = partition_of(customer, 12)
        await self._producer.send_and_wait(events_topic(service), value, customer.encode(), partition=place)

    async def notifications(self, customer: str = CUSTOMER) -> list[str]:
        answer = await self._http.get(f"{self.url}/customers/{customer}/notifications", headers=self._staff)
        return [f"{one['status']} {one['template']}/{one['channel']} {one['reason']}" for one in answer.json()["items"]]


@asynccontextmanager
async def running(stack: Stack, profile: Profile, smtp_port: int) -> AsyncGenerator[Running]:
    await programme.publish(stack.kafka_options(), PROGRAMME)
    token = stack.folder / "token"
    token.write_text("our-token")
    own = {
        "PROFILE_URL": profile.url,
        "PROFILE_TOKEN_FILE": str(token),
        "PUBLIC_URL": "https://bonus.example",
        "PORTAL_URL": "https://shop.example",
        "UNSUBSCRIBE_KEY": KEY,
        "SMTP_HOST": "127.0.0.1",
        "SMTP_PORT": str(smtp_port),
        "SMTP_SECURITY": "none",
        "MAIL_FROM": "bonus@shop.example",
    }
    environment = stack.environment("notifier") | {PREFIX + name: value for name, value in own.items()}
    service = Service("notifier", "services.notifier.app", environment, ports.choose(1)[0], stack.folder / "log")
    supervisor = asyncio.create_task(service.supervise())
    try:
        await service.ready()
        async with started(AIOKafkaProducer(**stack.kafka_options())) as producer, httpx.AsyncClient() as http:
            yield Running(stack, service.url, http, producer)
    finally:
        supervisor.cancel()
        await asyncio.gather(supervisor, return_exceptions=True)


async def test_from_an_event_to_a_mail_and_what_became_of_it(
    fresh_stack: FreshStack, profile: Profile, server: MailServer
) -> None:
    stack = await fresh_stack()
    profile.addresses[CUSTOMER] = {"email": "c-1@example.org"}
    async with running(stack, profile, server.port) as service:
        await service.say(preferences(when(), known="email"))
        await service.say(tier("bronze", "silver", when()))
        await until(lambda: len(server.mails()) == 1, 30)

        async def shows(*expected: str) -> bool:
            return (await service.notifications())[0] in expected

        await until(lambda: shows("sent tier_changed/email None"))
        await service.say(preferences(when(), known="email", consent=False))
        await service.say(tier("silver", "gold", when()))
        # Topics do not keep each other's order: it may have waited for tomorrow when consent was withdrawn.
        ends = [f"{how} tier_changed/email no_consent" for how in ("suppressed", "withdrawn")]
        await until(lambda: shows(*ends))
        await _a_server_that_holds_a_mail_holds_up_no_event(service, profile, server)
        await _an_address_that_is_rejected_is_left_alone(service, profile, server)
    log = (stack.folder / "log").read_text()
    assert "example.org" not in log
    assert "Ada" not in log


async def _a_server_that_holds_a_mail_holds_up_no_event(service: Running, profile: Profile, server: MailServer) -> None:
    profile.addresses[THIRD] = {"email": "c-3@example.org"}
    server.holds.clear()
    await service.say(preferences(when(), known="email"), THIRD)
    await service.say(tier("bronze", "silver", when()), THIRD)
    await until(lambda: server.held)
    await service.say(preferences(when(), known="email", consent=False), THIRD)

    async def is_withdrawn() -> bool:
        return await service.notifications(THIRD) == ["withdrawn tier_changed/email no_consent"]

    await until(is_withdrawn)
    assert server.held
    server.holds.set()


async def _an_address_that_is_rejected_is_left_alone(service: Running, profile: Profile, server: MailServer) -> None:
    profile.addresses[OTHER] = {"email": "c-2@example.org"}
    await service.say(preferences(when(), known="email"), OTHER)
    server.at_rcpt = ["550 5.1.1 no such user"]
    await service.say(tier("bronze", "silver", when()), OTHER)

    async def shows(*expected: str) -> bool:
        return await service.notifications(OTHER) == list(expected)

    await until(lambda: shows("failed tier_changed/email rejected"))
    await service.say(unlocked("alpha", when()), OTHER)
    await until(lambda: shows("suppressed benefit_unlocked/email bad_address", "failed tier_changed/email rejected"))
    assert server.asked.count("c-2@example.org") == 1
