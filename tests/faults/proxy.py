"""A proxy before MongoDB that loses messages: it cuts the connection at exactly one request, or at its reply."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from struct import unpack_from
from urllib.parse import urlsplit, urlunsplit

_HEADER = 16  # length, id, id of what it answers, kind: four little-endian integers


class Proxy:
    """Passes MongoDB's messages on. `lose`: name of a command, `side`: its request or its reply, `times`: how often."""

    def __init__(self) -> None:
        self.lose, self.side, self.times, self.lost = "", "reply", 0, 0
        self.port = 0
        self._target = ("", 0)

    def instead_of(self, url: str) -> str:
        """The address of MongoDB by way of this proxy; the driver must not look for the replica set's own."""
        parts = urlsplit(url)
        login, _, address = parts.netloc.rpartition("@")
        host, _, port = address.partition(":")
        self._target = (host, int(port))
        query = "&".join(part for part in parts.query.split("&") if not part.startswith("replicaSet"))
        here = f"{login}@127.0.0.1:{self.port}"
        return urlunsplit(parts._replace(netloc=here, query=f"{query}&directConnection=true"))

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        try:
            there_reader, there_writer = await asyncio.open_connection(*self._target)
        except OSError:
            writer.transport.abort()
            return
        watched: set[int] = set()

        def cut_request(number: int, _answers: int, message: bytes) -> bool:
            if not self.times or f"{self.lose}\0".encode() not in message[:200]:
                return False
            watched.add(number)
            return self.side == "request"

        def cut_reply(_number: int, answers: int, _message: bytes) -> bool:
            return answers in watched and self.times > 0

        async def pump(messages: AsyncIterator[tuple[int, int, bytes]], to: asyncio.StreamWriter, cut: object) -> None:
            async for number, answers, message in messages:
                if (cut_request if cut == "request" else cut_reply)(number, answers, message):
                    self.times -= 1
                    self.lost += 1
                    return
                to.write(message)
                await to.drain()

        pumps = [
            asyncio.create_task(pump(_messages(reader), there_writer, "request")),
            asyncio.create_task(pump(_messages(there_reader), writer, "reply")),
        ]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in pumps:
                task.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
            writer.transport.abort()
            there_writer.transport.abort()


async def _messages(reader: asyncio.StreamReader) -> AsyncIterator[tuple[int, int, bytes]]:
    """Whole messages: own id, id of what it answers, bytes."""
    while True:
        try:
            head = await reader.readexactly(_HEADER)
            length, number, answers, _ = unpack_from("<iiii", head)
            yield number, answers, head + await reader.readexactly(length - _HEADER)
        except (asyncio.IncompleteReadError, ConnectionError):
            return


@asynccontextmanager
async def proxy() -> AsyncGenerator[Proxy, None]:
    """A proxy on a port of its own."""
    made = Proxy()
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()
        await server.wait_closed()
