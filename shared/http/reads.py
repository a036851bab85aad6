"""What reads have in common: customer ids, pages, entity tags, and the reader that the runtime gives."""

import base64
import binascii
import json
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Final, Generic, Protocol, TypeVar

from fastapi import Depends, Header, Path, Query, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse
from msgspec import Struct

from shared.http.problems import invalid
from shared.rulebook.programme import Programme

State = TypeVar("State")

CustomerId = Annotated[str, Path(pattern=r"^[A-Za-z0-9_.:-]{1,64}$", examples=["c-17850"])]
IfNoneMatch = Annotated[str | None, Header(description="An `ETag` that is known: 304 while it still holds.")]
LARGEST: Final = 2**53  # of a number in a cursor
STEP: Final = 16  # log documents read at once; each holds what one batch did to a customer, up to thousands of events


class Head(Struct, Generic[State], frozen=True):
    """A customer as stored. Unknown: `state` is None and `version` 0. `tick`: the last one of the partition.

    `revision`: of the newest log document.
    """

    state: State | None
    version: int
    tick: datetime | None
    revision: int = 0


class Logged(Struct, frozen=True):
    """One log document: its `revision`, and the events it published, encoded, oldest first.

    `entries`: all that it holds, in the same order: each an `event` or a private `note`, with a `memo` where it has
    private fields; JSON texts, values of a person sealed.
    """

    revision: int
    events: Sequence[bytes]
    entries: Sequence[Mapping[str, str]] = ()


class Reader(Protocol[State]):
    """Reads of a service's own database; raises `shared.mongo.Unavailable`."""

    async def head(self, customer_id: str) -> Head[State]:
        """The customer, known or not."""
        ...

    async def since(self, customer_id: str, version: int) -> State | None:
        """The customer as they were when that version, their newest, came; notes may have changed them since."""
        ...

    async def states(self, customer_ids: Sequence[str]) -> dict[str, State]:
        """Of these customers, those who are known."""
        ...

    async def log(self, customer_id: str, before_rev: int | None, limit: int) -> Sequence[Logged]:
        """At most `limit` log documents with a revision below `before_rev`, newest first."""
        ...

    async def view(self, collection: str, identity: str) -> dict[str, Any] | None:
        """A document that the service shows beside its log, by an id that begins with its partition and a dash."""
        ...

    async def totals(self) -> dict[str, int]:
        """The service's sums over all customers."""
        ...


class Page(Struct, frozen=True):
    """The part of a list that a request asks for; `position` is what `next` gave out."""

    position: tuple[int, int] | None
    limit: int


# A coroutine for the reason that `commands.Send` is one.
async def _page(
    cursor: Annotated[str | None, Query(max_length=100, description="`next` of the page before.")] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> Page:
    """Raises `validation` for a cursor that is not ours."""
    return Page(None if cursor is None else _decode(cursor), limit)


Paging = Annotated[Page, Depends(_page)]


def cursor(*position: int) -> str:
    """An opaque `next`, which says where the next page begins."""
    return base64.urlsafe_b64encode(".".join(map(str, position)).encode()).decode().rstrip("=")


def _decode(text: str) -> tuple[int, int]:
    try:
        parts = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode("ascii").split(".")
        first, second = (int(part) for part in parts if part.isdecimal())
        if max(first, second) <= LARGEST and cursor(first, second) == text:
            return first, second
    except (ValueError, binascii.Error):
        pass
    raise invalid([("cursor", "is not one that this list gave out")])


async def listing(
    reader: Reader[Any], customer_id: str, page: Page, item: Callable[[bytes], Mapping[str, Any] | None]
) -> dict[str, Any]:
    """A page `{items, next}` of a customer's events, newest version first.

    `item`: what the list shows of an event, with its `version`; None for one that it does not show.
    """
    items: list[Mapping[str, Any]] = []
    last = (0, 0)
    async for revision, shown in _newest_first(reader, customer_id, page.position, item):
        if len(items) == page.limit:
            return {"items": items, "next": cursor(*last)}
        items.append(shown)
        last = (revision, shown["version"])
    return {"items": items, "next": None}


async def _newest_first(
    reader: Reader[Any],
    customer_id: str,
    position: tuple[int, int] | None,
    item: Callable[[bytes], Mapping[str, Any] | None],
) -> AsyncGenerator[tuple[int, Mapping[str, Any]]]:
    """Revision and item of the events before a position, which names revision and version of the last one shown."""
    below, before = (None, None) if position is None else (position[0] + 1, position[1])
    while documents := await reader.log(customer_id, below, STEP):
        for document in documents:
            for event in reversed(document.events):
                shown = item(event)
                if shown is not None and (before is None or shown["version"] < before):
                    yield document.revision, shown
        below = documents[-1].revision


def unchanged(request: Request, version: int) -> bool:
    """Whether the caller already has this version (`If-None-Match`, RFC 9110).

    That is enough for what events alone decide, such as a list of them. For the rest, `steady` must hold as well.
    """
    known = [tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "").split(",")]
    return f'"{version}"' in known or "*" in known


async def steady(
    reader: Reader[State],
    customer_id: str,
    head: Head[State],
    programme: Programme,
    shown: Callable[[Head[State], Programme], Any],
    clock: Callable[[State], datetime | None],
) -> bool:
    """Whether whoever was shown this version, at any time and by any process, was shown what is shown now.

    The clock, the programme and notes change what some calls show without an event, and so without a new version; who
    asks names the version alone. So nothing that a process remembers tells what they have; what is stored does:
    `shown` of the customer as the version found them, before any later tick, and under each programme since then. Where
    that cannot be told, it does not hold: a full answer is never wrong.

    `shown`: what the call says of a customer under a programme; where there is no tick, as of the customer's own time.
    `clock`: that time, or an earlier one; `None` where it is not known.
    """
    then = await reader.since(customer_id, head.version) if head.version else None
    if then is None:  # what an unknown customer is shown may have changed with every tick there ever was
        return False
    now = shown(head, programme)
    if shown(Head(then, head.version, None), programme) != now:
        return False
    began, versions = clock(then), programme.versions
    known = 0 if began is None else sum(version.starts <= began for version in versions)
    earlier = (Programme(each.terms for each in versions[:count]) for count in range(max(1, known), len(versions)))
    return all(shown(head, each) == now for each in earlier)


def same(version: int) -> Response:
    """304: what the caller has still holds."""
    return Response(status_code=304, headers=_headers(version))


def reply(version: int, body: Any) -> Response:
    """200 with the body and its version as `ETag`."""
    return JSONResponse(body, 200, _headers(version))


def streamed(version: int, body: Mapping[str, Any], lists: Mapping[str, AsyncIterable[Sequence[Any]]]) -> Response:
    """The same, and with the body lists that may be too long to hold: by name, each in parts, one at a time.

    What goes wrong with a part cuts the connection, so that nobody takes half an answer for a whole one.
    """

    async def parts() -> AsyncGenerator[str]:
        yield _json(body)[:-1]
        for name, several in lists.items():
            separator = ""
            yield f',"{name}":['
            async for items in several:
                if items:
                    yield separator + _json(items)[1:-1]
                    separator = ","
            yield "]"
        yield "}"

    return StreamingResponse(parts(), 200, _headers(version), "application/json")


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _headers(version: int) -> dict[str, str]:
    return {"ETag": f'"{version}"', "Cache-Control": "private, no-cache", "Vary": "Authorization"}
