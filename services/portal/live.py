"""Live updates: one question for all open pages, a few times a second, and a stream of events for each."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Generator
from contextlib import contextmanager
from typing import Final

from services.portal.accounts import Accounts
from services.portal.sessions import Sessions
from shared import log as logs
from shared.http.problems import Problem
from shared.mongo import Transient, Unavailable

EVERY_S: Final = 0.3
SESSIONS_EVERY_S: Final = 3.0  # a sign-out through another process is noticed within that time
MOST: Final = 8  # streams of one customer in one process
LONGEST_S: Final = 300.0  # then the browser comes back, and is asked again who it is
SILENCE_S: Final = 15.0  # after which a comment keeps proxies from hanging up
PAUSE_S: Final = 0.5  # between two messages to one page: in a rush, one says what several would have
RETRY: Final = "retry: 500\n\n"

log = logs.get("live")


class Stream:
    """An open page. `newer` is set when the account has changed, or when the stream is to end.

    `session`: that it belongs to; `None` for a page that came with a token.
    """

    def __init__(self, session: str | None) -> None:
        self.session = session
        self.newer = asyncio.Event()
        self.ended = False

    def wake(self) -> None:
        """There is something new."""
        self.newer.set()

    def end(self) -> None:
        """There will be nothing new any more."""
        self.ended = True
        self.newer.set()


class Live:
    """All open pages of this process."""

    def __init__(self) -> None:
        self._open: dict[str, set[Stream]] = {}
        self._known: dict[str, int] = {}

    async def run(self, accounts: Accounts, sessions: Sessions, stop: asyncio.Event) -> None:
        """Look for changes, and for sessions that have ended, until `stop`; then end every stream."""
        clock = asyncio.get_running_loop().time
        asked = clock()
        while not stop.is_set():
            try:
                await asyncio.wait_for(stop.wait(), EVERY_S)
            except TimeoutError:
                try:
                    await self._look(accounts)
                    if clock() - asked >= SESSIONS_EVERY_S:
                        asked = clock()
                        await self._leave(sessions)
                except (Unavailable, Transient) as error:
                    log.warning("open pages wait", why=type(error).__name__)
        for stream in self._streams():
            stream.end()

    def _streams(self) -> list[Stream]:
        return [stream for streams in self._open.values() for stream in streams]

    async def _look(self, accounts: Accounts) -> None:
        if not self._open:
            return
        versions = await accounts.versions(list(self._open))
        for customer_id, version in versions.items():
            if self._known.get(customer_id) != version:
                self._known[customer_id] = version
                for stream in self._open.get(customer_id, ()):
                    stream.wake()

    async def _leave(self, sessions: Sessions) -> None:
        """End the streams of sessions that are over: signed out, in whichever process, or out of time."""
        held = {stream: stream.session for stream in self._streams() if stream.session is not None}
        if not held:
            return
        lasting = await sessions.lasting(set(held.values()))
        for stream, session in held.items():
            if session not in lasting:
                stream.end()

    def check(self, customer_id: str) -> None:
        """Raises `rate-limited` when a customer has as many open pages as one may have."""
        if len(self._open.get(customer_id, ())) >= MOST:
            raise Problem("rate-limited", "Too many pages are open", headers={"Retry-After": "30"})

    @contextmanager
    def watching(self, customer_id: str, session: str | None) -> Generator[Stream]:
        """A stream of a customer's changes, for as long as a session lasts."""
        streams, stream = self._open.setdefault(customer_id, set()), Stream(session)
        if len(streams) >= MOST:  # several came at once; the browser comes back, and is told so
            stream.end()
        streams.add(stream)
        try:
            yield stream
        finally:
            streams.discard(stream)
            if not streams:
                self._open.pop(customer_id, None)
                self._known.pop(customer_id, None)

    def end(self, session: str) -> None:
        """End a session's streams: its customer signed out."""
        for stream in self._streams():
            if stream.session == session:
                stream.end()


async def events(
    stream: Stream, told: int, since: Callable[[int], Awaitable[tuple[int, str] | None]]
) -> AsyncIterator[str]:
    """Server-sent events of one page.

    `told`: the version that the page shows. `since`: the version after one, with its HTML; `None` when nothing is new.
    """
    clock = asyncio.get_running_loop().time
    until = clock() + LONGEST_S
    yield RETRY
    while not stream.ended and clock() < until:
        stream.newer.clear()
        try:
            found = await since(told)
        except (Problem, Unavailable, Transient):
            return  # the browser comes back, and is told what is wrong
        if found is not None:
            told, html = found
            yield event(told, html)
            await asyncio.sleep(PAUSE_S)
        try:
            await asyncio.wait_for(stream.newer.wait(), SILENCE_S)
        except TimeoutError:
            yield ": \n\n"


def event(version: int, html: str) -> str:
    """A message of that id; a browser that comes back names it."""
    data = "\n".join(f"data: {line}" for line in html.splitlines())
    return f"id: {version}\n{data}\n\n"
