"""The HTTP calls of turnover: reads alone, for turnover is written by purchases and returns."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from services.turnover import views
from services.turnover.rules import State
from shared.http.reads import CustomerId, Head, IfNoneMatch, Paging, Reader, listing, reply, same, steady, unchanged
from shared.http.tokens import Principal, allow
from shared.rulebook.programme import Programme

Caller = Annotated[Principal, allow("customer", "staff", "ops")]


class Year(BaseModel):
    """A calendar year with a purchase or a return, in minor units."""

    purchases_minor: int
    returns_minor: int
    turnover_minor: int
    tier_reached: str


class Turnover(BaseModel):
    """What a customer has spent and the tier that it brings, in minor units of the programme's currency."""

    customer_id: str
    currency: str
    year: int
    turnover_minor: int
    tier: str
    valid_until: datetime | None
    next_tier: str | None
    to_next_minor: int | None
    to_keep_minor: int
    years: dict[str, Year]
    version: int


class Purchase(BaseModel):
    """A purchase or a return, as it was counted, in minor units of the programme's currency."""

    version: int
    type: str
    purchase_id: str | None
    return_id: str | None
    store_id: str | None
    occurred_at: datetime
    amount_minor: int
    year: int | None
    late: bool | None


class Purchases(BaseModel):
    """Newest version first; `next` is the `cursor` of the page after, null on the last one."""

    items: list[Purchase]
    next: str | None


def routes(reader: Reader[State], programme: Callable[[], Programme]) -> APIRouter:
    """The routes; `programme` gives all versions that are known at the moment."""
    router = APIRouter(prefix="/customers/{customer_id}", tags=["turnover"], responses={304: {"description": "Same"}})

    @router.get("/turnover", response_model=Turnover, summary="Turnover of the years, and the tier")
    async def turnover(request: Request, who: Caller, customer_id: CustomerId, known: IfNoneMatch = None) -> Response:
        def shown(head: Head[State], programme: Programme) -> dict[str, Any]:
            return views.turnover(customer_id, head.state, head.version, programme, head.tick, datetime.now(UTC))

        head = await reader.head(customer_id)
        if unchanged(request, head.version) and await steady(
            reader, customer_id, head, programme(), shown, lambda state: state.clock
        ):
            return same(head.version)
        return reply(head.version, shown(head, programme()))

    @router.get("/purchases", response_model=Purchases, summary="Purchases and returns, newest first")
    async def purchases(
        request: Request,
        who: Caller,
        customer_id: CustomerId,
        page: Paging,
        known: IfNoneMatch = None,
    ) -> Response:
        head = await reader.head(customer_id)
        if unchanged(request, head.version):
            return same(head.version)
        return reply(head.version, await listing(reader, customer_id, page, views.purchase_item))

    return router
