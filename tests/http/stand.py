"""A small service around which the HTTP edge is tested: its routes, a writer that answers at once, keys and tokens.

The writer and the reader stand in for the runtime here, for the shape of requests and responses alone; the real ones
run in the tests of the services.
"""

import asyncio
import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import httpx
from fastapi import APIRouter, FastAPI, Request, Response
from joserfc import jwt
from joserfc.jwk import ECKey, Key, KeySet
from pydantic import BaseModel, ConfigDict

from shared.http.app import make_app
from shared.http.commands import Answer, Send, Stored
from shared.http.limits import Limits
from shared.http.probes import Probes
from shared.http.reads import CustomerId, Logged, Paging, listing, reply, same, unchanged
from shared.http.tokens import Guard, Keys, Principal, allow
from shared.mongo import Unavailable
from shared.rulebook.entry import Entry
from shared.runtime.rules import Rules

KEY = ECKey.generate_key("P-256", {"kid": "k1"})
PARTITIONS = 3


def key_set(*keys: Key) -> dict[str, Any]:
    return {"keys": [key.as_dict(private=False) for key in keys]}


def token(scope: str | None = "ops", *, key: Key = KEY, alg: str = "ES256", header: Any = None, **claims: Any) -> str:
    now = int(time.time())
    said = {
        "iss": "perkstream",
        "aud": "perkstream",
        "sub": "s-1",
        "iat": now,
        "exp": now + 3600,
        "scope": scope,
        **claims,
    }
    said = {name: value for name, value in said.items() if value is not None}
    return jwt.encode({"alg": alg, "kid": key.kid, **(header or {})}, said, key, [alg])


def bearer(scope: str | None = "ops", **claims: Any) -> dict[str, str]:
    return {"Authorization": f"Bearer {token(scope, **claims)}"}


class Fixed(Keys):
    """The key of the tests, from no file."""

    def __init__(self) -> None:
        pass

    async def find(self, kid: str | None) -> KeySet:
        return KeySet([KEY])


LOCAL = Fixed()


class Writer:
    """Answers every command with what it was told to answer; `None` leaves it pending."""

    partitions = PARTITIONS

    def __init__(self) -> None:
        self.answer: Answer | None = Answer(200, {"done": True})
        self.sent: dict[str, Mapping[str, Any]] = {}
        self.stored: dict[str, Stored] = {}

    def partition(self, customer_id: str) -> int:
        return len(customer_id) % PARTITIONS

    async def send(self, command: Mapping[str, Any], wait: float) -> Stored:
        identity = command["command_id"]
        self.sent.setdefault(identity, command)
        return self.stored.setdefault(identity, Stored(command["sender"], command["fingerprint"], self.answer))

    async def find(self, command_id: str) -> Stored | None:
        return self.stored.get(command_id)

    def settle(self, answer: Answer) -> None:
        self.stored = {key: Stored(each.sender, each.fingerprint, answer) for key, each in self.stored.items()}


def state_since(rules: Rules, log: Sequence[Entry], customer_id: str, version: int) -> Any:
    """What `Reader.since` finds in a log whose entries came one by one: the state as that version, the newest, came."""
    state, events = rules.initial(customer_id), 0
    for entry in log:
        state, events = rules.evolve(state, entry), events + entry.public
        if events == version:
            return state
    return None


class Log:
    """A customer's log: documents of events, as many in each as `shape` says, versions counting from 1."""

    def __init__(self, shape: list[int]) -> None:
        self.documents: list[Logged] = []
        version = 0
        for revision, count in enumerate(shape, 1):
            numbers = range(version + 1, version + count + 1)
            self.documents.append(Logged(revision, [json.dumps({"version": n}).encode() for n in numbers]))
            version += count
        self.version = version

    async def log(self, customer_id: str, before_rev: int | None, limit: int) -> list[Logged]:
        return [each for each in reversed(self.documents) if before_rev is None or each.revision < before_rev][:limit]

    async def head(self, customer_id: str) -> Any:
        raise NotImplementedError

    async def since(self, customer_id: str, version: int) -> Any:
        raise NotImplementedError

    async def states(self, customer_ids: Sequence[str]) -> Any:
        raise NotImplementedError

    async def view(self, collection: str, identity: str) -> None:
        return None

    async def totals(self) -> dict[str, int]:
        return {}


class Change(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    name: str
    points: int = 0


class Service:
    """The application and what its tests turn."""

    def __init__(self, keys: Keys, limits: Limits | None = None) -> None:
        self.writer = Writer()
        self.log = Log([])
        self.version = 7
        self.ready = True
        self.app: FastAPI = make_app(
            "sample",
            Guard(keys, "perkstream", "perkstream", limits),
            Probes(live=lambda: (True, {}), ready=lambda: (self.ready, {"assigned": [0, 1]})),
            [self._routes()],
            self.writer,
        )

    def client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url="http://sample")

    def _routes(self) -> APIRouter:
        router = APIRouter()
        caller = allow("customer", "staff", "ops")

        @router.get("/customers/{customer_id}/thing")
        async def thing(request: Request, who: Annotated[Principal, caller], customer_id: CustomerId) -> Response:
            if unchanged(request, self.version):
                return same(self.version)
            return reply(self.version, {"version": self.version, "by": who.subject})

        @router.get("/customers/{customer_id}/things")
        async def things(
            who: Annotated[Principal, caller],
            customer_id: CustomerId,
            page: Paging,
        ) -> Response:
            return reply(self.log.version, await listing(self.log, customer_id, page, _odd))

        @router.put("/customers/{customer_id}/thing")
        async def change(
            who: Annotated[Principal, allow("customer", "staff")],
            customer_id: CustomerId,
            body: Change,
            sending: Send,
        ) -> Response:
            return await sending(who, "ChangeThing.v1", customer_id, body.model_dump())

        @router.get("/bug")
        async def bug() -> Response:
            raise RuntimeError("the address of Mrs Smith")

        @router.get("/outage")
        async def outage() -> Response:
            raise Unavailable("mongodb://user:secret@host")

        @router.get("/slow")
        async def slow() -> Response:
            await asyncio.sleep(60)
            return Response()

        return router


def _odd(event: bytes) -> dict[str, Any] | None:
    shown = json.loads(event)
    return shown if shown["version"] % 2 else None


def write_keys(path: Path, *keys: Key) -> str:
    path.write_text(json.dumps(key_set(*keys)))
    return str(path)


def problem(answer: httpx.Response, status: int, kind: str) -> dict[str, Any]:
    """The body of a response that must be this problem."""
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json"), answer.text
    body = answer.json()
    assert (body["type"], body["status"]) == (kind, status)
    assert body["title"]
    return body
