"""A bare client for one connection: any that does more would take a good part of the machine itself."""

import asyncio
from urllib.parse import urlsplit


class Client:
    """A connection that is kept open. `header`: one line that every request has beside its own."""

    def __init__(self, url: str, header: str) -> None:
        """`url`: scheme, host and port."""
        parts = urlsplit(url)
        self._host, self._port, self._header = parts.hostname or "", parts.port, header
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, method: str, path: str, body: bytes = b"") -> tuple[int, bytes]:
        """Status and body of an answer that says how long it is."""
        status, head, reader = await self.begin(method, path, body)
        length = int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0])
        return status, await reader.readexactly(length)

    async def begin(self, method: str, path: str, body: bytes = b"") -> tuple[int, bytes, asyncio.StreamReader]:
        """Status and head (in lower case) of an answer, and where the rest of it comes."""
        if self._streams is None:
            self._streams = await asyncio.open_connection(self._host, self._port)
        reader, writer = self._streams
        head = f"{method} {path} HTTP/1.1\r\nHost: {self._host}:{self._port}\r\n{self._header}\r\n"
        if body:
            head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        writer.write(f"{head}\r\n".encode() + body)
        answered = (await reader.readuntil(b"\r\n\r\n")).lower()
        return int(answered.split(b" ", 2)[1]), answered, reader

    def close(self) -> None:
        """Hang up."""
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None
