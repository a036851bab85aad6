"""The HTTP calls of the notifier: what a customer was sent, or not, and why; and links to unsubscribe."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse
from pydantic import BaseModel

from services.notifier import pages, views
from services.notifier.delivery.contacts import ProfileAway
from services.notifier.delivery.links import Links, Wish
from services.notifier.rules import State
from shared.http.problems import Problem, unavailable
from shared.http.reads import CustomerId, IfNoneMatch, Paging, Reader, listing, reply, same, unchanged
from shared.http.tokens import Principal, allow
from shared.rulebook.programme import Programme

Caller = Annotated[Principal, allow("customer", "staff", "ops")]
Token = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{22,200}$")]
Routes = Callable[[Reader[State], Callable[[], Programme]], APIRouter]
SwitchOff = Callable[[str, str], Awaitable[bool]]


class Notification(BaseModel):
    """A message. `reason`: why it was not sent, or what it waits for. `version`: of the event that says so."""

    version: int | None
    notification_id: str
    template: str
    channel: str
    status: Literal["queued", "sent", "failed", "suppressed", "withdrawn"]
    reason: str | None
    at: str


class Notifications(BaseModel):
    """What is not sent yet, and then the newest first; `next` is the `cursor` of the page after, null on the last."""

    items: list[Notification]
    next: str | None


def routes_with(links: Links, switch_off: SwitchOff) -> Routes:
    """The routes; `switch_off(customer_id, what)` tells profile, and raises `ProfileAway`."""

    def routes(reader: Reader[State], _programme: Callable[[], Programme]) -> APIRouter:
        router = APIRouter(tags=["notifier"])

        @router.get(
            "/customers/{customer_id}/notifications",
            response_model=Notifications,
            summary="What was sent, suppressed or withdrawn, and why",
            responses={304: {"description": "Same"}},
        )
        async def notifications(
            request: Request,
            who: Caller,
            customer_id: CustomerId,
            page: Paging,
            known: IfNoneMatch = None,
        ) -> Response:
            head = await reader.head(customer_id)
            waiting = views.open_items(head.state) if head.state and page.position is None else []
            shown = await listing(reader, customer_id, page, views.ended_item)
            shown["items"] = [*waiting, *shown["items"]]
            if waiting:  # what waits changes without a new version
                return JSONResponse(shown, headers={"Cache-Control": "private, no-cache", "Vary": "Authorization"})
            return same(head.version) if unchanged(request, head.version) else reply(head.version, shown)

        @router.get("/unsubscribe/{token}", response_class=HTMLResponse, summary="Asks before anything changes")
        async def ask(token: Token) -> Response:
            wish = _read(links, token)
            return _page(pages.ask(wish.what, await _locale(reader, wish)))

        @router.post("/unsubscribe/{token}", response_class=HTMLResponse, summary="Unsubscribes, with one click")
        async def unsubscribe(token: Token) -> Response:
            wish = _read(links, token)
            try:
                await switch_off(wish.customer_id, wish.what)
            except ProfileAway:
                raise unavailable("Your profile cannot be changed at the moment", 60) from None
            # To a customer who is gone, nothing is sent any more either.
            return _page(pages.done(wish.what, await _locale(reader, wish)))

        return router

    return routes


def _read(links: Links, token: str) -> Wish:
    wish = links.read(token)
    if wish is None:
        raise Problem("not-found")
    return wish


async def _locale(reader: Reader[State], wish: Wish) -> str:
    state = (await reader.head(wish.customer_id)).state
    return state.preferences.locale if state is not None and state.preferences is not None else "en"


def _page(text: str) -> Response:
    return HTMLResponse(text, headers={"Content-Security-Policy": pages.POLICY})
