"""The HTTP calls of the ledger: reads of a customer, what tills and staff ask of the one writer, the trial balance."""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Body, Path, Request, Response
from fastapi.responses import JSONResponse
from pydantic import TypeAdapter, ValidationError

from services.ledger import shapes, views
from services.ledger.coupons import Coupons
from services.ledger.quotes import quote
from services.ledger.state import State
from services.ledger.texts import wording
from shared.contracts.pos import PurchaseCompleted
from shared.contracts.records import fault
from shared.http.commands import ACCEPTED, Send
from shared.http.problems import Problem, invalid
from shared.http.reads import CustomerId, Head, IfNoneMatch, Paging, Reader, listing, reply, same, steady, unchanged
from shared.http.tokens import Principal, allow
from shared.rulebook.programme import Programme
from shared.rulebook.refused import Refused

Caller = Annotated[Principal, allow("customer", "staff", "ops")]
Till = Annotated[Principal, allow("pos")]
Staff = Annotated[Principal, allow("staff")]
Operator = Annotated[Principal, allow("ops")]
Asking = Annotated[Principal, allow("pos", "staff")]
BenefitId = Annotated[str, Path(pattern=r"^[A-Za-z0-9._:-]{1,64}$", examples=["free_delivery"])]
RedemptionId = Annotated[str, Path(pattern=r"^[0-9]{2,4}-[0-9a-f]{32}$")]

_SALE: Final[TypeAdapter[PurchaseCompleted]] = TypeAdapter(PurchaseCompleted)
_SAME: Final[Mapping[int | str, dict[str, Any]]] = {304: {"description": "Same"}}


def routes(reader: Reader[State], programme: Callable[[], Programme], coupons: Coupons) -> APIRouter:
    """The routes; `programme` gives all versions that are known at the moment."""
    router = APIRouter(tags=["ledger"])
    _reads(router, reader, programme, coupons)
    _writes(router, reader, programme, coupons)

    @router.get("/trial-balance", response_model=shapes.TrialBalance, summary="All customers' accounts; they sum to 0")
    async def trial_balance(who: Operator) -> Response:
        return JSONResponse(views.trial_balance(await reader.totals(), programme(), datetime.now(UTC)))

    return router


def _reads(router: APIRouter, reader: Reader[State], programme: Callable[[], Programme], coupons: Coupons) -> None:
    customers = APIRouter(prefix="/customers/{customer_id}", responses=dict(_SAME))

    @customers.get("/balance", response_model=shapes.Balance, summary="Points, and when they expire")
    async def balance(request: Request, who: Caller, customer_id: CustomerId, known: IfNoneMatch = None) -> Response:
        head = await reader.head(customer_id)
        if unchanged(request, head.version):  # points move with events alone
            return same(head.version)
        return reply(head.version, views.balance(head.state, head.version))

    @customers.get("/entries", response_model=shapes.Entries, summary="Movements of points, newest first")
    async def entries(
        request: Request,
        who: Caller,
        customer_id: CustomerId,
        page: Paging,
        known: IfNoneMatch = None,
    ) -> Response:
        def shown(_head: Head[State], programme: Programme) -> list[Any]:
            return wording(programme)  # all else that entries say is their events'

        head = await reader.head(customer_id)
        if unchanged(request, head.version) and await steady(reader, customer_id, head, programme(), shown, _since):
            return same(head.version)
        return reply(head.version, await listing(reader, customer_id, page, views.entry_item(programme())))

    @customers.get("/benefits", response_model=shapes.Benefits, summary="Benefits, and what each still needs")
    async def benefits(request: Request, who: Caller, customer_id: CustomerId, known: IfNoneMatch = None) -> Response:
        def code(benefit: str, period: str | None) -> str:
            return coupons.code(customer_id, benefit, period)

        def shown(head: Head[State], programme: Programme) -> dict[str, Any]:
            return views.benefits(head.state, programme, _now(head), code)

        head = await reader.head(customer_id)
        if unchanged(request, head.version) and await steady(reader, customer_id, head, programme(), shown, _since):
            return same(head.version)
        return reply(head.version, shown(head, programme()))

    @customers.post(
        "/quotes",
        response_model=shapes.Quote,
        summary="What a purchase would earn, and why; writes nothing",
        openapi_extra={"requestBody": {"content": {"application/json": {"schema": shapes.purchase_schema()}}}},
    )
    async def quotes(who: Asking, customer_id: CustomerId, body: Annotated[dict[str, Any], Body()]) -> Response:
        sale = _sale(customer_id, body)
        head = await reader.head(customer_id)
        if head.state is not None and head.state.erased:
            raise Problem("erased")
        try:
            return JSONResponse(quote(head.state, sale, programme()))
        except Refused as refused:
            raise invalid([_named(refused.reason)]) from None

    router.include_router(customers)


def _writes(router: APIRouter, reader: Reader[State], programme: Callable[[], Programme], coupons: Coupons) -> None:
    async def owner(redemption_id: str) -> str:
        found = await reader.view("redemptions", redemption_id)
        if found is None:
            raise Problem("not-found")
        return found["customer"]

    @router.post(
        "/customers/{customer_id}/redemptions",
        status_code=201,
        response_model=shapes.Held,
        summary="Reserve points at the till",
        responses=ACCEPTED,
    )
    async def hold(who: Till, customer_id: CustomerId, body: shapes.Hold, sending: Send) -> Response:
        return await sending(who, "HoldPoints.v1", customer_id, body.model_dump())

    @router.post(
        "/redemptions/{redemption_id}/capture",
        response_model=shapes.Captured,
        summary="Pay with reserved points: all, or a part, and the rest is released",
        responses=ACCEPTED,
    )
    async def capture(
        who: Till, redemption_id: RedemptionId, sending: Send, body: shapes.Capture | None = None
    ) -> Response:
        said = (body or shapes.Capture()).model_dump()
        customer_id = await owner(redemption_id)
        return await sending(who, "CapturePoints.v1", customer_id, {"redemption_id": redemption_id, **said})

    @router.delete(
        "/redemptions/{redemption_id}",
        status_code=204,
        summary="Let go of reserved points",
        responses=ACCEPTED,
    )
    async def release(who: Till, redemption_id: RedemptionId, sending: Send) -> Response:
        customer_id = await owner(redemption_id)
        return await sending(who, "ReleaseHold.v1", customer_id, {"redemption_id": redemption_id})

    @router.post(
        "/customers/{customer_id}/benefits/{benefit}/use",
        response_model=shapes.Used,
        summary="Use a perk or a coupon at the till",
        responses=ACCEPTED,
    )
    async def use(
        who: Till, customer_id: CustomerId, benefit: BenefitId, sending: Send, body: shapes.Use | None = None
    ) -> Response:
        said = body or shapes.Use()
        versions = programme().versions
        if not any(one.id == benefit for version in versions for one in version.terms.benefits):
            raise Problem("not-found")
        period: str | None = None
        if said.code is not None:
            years = range(versions[0].terms.effective_from.year, datetime.now(UTC).year + 2)
            found = coupons.period(said.code, customer_id, benefit, [None, *map(str, years)])
            if found is None:
                raise invalid([("code", "is not the code of this customer's coupon")])
            period = found[0]
        fields = {"store_id": said.store_id, "purchase_id": said.purchase_id}
        return await sending(who, "UseBenefit.v1", customer_id, {"benefit": benefit, "period": period, **fields})

    @router.post(
        "/customers/{customer_id}/adjustments",
        response_model=shapes.Adjusted,
        summary="Give points, or take available ones",
        responses=ACCEPTED,
    )
    async def adjust(who: Staff, customer_id: CustomerId, body: shapes.Adjustment, sending: Send) -> Response:
        return await sending(who, "AdjustPoints.v1", customer_id, body.model_dump())


def _now(head: Head[State]) -> datetime:
    """The time at which a customer's benefits stand; the caller's time only for one of whom nothing is known."""
    known = [head.tick, head.state and _since(head.state)]
    return max((at for at in known if at is not None), default=datetime.now(UTC))


def _since(state: State) -> datetime | None:
    """The time that a customer's state stands at, without the last tick."""
    return max((at for at in (state.clock, state.benefits.at) if at is not None), default=None)


def _sale(customer_id: str, body: dict[str, Any]) -> PurchaseCompleted:
    """The purchase in a request, by the contract of tills; the path says whose it is."""
    said = {"type": "PurchaseCompleted.v1", "customer_id": customer_id, **body}
    try:
        sale = _SALE.validate_json(json.dumps(said))  # the contract reads times and lists from JSON alone
    except ValidationError as error:
        raise invalid([_named(fault(one)) for one in error.errors(include_url=False, include_input=False)]) from None
    if sale.customer_id != customer_id:
        raise invalid([("customer_id", "is not that of the path")])
    return sale


def _named(reason: str) -> tuple[str, str]:
    field, _, why = reason.partition(": ")
    return field, why
