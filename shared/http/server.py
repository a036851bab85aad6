"""Serving an application in the process and the event loop of its service, until it is told to stop."""

import asyncio
import contextlib
import socket
from collections.abc import Generator
from typing import Final

import uvicorn
from starlette.types import ASGIApp

from shared.settings import PREFIX

GRACE: Final = 5  # seconds in which requests may end; a service stops within 15
# Seconds that an idle connection is kept: longer than clients and load balancers do (5 to 60), for a request that is
# sent while the server hangs up is lost, and a till cannot know whether it was.
KEEP_ALIVE: Final = 75


class Server(uvicorn.Server):
    """uvicorn that leaves signals to the service, which has more to stop than this."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Capture none."""
        yield


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes a free one. Stops the process with a message where that is not possible."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=1024)
    except (OSError, OverflowError) as error:
        raise SystemExit(f"{PREFIX}HTTP_HOST, {PREFIX}HTTP_PORT: cannot listen on {host}:{port}: {error}") from None


async def serve(app: ASGIApp, at: socket.socket, stop: asyncio.Event) -> None:
    """Answer requests until `stop` is set; then take no new ones and let those that run end."""
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,  # paths name customers; the shell counts by route
        lifespan="off",
        server_header=False,
        proxy_headers=False,
        ws="none",
        timeout_keep_alive=KEEP_ALIVE,
        timeout_graceful_shutdown=GRACE,
    )
    server = Server(config)
    running = asyncio.create_task(server.serve(sockets=[at]))
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopping.cancel()
        server.should_exit = True
        await running
