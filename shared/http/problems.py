"""Errors as problem details (RFC 9457): one exception, one media type, never a value of the request."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final

from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict
from starlette.exceptions import HTTPException

MEDIA_TYPE: Final = "application/problem+json"

# Type of a problem -> status and title. A status without a type of ours is "about:blank", as RFC 9457 has it.
KINDS: Final[dict[str, tuple[int, str]]] = {
    "validation": (422, "The request is not valid"),
    "unauthenticated": (401, "A valid token is needed"),
    "forbidden": (403, "The token does not open this"),
    "not-found": (404, "There is no such thing"),
    "conflict": (409, "This contradicts an earlier request"),
    "insufficient-points": (409, "There are not enough points"),
    "hold-lapsed": (409, "The hold has lapsed"),
    "already-captured": (409, "The redemption is already captured"),
    "erased": (410, "The customer is erased"),
    "rate-limited": (429, "Too many requests"),
    "unavailable": (503, "Not available at the moment"),
}
MOST_ERRORS: Final = 50
LONGEST_FIELD: Final = 100


class Problem(HTTPException):
    """What a route raises to answer with a problem. `extra` are further members, such as `available`."""

    def __init__(
        self, kind: str, detail: str | None = None, *, headers: Mapping[str, str] | None = None, **extra: Any
    ) -> None:
        status, self.title = KINDS[kind]
        super().__init__(status, detail or "", headers)
        self.body = problem(status, kind, self.title, detail, extra)


class Fault(BaseModel):
    """One thing that is wrong with a request."""

    field: str
    reason: str


class ProblemBody(BaseModel):
    """Problem details (RFC 9457). `errors` comes with `validation`, `available` with `insufficient-points`."""

    model_config = ConfigDict(extra="allow", title="Problem")

    type: str
    title: str
    status: int
    detail: str | None = None
    errors: list[Fault] | None = None


def problem(status: int, kind: str, title: str, detail: str | None, extra: Mapping[str, Any]) -> dict[str, Any]:
    """The members of a problem, in the order in which a person reads them."""
    return {"type": kind, "title": title, "status": status, **({"detail": detail} if detail else {}), **extra}


def invalid(faults: Sequence[tuple[str, str]]) -> Problem:
    """A problem `validation` from (field, reason)."""
    return Problem("validation", errors=[{"field": field, "reason": reason} for field, reason in faults])


def unavailable(detail: str, retry_after: int = 1) -> Problem:
    """A problem `unavailable`, to be tried again after so many seconds."""
    return Problem("unavailable", detail, headers={"Retry-After": str(retry_after)})


def response(status: int, body: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> JSONResponse:
    """A response with problem details that are complete already."""
    return JSONResponse(body, status, headers=dict(headers or {}), media_type=MEDIA_TYPE)


def answer(error: Exception) -> JSONResponse:
    """The response to an exception; to one that nobody expected, 500 without a word about it."""
    match error:
        case Problem():
            return response(error.status_code, error.body, error.headers)
        case RequestValidationError():
            return answer(invalid([_fault(fault) for fault in error.errors()[:MOST_ERRORS]]))
        case HTTPException(status_code=400):  # how FastAPI calls a body that cannot be decoded at all
            return answer(invalid([("body", "is not JSON")]))
        case HTTPException(status_code=404):
            return answer(Problem("not-found"))
        case HTTPException():
            return response(error.status_code, _blank(error.status_code), error.headers)
        case _:
            return response(500, _blank(500))


def blank(status: int) -> JSONResponse:
    """A problem that says no more than its status."""
    return response(status, _blank(status))


def _blank(status: int) -> dict[str, Any]:
    return problem(status, "about:blank", HTTPStatus(status).phrase, None, {})


def _fault(error: Mapping[str, Any]) -> tuple[str, str]:
    """Field and reason of one of pydantic's errors, without what was given: some of its messages quote it."""
    where, *path = (str(part) for part in error["loc"])
    if error["type"] == "json_invalid":
        return where, "is not JSON"
    reason = "names no known type" if error["type"] == "union_tag_invalid" else str(error["msg"])
    field = ".".join(path) or where
    # A name comes from the request, too: bounded, and without lone surrogates, which UTF-8 cannot carry.
    return field[:LONGEST_FIELD].encode(errors="replace").decode(), reason
