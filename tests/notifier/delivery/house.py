"""The notifier as processes that a test kills and freezes, and what is real around them: Kafka, MongoDB, a mail server.

Its sisters are played: their events are published on their topics, and profile answers `POST /contacts` over HTTP.
"""

import json
import re
from collections.abc import AsyncGenerator, Collection
from contextlib import asynccontextmanager
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import httpx
from aiokafka import AIOKafkaProducer

from deploy.cli import programme
from deploy.cli.kafka import started
from deploy.local.stack import Stack
from deploy.local.system import PROGRAMME
from services.notifier.delivery.outbox import MARKS
from services.notifier.views import DELIVERIES
from shared.contracts.partition import partition_of
from shared.contracts.topics import events_topic
from shared.mongo import Mongo
from shared.settings import PREFIX
from tests.faults.launch import Fault
from tests.faults.limits import SMALL
from tests.faults.process import Nursery, Process, end_all
from tests.faults.stack import PARTITIONS
from tests.faults.waiting import until
from tests.notifier.channels.mailserver import MailServer, mail_server
from tests.notifier.delivery.stand import KEY, Profile, when
from tests.notifier.rules.world import Raw, preferences, tier, unlocked

MODULE = "services.notifier.app"
# Reports that a dead process has left are told soon.
LIMITS = SMALL | {"services.notifier.delivery.sender:UNHEARD": 0.3}
PATIENCE = "services.notifier.delivery.sender:PATIENCE"
_REPEATS = re.compile(r'^perkstream_delivery_repeats_total\{why="half_way"\} (\S+)$', re.MULTILINE)


class House:
    """Made by `house`; ends its processes with it."""

    def __init__(
        self,
        stack: Stack,
        nursery: Nursery,
        folder: Path,
        producer: AIOKafkaProducer,
        mongo: Mongo,
        server: MailServer,
        profile: Profile,
    ) -> None:
        self.server, self.processes = server, list[Process]()
        self._stack, self._nursery, self._folder, self._profile = stack, nursery, folder, profile
        self._producer, self._mongo = producer, mongo
        self._versions: dict[tuple[str, str], int] = {}
        (folder / "token").write_text("our-token")
        own = {
            "PROFILE_URL": profile.url,
            "PROFILE_TOKEN_FILE": str(folder / "token"),
            "PUBLIC_URL": "https://bonus.example",
            "PORTAL_URL": "https://shop.example",
            "UNSUBSCRIBE_KEY": KEY,
            "SMTP_HOST": "127.0.0.1",
            "SMTP_PORT": str(server.port),
            "SMTP_SECURITY": "none",
            "MAIL_FROM": "bonus@shop.example",
        }
        self._environment = stack.environment("notifier") | {PREFIX + name: value for name, value in own.items()}

    def process(
        self, at: str = "", nth: int = 1, do: str = "kill", *, armed: bool = True, patience: float = 0.3
    ) -> Process:
        """Start a process, with a fault at one of `launch.POINTS`. `patience`: with who had its partitions before."""
        fault, name = Fault(at, nth, do, limits=LIMITS | {PATIENCE: patience}), f"notifier-{len(self.processes) + 1}"
        made = Process(name, self._nursery, self._environment, self._folder, fault, armed=armed)
        self.processes.append(made)
        return made

    async def known(self, *customers: str) -> None:
        """Profile says that these want mail; `promoted` then leads to one at once."""
        for name in customers:
            self._profile.addresses[name] = {"email": f"{name}@example.org"}
            await self._say(name, preferences(when(), known="email"))

    async def promoted(self, *customers: str) -> None:
        """Turnover says that these have reached silver."""
        for name in customers:
            await self._say(name, tier("bronze", "silver", when()))

    async def unlocked(self, customer: str, benefit: str, moment: str) -> None:
        """The ledger says that a benefit may be used; those of one moment are one message."""
        await self._say(customer, unlocked(benefit, moment))

    async def _say(self, customer: str, raw: Raw) -> None:
        service = raw["service"]
        version = self._versions[service, customer] = self._versions.get((service, customer), 0) + 1
        event = {name: value for name, value in raw.items() if name != "service"}
        value = json.dumps(event | {"customer_id": customer, "version": version}).encode()
        place = partition_of(customer, PARTITIONS)
        await self._producer.send_and_wait(events_topic(service), value, customer.encode(), partition=place)

    def mails(self, customer: str) -> list[EmailMessage]:
        """What the mail server has taken for a customer."""
        return [mail for mail in self.server.mails() if mail["To"] == f"{customer}@example.org"]

    async def changed(self) -> None:
        """Return when what a queued message says has changed."""

        async def is_changed() -> bool:
            return await self._mongo.find(DELIVERIES, {"change": 1}) != []

        await until(is_changed, "a queued message to change")

    async def sent(self, process: Process, *customers: str) -> None:
        """Return when that process says that these were sent their message, and nothing else is known of them."""
        await self.shows(process, customers, "sent tier_changed/email None")

    async def shows(self, process: Process, customers: Collection[str], *lines: str) -> None:
        """Return when that process says this of each of these, and nobody has anything to send or to tell any more."""

        async def is_shown() -> bool:
            assert process.running, f"{process.name} has ended:\n{process.last_words()}"
            return [await self.notifications(process, name) for name in customers] == [list(lines) for _ in customers]

        await until(is_shown, f"{', '.join(customers)} to be told: {', '.join(lines)}")
        await until(self._empty, "the queue to be empty")

    async def _empty(self) -> bool:
        marks = await self._mongo.find(MARKS, {"status": {"$exists": True}})
        return not marks and await self._mongo.find(DELIVERIES, {}) == []

    async def notifications(self, process: Process, customer: str) -> list[str]:
        """What `GET /customers/{id}/notifications` says, a line each; nothing where nobody answers."""
        headers = {"Authorization": f"Bearer {self._stack.token('staff')}"}
        answer = await _get(f"{process.url}/customers/{customer}/notifications", headers)
        items: list[Any] = [] if answer is None else answer.json()["items"]
        return [f"{one['status']} {one['template']}/{one['channel']} {one['reason']}" for one in items]

    async def repeats(self, process: Process) -> int:
        """How many messages that process has counted as sent again because it found them half-way."""
        answer = await _get(f"{process.url}/metrics", {})
        assert answer is not None
        found = _REPEATS.search(answer.text)
        return int(float(found[1])) if found else 0

    async def end(self) -> None:
        """End every process."""
        self.server.holds.set()
        await end_all(self.processes)
        self.processes.clear()


async def _get(url: str, headers: dict[str, str]) -> httpx.Response | None:
    try:
        async with httpx.AsyncClient(timeout=5, verify=False) as http:  # no certificates to load each time
            answer = await http.get(url, headers=headers)
    except httpx.HTTPError:
        return None
    return answer if answer.is_success else None


@asynccontextmanager
async def house(stack: Stack, nursery: Nursery, folder: Path) -> AsyncGenerator[House]:
    """A house without a process yet; the stack is emptied."""
    await stack.clear()
    await programme.publish(stack.kafka_options(), PROGRAMME)
    mongo, profile = Mongo(stack.mongo_url(), "notifier"), Profile()
    try:
        async with started(AIOKafkaProducer(**stack.kafka_options())) as producer, mail_server(None) as server:
            made = House(stack, nursery, folder, producer, mongo, server, profile)
            try:
                yield made
            finally:
                await made.end()
    finally:
        profile.close()
        await mongo.close()
