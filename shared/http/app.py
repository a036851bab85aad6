"""The HTTP application of a service: its own routes, and around them what every service has."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, Final

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from shared.http import commands, probes, problems
from shared.http.sealed import Sealers
from shared.http.shell import Shell
from shared.http.tokens import Guard, Keys
from shared.mongo import Transient, Unavailable
from shared.settings import PREFIX, Settings

# What any call may answer beside its own; described once.
PROBLEMS: Final = {
    "401": "No valid token",
    "403": "The token does not open this",
    "404": "No such thing",
    "409": "A contradiction to an earlier request",
    "410": "The customer is erased",
    "413": "A body above 256 KiB",
    "422": "Not valid: `errors` names fields and reasons",
    "429": "Too many requests; see `Retry-After`",
    "503": "Not available at the moment; see `Retry-After`",
}


def guard(settings: Settings) -> Guard:
    """The check of tokens by the settings; stops the process when the file of keys is of no use."""
    try:
        return Guard(Keys(settings.jwks), settings.token_issuer, settings.token_audience)
    except (OSError, ValueError) as error:
        raise SystemExit(f"{PREFIX}JWKS: {error}") from None


def make_app(
    name: str,
    guard: Guard,
    watch: probes.Probes,
    routers: Sequence[APIRouter],
    sending: commands.Commands | None = None,
    sealers: Sealers | None = None,
) -> FastAPI:
    """The application of the service of that name; without `sending` it takes no writes, without `sealers` opens none.

    Pages with documentation are not served: they load scripts from elsewhere.
    """
    app = Api(title=f"Perkstream {name}", version="1", docs_url=None, redoc_url=None, redirect_slashes=False)
    app.state.guard = guard
    app.state.commands = sending
    app.state.sealers = sealers
    for kind in (HTTPException, RequestValidationError, Unavailable, Transient):
        app.add_exception_handler(kind, _answer)
    for router in routers:
        app.include_router(router)
    if sending is not None:
        app.include_router(commands.routes())
    app.include_router(probes.routes(watch))
    app.add_middleware(Shell)
    return app


async def _answer(request: Request, error: Exception) -> Response:
    if isinstance(error, Unavailable | Transient):
        error = problems.unavailable("The database does not answer")
    if isinstance(error, HTTPException) and error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        # Starlette names the methods of the first route that has the path; there may be one for each method.
        methods: dict[str, Any] = request.app.openapi()["paths"].get(request.scope["route"].path, {})
        error.headers = {"Allow": ", ".join(method.upper() for method in methods)} if methods else error.headers
    return problems.answer(error)


class Api(FastAPI):
    """FastAPI with our problems in its description."""

    def openapi(self) -> dict[str, Any]:
        """The description, complete: problems with their media type, and scopes as alternatives."""
        described = self.openapi_schema is not None
        document = super().openapi()
        if described:
            return document
        schemas: dict[str, Any] = document.setdefault("components", {}).setdefault("schemas", {})
        for name in ("HTTPValidationError", "ValidationError"):
            schemas.pop(name, None)
        body = problems.ProblemBody.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas.update(body.pop("$defs"), Problem=body)
        content = {problems.MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
        for path, operations in document["paths"].items():
            for operation in operations.values():
                _complete(operation, open_to_all=path in probes.PATHS, content=content)
        return document


def _complete(operation: dict[str, Any], *, open_to_all: bool, content: dict[str, Any]) -> None:
    responses: dict[str, Any] = operation["responses"]
    responses.pop("422", None)
    for status, description in PROBLEMS.items():
        if not open_to_all or status in {"413", "503"}:
            responses[status] = {"description": description, "content": content}
    needs: list[dict[str, list[str]]] = operation.get("security", [])
    alternatives = [{scheme: [scope]} for need in needs for scheme, scopes in need.items() for scope in scopes]
    if alternatives:
        operation["security"] = alternatives
