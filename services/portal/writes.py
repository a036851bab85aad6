"""What customers change, with their own token: profile, reminders, consents, card, language; and signing out."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Final

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse
from msgspec.structs import replace

from services.portal import parts
from services.portal.account import Account, Completion, Missing
from services.portal.desk import Desk
from services.portal.pages import HOME, ours, page_route, visitor
from services.portal.profile import Invalid, Written
from services.portal.sessions import identity_of
from services.portal.texts import LANGUAGES
from services.portal.visit import LANGUAGE, LANGUAGE_FOR_S, Visit, form

CONSENT_TEXT: Final = "2026-1"  # the version of the consents' wording in templates/parts/settings.html
PURPOSES: Final = ("programme", "marketing", "profiling")
CATCH_UP_S: Final = 1.0
_LOOK_S: Final = 0.05
_PREFIX: Final = "field."


def routes(desk: Desk) -> APIRouter:
    """Forms. Those that htmx sends get the parts of the page that changed; others are sent back to the page."""
    router = APIRouter(route_class=page_route(desk), tags=["pages"], include_in_schema=False)

    @router.post(f"{HOME}/profile")
    async def fill(request: Request, visit: Annotated[Visit, visitor(desk)]) -> Response:
        typed = await _typed(request)
        filled = {field: text for field, text in typed.items() if text}
        if not filled:
            return await _answer(desk, visit, None, done="nothing")
        token = await _token(desk, visit)
        before = await desk.stand.accounts.read(visit.customer_id)
        outcome = await desk.profiles.edit(visit.customer_id, token, filled)
        if isinstance(outcome, Invalid):
            return await _refuse(desk, visit, typed, outcome.fields)
        account = await _caught_up(desk, visit.customer_id, outcome)
        return await _answer(desk, visit, account, done=_done(before, account, outcome))

    @router.post(f"{HOME}/reminders")
    async def remind(request: Request, visit: Annotated[Visit, visitor(desk)]) -> Response:
        on = (await form(request)).get("on") == "yes"
        written = await desk.profiles.remind(visit.customer_id, await _token(desk, visit), on)
        account = await _caught_up(desk, visit.customer_id, written)
        return await _answer(desk, visit, account, done="settings", anchor="settings")

    @router.post(f"{HOME}/consents")
    async def consent(request: Request, visit: Annotated[Visit, visitor(desk)]) -> Response:
        wanted = await form(request)
        token, account = await _token(desk, visit), await desk.stand.accounts.read(visit.customer_id)
        now = account.preferences.consents if account.preferences else {}
        for purpose in PURPOSES:
            granted = wanted.get(purpose) == "yes"
            if granted != now.get(purpose, False):
                written = await desk.profiles.consent(visit.customer_id, token, purpose, granted, CONSENT_TEXT)
                account = await _caught_up(desk, visit.customer_id, written)
        return await _answer(desk, visit, account, done="settings", anchor="settings")

    @router.post(f"{HOME}/data")
    async def edit(request: Request, visit: Annotated[Visit, visitor(desk)]) -> Response:
        typed = await _typed(request)
        token = await _token(desk, visit)
        outcome = await desk.profiles.edit(
            visit.customer_id, token, {field: text or None for field, text in typed.items()}
        )
        if isinstance(outcome, Invalid):
            return await parts.data(desk, visit, typed, 422, refused=outcome.fields)
        await _caught_up(desk, visit.customer_id, outcome)
        return RedirectResponse(f"{HOME}/data?done=saved", 303)

    @router.post(f"{HOME}/card")
    async def issue(visit: Annotated[Visit, visitor(desk)]) -> Response:
        token, account = await _token(desk, visit), await desk.stand.accounts.read(visit.customer_id)
        written = await desk.profiles.issue_card(visit.customer_id, token)
        for card in account.cards:
            await desk.profiles.revoke_card(card, token)
        fresh = (written.state or {}).get("card_id")
        await _until(desk, visit.customer_id, lambda now: now.cards == (fresh,) if fresh else bool(now.cards))
        return RedirectResponse(f"{HOME}/card", 303)

    @router.post("/language")
    async def speak(request: Request) -> Response:
        desk.doors.same_origin(request)
        wanted = await form(request)
        answer = RedirectResponse(ours(wanted.get("back")), 303)
        if wanted.get("language") in LANGUAGES:
            desk.doors.set(answer, LANGUAGE, wanted["language"], LANGUAGE_FOR_S)
        return answer

    @router.post("/sign-out")
    async def sign_out(request: Request) -> Response:
        desk.doors.same_origin(request)
        cookie = request.cookies.get(desk.doors.session)
        if cookie is not None:
            await desk.stand.sessions.close(cookie)
            desk.live.end(identity_of(cookie))
        # What this browser keeps of the customer goes as well: the card that was readable offline.
        answer = RedirectResponse("/signed-out", 303, {"Clear-Site-Data": '"cache", "storage"'})
        desk.doors.set(answer, desk.doors.session, "", 0)
        return answer

    return router


async def _typed(request: Request) -> dict[str, str]:
    """What was typed into the fields of the profile, by field, without blanks around it."""
    fields = (await form(request)).items()
    return {name.removeprefix(_PREFIX): text.strip() for name, text in fields if name.startswith(_PREFIX)}


async def _token(desk: Desk, visit: Visit) -> str:
    return await desk.doors.token(visit, desk.stand.sessions, desk.stand.partition(visit.customer_id))


def _done(before: Account, account: Account, written: Written) -> str:
    if written.state is None:
        return "soon"
    was = before.completion is not None and before.completion.complete
    complete = account.completion is not None and account.completion.complete
    return "complete" if complete and not was else "saved"


async def _caught_up(desk: Desk, customer_id: str, written: Written) -> Account:
    """The account once it has heard of a change; if that takes long, with what profile says of it already."""
    state = written.state
    if state is None or "version" not in state:
        return await desk.stand.accounts.read(customer_id)
    account = await _until(desk, customer_id, lambda now: now.seen.get("profile", 0) >= state["version"])
    behind = account.seen.get("profile", 0) < state["version"]
    return replace(account, completion=_completion(state)) if behind and "percent" in state else account


async def _until(desk: Desk, customer_id: str, enough: Callable[[Account], bool]) -> Account:
    """The account as soon as it is as wanted, or after `CATCH_UP_S` as it is."""
    clock = asyncio.get_running_loop().time
    until = clock() + CATCH_UP_S
    while not enough(account := await desk.stand.accounts.read(customer_id)) and clock() < until:
        await asyncio.sleep(_LOOK_S)
    return account


def _completion(state: Mapping[str, Any]) -> Completion:
    return Completion(
        percent=state["percent"],
        complete=state["complete"],
        filled=tuple(field for field, value in state["fields"].items() if value is not None),
        missing=tuple(Missing(one["field"], tuple(one["unlocks"])) for one in state["missing"]),
    )


async def _refuse(desk: Desk, visit: Visit, typed: Mapping[str, str], refused: frozenset[str]) -> Response:
    """Nothing was saved: what was typed stays, with the reason, and the first bad field has the focus."""
    focus = next((field for field in typed if field in refused), None)
    more = {"given": typed, "refused": refused, "focus": focus}
    if not visit.by_htmx:
        return await parts.whole(desk, visit, 422, **more)
    account = await desk.stand.accounts.read(visit.customer_id)
    return await parts.after(desk, visit, account, 422, **more)


async def _answer(
    desk: Desk, visit: Visit, account: Account | None, *, done: str, anchor: str = "completion"
) -> Response:
    if not visit.by_htmx:
        return RedirectResponse(f"{HOME}?done={done}#{anchor}", 303)
    account = account or await desk.stand.accounts.read(visit.customer_id)
    focus = "title" if anchor == "completion" and done != "nothing" else None
    return await parts.after(desk, visit, account, done=done, focus=focus)
