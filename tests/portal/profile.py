"""The profile service, played over real HTTP: for answers that the real one seldom gives."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse

from shared.http.server import listen, serve


class Played:
    """`values`: what it knows, by customer and field. Changes it takes, and answers before they are done (202).

    `asked`: what it was asked to change. `away`: it answers 503. `refuses`: fields whose values are never good.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.values: dict[str, Mapping[str, str]] = {}
        self.asked: list[str] = []
        self.away = False
        self.refuses: frozenset[str] = frozenset()


@asynccontextmanager
async def played() -> AsyncGenerator[Played]:
    """The service, for the length of an `async with`."""
    at, app, stop = listen("127.0.0.1", 0), FastAPI(), asyncio.Event()
    profile = Played(f"http://127.0.0.1:{at.getsockname()[1]}")

    @app.get("/customers/{customer_id}/profile")
    async def read(customer_id: str) -> Response:  # pyright: ignore[reportUnusedFunction]
        found = profile.values.get(customer_id)
        return JSONResponse({"fields": found}, 404 if found is None else 200)

    @app.patch("/customers/{customer_id}/profile")
    @app.put("/customers/{customer_id}/{setting:path}")
    @app.post("/customers/{customer_id}/cards")
    @app.delete("/cards/{card_id}")
    async def change(request: Request) -> Response:  # pyright: ignore[reportUnusedFunction]
        profile.asked.append(f"{request.method} {request.url.path}")
        wrong = [{"field": f"fields.{field}", "detail": "is not good"} for field in profile.refuses]
        if wrong and request.method == "PATCH":
            return JSONResponse({"type": "validation", "errors": wrong}, 422)
        return Response(status_code=503 if profile.away else 202)

    serving = asyncio.create_task(serve(app, at, stop))
    try:
        yield profile
    finally:
        stop.set()
        await serving
