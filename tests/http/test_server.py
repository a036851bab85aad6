"""The application behind a real server and a real socket."""

import asyncio
import os
import signal
import socket
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from starlette.types import Receive, Scope, Send

from shared.http import server, shell
from tests.http.stand import Service, bearer


@asynccontextmanager
async def serving(app: Any) -> AsyncGenerator[tuple[str, asyncio.Event, asyncio.Task[None]]]:
    at = server.listen("127.0.0.1", 0)
    stop = asyncio.Event()
    task = asyncio.create_task(server.serve(app, at, stop))
    try:
        yield f"http://127.0.0.1:{at.getsockname()[1]}", stop, task
    finally:
        stop.set()
        await task


async def test_a_service_answers_and_stops_when_it_is_told(service: Service):
    async with serving(service.app) as (base, stop, task), httpx.AsyncClient(base_url=base) as client:
        answer = await client.get("/customers/c-1/thing", headers=bearer())
        assert (answer.status_code, answer.json()["version"]) == (200, 7)
        assert "server" not in answer.headers
        stop.set()
        await asyncio.wait_for(task, 5)
        with pytest.raises(httpx.TransportError):
            await client.get("/livez")


async def test_what_is_under_way_at_the_stop_is_answered():
    entered, go_on = asyncio.Event(), asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        entered.set()
        await go_on.wait()
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async with serving(app) as (base, stop, _), httpx.AsyncClient(base_url=base) as client:
        asking = asyncio.create_task(client.get("/"))
        await entered.wait()
        stop.set()
        await asyncio.sleep(0)
        go_on.set()
        assert (await asking).status_code == 204


async def test_signals_are_left_to_the_service(service: Service):
    before = signal.getsignal(signal.SIGTERM)
    got: list[int] = []
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, lambda: got.append(1))
    try:
        async with serving(service.app) as (base, _, task), httpx.AsyncClient(base_url=base) as client:
            await client.get("/livez")
            os.kill(os.getpid(), signal.SIGTERM)
            assert (await client.get("/livez")).status_code == 200
            assert not task.done()
        assert got == [1]
    finally:
        asyncio.get_running_loop().remove_signal_handler(signal.SIGTERM)
        signal.signal(signal.SIGTERM, before)


async def test_a_taken_port_stops_the_start_with_the_name_of_the_setting():
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(SystemExit, match="PERKSTREAM_HTTP_PORT"):
        server.listen("127.0.0.1", taken.getsockname()[1])
    with pytest.raises(SystemExit, match="PERKSTREAM_HTTP_HOST"):
        server.listen("no such host", 0)


async def test_large_bodies_are_refused_on_the_wire(service: Service):
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(1000):
            yield b" " * 4096

    async with serving(service.app) as (base, _, _), httpx.AsyncClient(base_url=base) as client:
        for content in (b" " * (shell.LARGEST + 1), endless()):
            headers = {**bearer("staff"), "Content-Type": "application/json"}
            answer = await client.put("/customers/c-1/thing", content=content, headers=headers)
            assert answer.status_code == 413
        assert (await client.get("/livez")).status_code == 200


async def test_bytes_that_are_no_request_hurt_nobody(service: Service):
    async with serving(service.app) as (base, _, _), httpx.AsyncClient(base_url=base) as client:
        for sent in (
            b"\x00\xff\x00\n\n",
            b"GET / HTTP/9\r\n\r\n",
            b"GET /\xff%ff%00?\xff=%zz HTTP/1.1\r\nHost: x\r\n\r\n",
        ):
            reader, writer = await asyncio.open_connection("127.0.0.1", httpx.URL(base).port)
            writer.write(sent)
            writer.write_eof()
            await reader.read()
            writer.close()
            await writer.wait_closed()
        assert (await client.get("/livez")).status_code == 200
