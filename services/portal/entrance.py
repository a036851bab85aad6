"""Signing in and out, as pages; and what browsers fetch beside pages."""

import secrets
from typing import Annotated, Any, Final

import msgspec
from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse

from services.portal.desk import Desk
from services.portal.pages import HOME, ours, page_route, sorry
from services.portal.signin import Attempt, SignInError
from services.portal.texts import DEFAULT, LANGUAGES, accepted, language_of
from services.portal.visit import LANGUAGE, SIGN_IN
from shared import log as logs

ATTEMPT_FOR_S: Final = 600
Text = Annotated[str | None, Query(max_length=4000)]

log = logs.get("sign-in")


def routes(desk: Desk) -> APIRouter:
    """`/sign-in`, the address that the provider sends back to, `/signed-out`, and the service worker."""
    router = APIRouter(route_class=page_route(desk), include_in_schema=False)
    doors = desk.doors

    @router.get(SIGN_IN)
    async def sign_in(back: Text = None, login_hint: Text = None) -> Response:
        attempt, url = await desk.provider.begin(ours(back), login_hint)
        answer = RedirectResponse(url, 303)
        doors.set(answer, doors.attempt, msgspec.json.encode(attempt).hex(), ATTEMPT_FOR_S)
        return answer

    @router.get("/signed-in")
    async def signed_in(request: Request, code: Text = None, state: Text = None, iss: Text = None) -> Response:
        try:
            attempt = _attempt(request.cookies.get(doors.attempt), state)
            if code is None:
                raise SignInError("the provider sent no code")
            signed = await desk.provider.finish(attempt, code, iss, request.app.state.guard)
        except SignInError as why:
            log.info("sign-in failed", why=str(why))
            return sorry(desk, request, 401)
        sessions = desk.stand.sessions
        before = request.cookies.get(doors.session)
        if before is not None:
            await sessions.close(before)
        cookie = await sessions.open(signed, desk.stand.partition(signed.customer_id))
        answer = RedirectResponse(attempt.back, 303)
        doors.keep(answer, cookie, signed)
        doors.set(answer, doors.attempt, "", 0)
        return answer

    @router.get("/signed-out")
    async def signed_out(request: Request) -> Response:
        asked = request.cookies.get(LANGUAGE)
        tag = asked if asked in LANGUAGES else accepted(request.headers.get("accept-language"))
        values: dict[str, Any] = {"signed_in": False, "again": f"{SIGN_IN}?back={HOME}"}
        return desk.renderer.page("signed_out.html", language_of(tag) or DEFAULT, values)

    @router.get("/worker.js")
    async def worker() -> Response:
        headers = {"Cache-Control": "no-cache", "Content-Security-Policy": "default-src 'none'; connect-src 'self'"}
        return Response(desk.assets.worker, headers=headers, media_type="text/javascript")

    return router


def _attempt(cookie: str | None, state: str | None) -> Attempt:
    """The attempt that this browser began; raises `SignInError` for an answer to another one."""
    try:
        attempt = msgspec.json.decode(bytes.fromhex(cookie or ""), type=Attempt)
    except (ValueError, msgspec.MsgspecError):
        raise SignInError("this browser began no sign-in") from None
    if state is None or not secrets.compare_digest(attempt.state.encode(), state.encode()):
        raise SignInError("the answer is to another sign-in")
    return attempt
