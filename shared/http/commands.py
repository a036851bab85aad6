"""Writes: a request becomes a command with an id, and the answer of its one writer becomes the response.

The id is made of sender, path and `Idempotency-Key`, so the same request again finds the same answer; what the first
one said is kept beside it as a fingerprint, so another request with that key is a conflict.
"""

import asyncio
import hashlib
import json
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Protocol

from fastapi import APIRouter, Depends, Header, Path, Request, Response
from fastapi.responses import JSONResponse
from msgspec import Struct
from pydantic import BaseModel, ConfigDict

from shared.http import problems
from shared.http.problems import Problem
from shared.http.sealed import Sealers, opened
from shared.http.tokens import Anybody, Principal, allow

WAIT: Final = 2.0  # seconds that a write may take before it is answered with 202
ALL: Final = "all"  # what the id of a command to every partition begins with

IdempotencyKey = Annotated[
    str | None,
    Header(
        pattern=r"^[\x21-\x7e]{1,255}$", description="The same key again gets the first answer, with another body 409."
    ),
]
Operator = Annotated[Principal, allow("ops")]
CommandId = Annotated[str, Path(pattern=r"^(all|[0-9]{2,4})-[0-9a-f]{32}$")]


class Answer(Struct, frozen=True):
    """What the writer said: an HTTP status and a JSON body. From 400 on the body has a problem's `type` and extras."""

    status: int
    body: Mapping[str, Any] | None = None


class Stored(Struct, frozen=True):
    """A command that the service knows of: who sent it, what it said, and the answer unless it is pending."""

    sender: str
    fingerprint: str
    answer: Answer | None


class Commands(Protocol):
    """The way to the one writer of each partition. Raises `shared.mongo.Unavailable` where it is cut off."""

    @property
    def partitions(self) -> int:
        """How many there are."""
        ...

    def partition(self, customer_id: str) -> int:
        """The partition of a customer."""
        ...

    async def send(self, command: Mapping[str, Any], wait: float) -> Stored:
        """Publish a command and wait so many seconds for the answer: the first one, where its id is known already.

        What is unanswered by then must be found by `find` in every process of the service.
        """
        ...

    async def find(self, command_id: str) -> Stored | None:
        """A command that was sent, answered or not."""
        ...


def command_id(place: int | str, sender: str, path: str, key: str | None) -> str:
    """The id of a command: the partition, and a hash of sender, path and key; without a key, of nothing twice."""
    prefix = f"{place:02d}" if isinstance(place, int) else place
    named = json.dumps([sender, path, key]) if key is not None else secrets.token_hex()
    return f"{prefix}-{hashlib.sha256(named.encode()).hexdigest()[:32]}"


class Sending:
    """Turns a request into a command: `return await sending(who, "HoldPoints.v1", id, body)`. Routes ask for `Send`."""

    def __init__(self, request: Request, idempotency_key: str | None) -> None:
        self._request, self._key = request, idempotency_key
        self._commands: Commands = request.app.state.commands

    async def __call__(self, who: Principal, kind: str, customer_id: str, body: Mapping[str, Any]) -> Response:
        """Send it to the customer's writer; the response is the answer, or 202 when it takes longer."""
        place = self._commands.partition(customer_id)
        command = self._command(who, kind, place, body) | {"customer_id": customer_id}
        stored = await self._commands.send(command, WAIT)
        self._same(command, stored)
        return _respond(stored.answer) if stored.answer else _pending(command["command_id"])

    async def to_all(self, who: Principal, kind: str, body: Mapping[str, Any]) -> Response:
        """Send it to the writer of every partition; the response is 202, and says where the answers gather."""
        key = self._key or secrets.token_hex()
        shared = command_id(ALL, who.subject, self._request.scope["path"], key)
        commands = [
            self._command(who, kind, place, body) | {"command_id": _part(shared, place), "partition": place}
            for place in range(self._commands.partitions)
        ]
        for command, stored in zip(
            commands, await asyncio.gather(*(self._commands.send(each, 0) for each in commands)), strict=True
        ):
            self._same(command, stored)
        return _pending(shared)

    def _command(self, who: Principal, kind: str, place: int, body: Mapping[str, Any]) -> dict[str, Any]:
        said = json.dumps([self._request.method, kind, body], sort_keys=True)
        return {
            **body,
            "type": kind,
            "command_id": command_id(place, who.subject, self._request.scope["path"], self._key),
            "sender": who.subject,
            "fingerprint": hashlib.sha256(said.encode()).hexdigest()[:32],
            "sent_at": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        }

    def _same(self, command: Mapping[str, Any], stored: Stored) -> None:
        if stored.fingerprint != command["fingerprint"]:
            raise Problem("conflict", "This Idempotency-Key was used for another request")


class Rebuild(BaseModel):
    """`compare`: change nothing, and report where the stored state differs from the log."""

    model_config = ConfigDict(extra="forbid", strict=True)

    compare: bool = False


class Pending(BaseModel):
    """A command that is not answered yet."""

    command_id: str
    status: str = "pending"


ACCEPTED: Final[dict[int | str, dict[str, Any]]] = {
    202: {
        "model": Pending,
        "description": "Not answered yet",
        "headers": {"Location": {"schema": {"type": "string"}, "description": "Where the answer will be"}},
    }
}


async def _sending(request: Request, idempotency_key: IdempotencyKey = None) -> Sending:
    return Sending(request, idempotency_key)


# For a dependency that is no coroutine, such as a class, FastAPI changes to a thread and back.
Send = Annotated[Sending, Depends(_sending)]


def routes() -> APIRouter:
    """`/commands/{id}`, `/rebuild` and `/dead-letters/retry`."""
    router = APIRouter(tags=["operation"])

    @router.get("/commands/{command_id}", summary="The answer to a write of your own", responses=ACCEPTED)
    async def answer(request: Request, command_id: CommandId, who: Anybody) -> Response:
        commands: Commands = request.app.state.commands
        ids = [command_id]
        if command_id.startswith(f"{ALL}-"):
            ids = [_part(command_id, place) for place in range(commands.partitions)]
        found = await asyncio.gather(*(commands.find(each) for each in ids))
        known = [stored for stored in found if stored is not None]
        if not known:
            raise Problem("not-found")
        if any(stored.sender != who.subject for stored in known):
            raise Problem("forbidden", "Somebody else sent this")
        answers = [stored.answer for stored in known if stored.answer is not None]
        if len(answers) < len(ids):
            return _pending(command_id)
        if ids == [command_id]:
            sealers: Sealers | None = request.app.state.sealers
            body = answers[0].body
            return _respond(Answer(answers[0].status, body if sealers is None else await opened(body, sealers)))
        return JSONResponse(
            {"items": [{"partition": n, "status": each.status, **(each.body or {})} for n, each in enumerate(answers)]}
        )

    @router.post("/rebuild", summary="State and views from the log", status_code=202, responses=ACCEPTED)
    async def rebuild(who: Operator, sending: Send, body: Rebuild | None = None) -> Response:
        return await sending.to_all(who, "Rebuild.v1", (body or Rebuild()).model_dump())

    @router.post("/dead-letters/retry", summary="Try dead letters again", status_code=202, responses=ACCEPTED)
    async def retry(who: Operator, sending: Send) -> Response:
        return await sending.to_all(who, "RetryDeadLetters.v1", {})

    return router


def _part(shared: str, place: int) -> str:
    return f"{place:02d}{shared.removeprefix(ALL)}"


def _pending(identity: str) -> Response:
    headers = {"Location": f"/commands/{identity}", "Retry-After": "1"}
    return JSONResponse(Pending(command_id=identity).model_dump(), 202, headers)


def _respond(answer: Answer) -> Response:
    if answer.status < 400:  # noqa: PLR2004
        return Response(status_code=answer.status) if answer.body is None else JSONResponse(answer.body, answer.status)
    extra = dict(answer.body or {})
    kind = extra.pop("type", "about:blank")
    if kind not in problems.KINDS:
        return problems.blank(answer.status)
    title = problems.KINDS[kind][1]
    return problems.response(
        answer.status, problems.problem(answer.status, kind, title, extra.pop("detail", None), extra)
    )
