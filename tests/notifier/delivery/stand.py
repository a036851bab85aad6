"""What the sender stands on in its tests: a real MongoDB, a mail server, an SMS gateway, and profile over HTTP.

The writer is played here: it decides each report by the real rules and writes their documents as the runtime does. The
running service, with Kafka between them, is tested with the whole system.
"""

import asyncio
import json
import threading
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from msgspec import Struct

from services.notifier import rules, views
from services.notifier.delivery.links import Links
from services.notifier.delivery.outbox import MARKS
from services.notifier.delivery.sender import Sender, open_sender
from services.notifier.delivery.settings import DeliverySettings
from services.notifier.rendering import Brand, Renderer
from services.notifier.settings import ChannelSettings
from services.notifier.state import State
from shared.contracts.partition import partition_of
from shared.mongo import Mongo, Unavailable
from shared.runtime.owned import view_id
from shared.runtime.rules import Command, View
from shared.runtime.service import Ground
from shared.runtime.store import Observer
from tests.notifier.rules import world

PARTITIONS = 4
KEY = "k" * 32
LINKS = Links(KEY)
RENDERER = Renderer(Brand("Our Shop"))


class Clock:
    """The real time, and what a test adds to it."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


class Profile:
    """Profile's answers to `POST /contacts`, and what it was told to switch off. `away`: it answers 503."""

    def __init__(self) -> None:
        self.addresses: dict[str, dict[str, str]] = {}
        self.away = False
        self.switched_off: list[str] = []
        self.asked = 0
        handler = type("Handler", (_Handler,), {"profile": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    profile: Profile

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        assert self.headers["authorization"] == "Bearer our-token"
        self.profile.asked += 1
        known = self.profile.addresses
        items = [
            {
                "customer_id": customer,
                "name": "Ada Example",
                "channels": {
                    name: {"address": value, "ref": f"ref-{value}"} for name, value in known[customer].items()
                },
            }
            for customer in body["customer_ids"]
            if customer in known
        ]
        self._answer(503 if self.profile.away else 200, {"items": items})

    def do_PUT(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.profile.switched_off.append(f"{self.path} {body}")
        self._answer(503 if self.profile.away else 200, {})

    def _answer(self, status: int, body: Any) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None: ...  # noqa: A002


class Stored(Struct):
    answer: bool | None


class Writer:
    """Decides by the real rules, one customer at a time, and writes the queue. `away`: as if Kafka did not answer."""

    def __init__(self, mongo: Mongo) -> None:
        self.customers: dict[str, world.Customer] = {}
        self.away = False
        self.told: list[dict[str, Any]] = []
        self.observers: list[Observer] = []
        self._mongo = mongo
        self._answered: set[str] = set()
        self._one = asyncio.Lock()

    def customer(self, customer_id: str) -> world.Customer:
        if customer_id not in self.customers:
            made = self.customers[customer_id] = world.Customer(world.the_programme())
            made.state = rules.initial(customer_id)
        return self.customers[customer_id]

    async def say(self, customer_id: str, *raws: Mapping[str, Any]) -> None:
        """A sister, or the clock, says something."""
        async with self._one:
            customer = self.customer(customer_id)
            before = customer.state
            for raw in raws:
                customer.take({**raw})
            await self._write(customer_id, before, customer.state)

    async def send(self, command: Mapping[str, Any], wait: float) -> Stored:
        """As the runtime's: a command once, and its answer."""
        if self.away:
            raise Unavailable("kafka")
        async with self._one:
            if command["command_id"] not in self._answered:
                self._answered.add(command["command_id"])
                self.told.append(dict(command))
                customer = self.customer(command["customer_id"])
                before = customer.state
                body = rules.COMMANDS[command["type"]].validate_json(json.dumps(dict(command)))
                message = Command(command["command_id"], command["type"], command["customer_id"], "notifier", body)
                customer.decide(message)
                await self._write(command["customer_id"], before, customer.state)
        return Stored(True)

    async def _write(self, customer_id: str, before: State, after: State) -> None:
        number = partition_of(customer_id, PARTITIONS)
        documents = self._mongo.collection(views.DELIVERIES)
        shown = list(views.deliveries(customer_id, before, after))
        for view in shown:
            await _put(documents, view_id(number, view.id), view)
        for observe in self.observers:
            observe({views.DELIVERIES: [dict(view.document) for view in shown if view.document is not None]})

    def events(self, customer_id: str) -> list[str]:
        """What was published of a customer, each in one line."""
        found = [world.told(entry) for entry in self.customer(customer_id).log if hasattr(entry.fact, "reason")]
        return [line for line in found if line]


async def _put(documents: Any, identity: str, view: View) -> None:
    if view.document is None:
        await documents.delete_one({"_id": identity})
    else:
        await documents.replace_one({"_id": identity}, dict(view.document), upsert=True)


class Stand:
    """Everything around a sender, and the sender itself while it `runs`."""

    def __init__(self, mongo: Mongo, profile: Profile, folder: Path, smtp_port: int, **channels: Any) -> None:
        self.mongo, self.profile, self.clock, self.writer = mongo, profile, Clock(), Writer(mongo)
        self.owned = dict.fromkeys(range(PARTITIONS), 1)
        token = folder / "token"
        token.write_text("our-token\n")
        self.delivery = DeliverySettings.model_validate(
            {
                "profile_url": profile.url,
                "profile_token_file": token,
                "public_url": "https://bonus.example",
                "portal_url": "https://shop.example",
                "unsubscribe_key": KEY,
            }
        )
        mail = {"smtp_host": "127.0.0.1", "smtp_port": smtp_port, "smtp_security": "none"}
        self.channels = ChannelSettings.model_validate(mail | {"mail_from": "bonus@shop.example"} | channels)

    @asynccontextmanager
    async def runs(self, owned: Mapping[int, int] | None = None) -> AsyncGenerator[Sender]:
        """A sender at work, which owns the partitions by their epochs."""
        owned = self.owned if owned is None else owned
        stop = asyncio.Event()
        nothing: Any = None
        writer: Any = self.writer
        ground = Ground(
            self.mongo,
            writer,
            world.the_programme,
            lambda: owned,
            nothing,
            stop,
            self.writer.observers,
        )
        async with open_sender(ground, self.delivery, self.channels, RENDERER, LINKS, self.clock) as sender:
            task = asyncio.create_task(sender.run())
            try:
                yield sender
            finally:
                stop.set()
                await task

    async def documents(self) -> list[dict[str, Any]]:
        """The queue as it lies in MongoDB, each message with the status of its mark."""
        found = await self.mongo.find(views.DELIVERIES, {}, sort=[("_id", 1)])
        status = {mark["_id"]: mark["status"] for mark in await self.marks()}
        return [each | {"status": status.get(each["_id"], each["status"])} for each in found]

    async def marks(self) -> list[dict[str, Any]]:
        """What the sender has noted of messages."""
        return await self.mongo.find(MARKS, {"status": {"$exists": True}}, sort=[("_id", 1)])


def customer(number: int) -> str:
    return f"c-{number}"


def when(ago: timedelta = timedelta()) -> str:
    return (datetime.now(UTC) - ago).isoformat()


async def until(condition: Any, seconds: float = 20) -> None:
    """Wait until a condition holds, plain or awaitable."""
    async with asyncio.timeout(seconds):
        while True:
            held = condition()
            if await held if asyncio.iscoroutine(held) else held:
                return
            await asyncio.sleep(0.02)
