"""What watches a service without a token: is it alive, is it ready, and what does it count."""

from collections.abc import Callable, Mapping
from typing import Any

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse
from msgspec import Struct
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from shared.http.problems import KINDS, problem, response

Probe = Callable[[], tuple[bool, Mapping[str, Any]]]
PATHS = frozenset({"/livez", "/readyz", "/metrics"})


class Probes(Struct, frozen=True):
    """Two questions to the runtime, each answered with yes or no, and details that JSON can carry.

    `live`: no means that only a new process helps. `ready`: no means that it must not get requests now.
    """

    live: Probe
    ready: Probe


def routes(probes: Probes) -> APIRouter:
    """`/livez`, `/readyz` and `/metrics`."""
    router = APIRouter(tags=["operation"])

    @router.get("/livez", summary="Is the process alive?")
    async def livez() -> Response:
        return _report(probes.live)

    @router.get("/readyz", summary="May it get requests?")
    async def readyz() -> Response:
        return _report(probes.ready)

    @router.get(
        "/metrics",
        summary="Metrics, in Prometheus' text format",
        response_class=Response,
        responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
    )
    async def metrics() -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    return router


def _report(probe: Probe) -> Response:
    fine, details = probe()
    if fine:
        return JSONResponse({"status": "ok", "details": details})
    status, title = KINDS["unavailable"]
    return response(status, problem(status, "unavailable", title, None, {"details": details}), {"Retry-After": "1"})
