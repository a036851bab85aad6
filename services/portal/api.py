"""The portal's HTTP: pages, forms, sign-in, files; and for other front ends the same data as JSON."""

import hashlib
from typing import Annotated

from fastapi import APIRouter, Header, Query, Request, Response
from fastapi.responses import JSONResponse

from services.portal import entrance, pages, provider, writes
from services.portal.accounts import PAGE
from services.portal.desk import Desk
from services.portal.model import MyBonus
from services.portal.texts import DEFAULT, accepted
from shared.http.problems import Problem
from shared.http.reads import IfNoneMatch
from shared.http.tokens import Anybody
from shared.settings import Settings


def routes(desk: Desk, settings: Settings) -> APIRouter:
    """All of it."""
    router = APIRouter()

    @router.get("/api/my-bonus", response_model=MyBonus, tags=["portal"], summary="Everything about one customer")
    async def my_bonus(
        request: Request,
        who: Anybody,
        accept_language: Annotated[
            str | None, Header(description="en, de or ru; the customer's own by default.")
        ] = None,
        cursor: Annotated[str | None, Query(max_length=300, description="`history.next` of the page before.")] = None,
        limit: Annotated[int, Query(ge=1, le=200, description="Items of the history.")] = PAGE,
        known: IfNoneMatch = None,
    ) -> Response:
        """What the page shows, to a customer's token (scope `customer`): labels and texts in the customer's language,
        or the one that is asked for; amounts in minor units."""
        if "customer" not in who.scopes:
            raise Problem("forbidden", "One of these scopes is needed: customer")
        account = await desk.stand.accounts.read(who.subject)
        if account.erased:
            raise Problem("erased")
        preferred = account.preferences.locale if account.preferences else None
        tag = accepted(accept_language) or preferred or DEFAULT
        found, _ = await desk.bonus(who.subject, account, tag, cursor, limit)
        answer = JSONResponse(found.model_dump(mode="json"))
        # Of the answer itself: beside the account it depends on the clock, the programme and the language.
        etag = f'"{hashlib.sha256(answer.body).hexdigest()[:32]}"'
        headers = {"ETag": etag, "Cache-Control": "private, no-cache", "Vary": "Authorization, Accept-Language"}
        if etag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        answer.headers.update(headers)
        return answer

    for part in (pages.routes(desk), writes.routes(desk), entrance.routes(desk), desk.assets.routes()):
        router.include_router(part)
    if desk.settings.development_key is not None:
        built_in = provider.DevelopmentProvider(desk.settings, settings.token_issuer, settings.token_audience)
        router.include_router(provider.routes(built_in, desk.settings))
    return router
