"""What is around every request, whatever route it takes: limits, headers, metrics, and the answer to a bug."""

import asyncio
import time
from typing import Any, Final

from prometheus_client import Counter, Histogram
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared import log as logs
from shared.http import probes, problems

LARGEST: Final = 256 * 1024  # bytes of a body, as of a record
LONGEST: Final = 10.0  # seconds until a response begins
AT_ONCE: Final = 256  # requests whose response has not begun; more are told to come back
HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

REQUESTS = Counter("perkstream_http_requests", "Requests answered", ["method", "route", "status"])
SECONDS = Histogram("perkstream_http_request_seconds", "Until the response began", ["route"])

log = logs.get("http")


class Shell:
    """ASGI middleware around the whole application."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._waiting: set[_Exchange] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        exchange = _Exchange(scope, send, self._waiting)
        self._waiting.add(exchange)
        try:
            if len(self._waiting) > AT_ONCE and scope["path"] not in probes.PATHS:
                raise problems.unavailable("Too many requests at once")
            async with asyncio.timeout(LONGEST) as exchange.clock:
                await self._app(scope, await _body(scope, receive), exchange.send)
        except Exception as error:  # noqa: BLE001
            await exchange.fail(error)
        finally:
            self._waiting.discard(exchange)


class _Exchange:
    """One request and how far its response has come."""

    def __init__(self, scope: Scope, send: Send, waiting: "set[_Exchange]") -> None:
        self._scope, self._send, self._waiting = scope, send, waiting
        self._began = time.monotonic()
        self._started = False
        self.clock: asyncio.Timeout | None = None

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._started = True
            self._waiting.discard(self)
            if self.clock is not None:
                self.clock.reschedule(None)  # a response that has begun may take its time: a stream of events does
            headers = MutableHeaders(raw=message.setdefault("headers", []))
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
            self._count(message["status"])
        await self._send(message)

    async def fail(self, error: Exception) -> None:
        clock, self.clock = self.clock, None
        if isinstance(error, TimeoutError) and clock is not None and clock.expired():
            error = problems.unavailable("This took too long")
        elif not isinstance(error, problems.HTTPException):
            log.error("request failed", method=self._method, route=self._route, exc_info=error)
        if self._started:
            raise error  # the server cuts the connection, so that nobody takes half a response for a whole one
        await problems.answer(error)(self._scope, _nothing, self.send)

    def _count(self, status: int) -> None:
        REQUESTS.labels(self._method, self._route, status).inc()
        SECONDS.labels(self._route).observe(time.monotonic() - self._began)

    @property
    def _method(self) -> str:
        return self._scope["method"] if self._scope["method"] in METHODS else "other"

    @property
    def _route(self) -> str:
        """The route's pattern, never the path: that would name customers, and have no end."""
        route: Any = self._scope.get("route")
        return getattr(route, "path", "none")


async def _nothing() -> Message:
    return {"type": "http.disconnect"}


async def _body(scope: Scope, receive: Receive) -> Receive:
    """Read the body first, as far as it is allowed; what `receive` then gives is the whole of it, once.

    The connection of one that is too large stays open (the server drops what still comes): closed under a caller who is
    still sending, it would be reset, and the answer lost.
    """
    length = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
    body, more = bytearray(), True
    if length.isdigit() and int(length[:20]) > LARGEST:
        raise problems.HTTPException(413)
    while more:
        message = await receive()
        if message["type"] != "http.request":  # the caller is gone
            return receive
        body += message.get("body", b"")
        more = message.get("more_body", False)
        if len(body) > LARGEST:
            raise problems.HTTPException(413)
    whole: list[Message] = [{"type": "http.request", "body": bytes(body), "more_body": False}]

    async def given() -> Message:
        return whole.pop() if whole else await receive()

    return given
