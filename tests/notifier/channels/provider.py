"""A provider that speaks HTTP: a real server that notes what it was sent, and answers as a test says."""

import asyncio
import socket
import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn


@dataclass
class Answer:
    """What is answered; never, with `hangs`; byte by byte without end, with `drips`."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    hangs: bool = False
    drips: bool = False


@dataclass
class Request:
    path: str
    headers: dict[str, str]
    body: bytes


class Provider:
    """`port` of this machine; `answers` are used up one by one, then everything is fine."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.answers: list[Answer] = []
        self.requests: list[Request] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body = b""
        while (message := await receive())["type"] == "http.request":
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        self.requests.append(Request(scope["path"], headers, body))
        answer = self.answers.pop(0) if self.answers else Answer()
        if answer.hangs:
            await receive()  # until the client leaves
            return
        found = [(name.encode(), value.encode()) for name, value in answer.headers.items()]
        await send({"type": "http.response.start", "status": answer.status, "headers": found})
        while answer.drips:
            await send({"type": "http.response.body", "body": b".", "more_body": True})
            await asyncio.sleep(0.02)
        await send({"type": "http.response.body", "body": answer.body})


@asynccontextmanager
async def provider(certificate: str | None = None) -> AsyncGenerator[Provider]:
    """A provider on a port of its own; with a certificate (a PEM file with its key) it speaks TLS."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        app = Provider(listening.getsockname()[1])
        config = uvicorn.Config(app, lifespan="off", log_config=None, ssl_certfile=certificate, ws="none")
        server = uvicorn.Server(config)
        task = asyncio.create_task(server._serve([listening]))  # serve() would take over the signals of the tests
        while not server.started:
            await asyncio.sleep(0.01)
        try:
            yield app
        finally:
            server.should_exit = server.force_exit = True  # a client that leaves late is not waited for
            await task


def trusting(file: str) -> ssl.SSLContext:
    """What a client needs that trusts that authority alone."""
    return ssl.create_default_context(cafile=file)
