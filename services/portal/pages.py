"""The pages themselves: what customers read."""

from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse, StreamingResponse
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException

from services.portal import parts
from services.portal.card import qr
from services.portal.desk import Desk
from services.portal.live import events
from services.portal.render import HEADERS
from services.portal.sessions import identity_of
from services.portal.texts import DEFAULT, LANGUAGES, accepted, language_of
from services.portal.visit import LANGUAGE, Visit
from shared.http.problems import Problem
from shared.mongo import Transient, Unavailable

HOME: Final = "/my-bonus"
PLACES: Final = (HOME, f"{HOME}/card", f"{HOME}/data", f"{HOME}/history")
Cursor = Annotated[str | None, Query(max_length=300)]


def ours(back: str | None) -> str:
    """A page of ours to return to, and no address of elsewhere."""
    return back if back in PLACES else HOME


def page_route(desk: Desk) -> type[APIRoute]:
    """Routes whose errors are pages, for people; and whose answers bring the session's new cookie, where it got one."""

    class PageRoute(APIRoute):
        def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
            handle = super().get_route_handler()

            async def handled(request: Request) -> Response:
                answer = await _answered(desk, handle, request)
                visit: Visit | None = getattr(request.state, "visit", None)
                if visit is not None and visit.cookie is not None and visit.signed is not None:
                    desk.doors.keep(answer, visit.cookie, visit.signed)
                return answer

            return handled

    return PageRoute


async def _answered(
    desk: Desk, handle: Callable[[Request], Coroutine[Any, Any, Response]], request: Request
) -> Response:
    try:
        return await handle(request)
    except (Unavailable, Transient):
        return sorry(desk, request, 503)
    except RequestValidationError:
        return sorry(desk, request, 404)
    except HTTPException as error:
        headers = error.headers or {}
        if "Location" in headers or "HX-Redirect" in headers:
            return Response(status_code=error.status_code, headers=HEADERS | dict(headers))
        return sorry(desk, request, error.status_code, headers.get("Retry-After"))


def sorry(desk: Desk, request: Request, status: int, retry_after: str | None = None) -> Response:
    """A page that says what is wrong, and what can be done."""
    asked = request.cookies.get(LANGUAGE)
    language = asked if asked in LANGUAGES else language_of(accepted(request.headers.get("accept-language"))) or DEFAULT
    template = "parts/sorry.html" if request.headers.get("hx-request") == "true" else "sorry.html"
    where = "settled" if request.url.path.endswith(("/reminders", "/consents")) else "outcome"
    values = {"status": status, "signed_in": False, "where": where}
    answer = desk.renderer.page(template, language, values, status)
    if retry_after is not None or status == Problem("unavailable").status_code:
        answer.headers["Retry-After"] = retry_after or "5"
    return answer


def visitor(desk: Desk) -> Any:
    """A dependency: whoever is signed in."""

    async def admitted(request: Request) -> Visit:
        request.state.visit = visit = await desk.doors.admit(request, desk.stand.sessions)
        return visit

    return Depends(admitted)


def routes(desk: Desk) -> APIRouter:
    """The pages, and the stream of what changes on them."""
    router = APIRouter(route_class=page_route(desk), tags=["pages"], default_response_class=Response)

    @router.get("/", include_in_schema=False)
    async def root() -> Response:
        return RedirectResponse(HOME, 303)

    @router.get(HOME, summary="My Bonus Program")
    async def home(visit: Annotated[Visit, visitor(desk)], done: str | None = None) -> Response:
        return await parts.whole(desk, visit, done=done)

    @router.get(f"{HOME}/events", summary="The page's parts as they change (server-sent events)")
    async def stream(
        request: Request,
        visit: Annotated[Visit, visitor(desk)],
        since: Annotated[int, Query(ge=0)] = 0,
    ) -> Response:
        desk.live.check(visit.customer_id)
        await parts.account_of(desk, visit)
        last = request.headers.get("last-event-id", "")
        told = int(last) if last.isdecimal() and len(last) < 16 else since  # noqa: PLR2004
        headers = HEADERS | {"X-Accel-Buffering": "no"}
        return StreamingResponse(_stream(desk, visit, told), headers=headers, media_type="text/event-stream")

    @router.get(f"{HOME}/history", summary="The history, page by page")
    async def history(visit: Annotated[Visit, visitor(desk)], cursor: Cursor = None) -> Response:
        account = await parts.account_of(desk, visit)
        m, say = await desk.bonus(visit.customer_id, account, parts.tag(visit, account), cursor)
        values = parts.values(m, say) | {"first": cursor is None}
        template = "parts/history_items.html" if visit.by_htmx else "history.html"
        return desk.renderer.page(template, say.language, values)

    @router.get(f"{HOME}/card", summary="The member card")
    async def card(visit: Annotated[Visit, visitor(desk)]) -> Response:
        account = await parts.account_of(desk, visit)
        say, _ = await desk.say(visit.customer_id, account, parts.tag(visit, account))
        card = account.cards[-1] if account.cards else None
        values = {"say": say, "card": card, "qr": qr(card) if card else None, "known": account.known}
        answer = desk.renderer.page("card.html", say.language, values | parts.shell("card", visit.customer_id))
        answer.headers["X-Owner"] = parts.owner(visit.customer_id)
        if card is not None:
            answer.headers["X-Card"] = "yes"  # for the service worker: a page to keep
        return answer

    @router.get(f"{HOME}/data", summary="Your data, to be changed")
    async def data(visit: Annotated[Visit, visitor(desk)], done: str | None = None) -> Response:
        token = await desk.doors.token(visit, desk.stand.sessions, desk.stand.partition(visit.customer_id))
        try:
            fields = (await desk.profiles.read(visit.customer_id, token))["fields"]
        except Problem as problem:
            if problem.status_code != Problem("not-found").status_code:
                raise
            fields = None
        return await parts.data(desk, visit, fields, done=done)

    @router.get(f"{HOME}/{{rest:path}}", include_in_schema=False)
    async def nowhere() -> Response:
        raise Problem("not-found")

    return router


async def _stream(desk: Desk, visit: Visit, told: int) -> AsyncIterator[str]:
    shown: dict[str, str] = {}

    async def since(version: int) -> tuple[int, str] | None:
        account = await parts.account_of(desk, visit)
        if account.version != version:
            return account.version, await parts.changed(desk, visit, account, shown)
        if not shown:  # the page is up to date: from here on it gets what differs
            await parts.changed(desk, visit, account, shown)
        return None

    session = identity_of(visit.request.cookies[desk.doors.session]) if visit.signed is not None else None
    with desk.live.watching(visit.customer_id, session) as stream:
        async for event in events(stream, told, since):
            yield event
