"""What is remembered of a purchase, and what its returns leave of it."""

from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import Final, Literal

from msgspec import Struct
from msgspec.structs import replace

from shared.contracts.pos import PurchaseCompleted, PurchaseReturned
from shared.contracts.records import MAX_MINOR, content
from shared.rulebook.money import convert
from shared.rulebook.programme import Programme
from shared.rulebook.refused import Refused

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


class Bought(Struct, frozen=True, gc=False, array_like=True, tag="b"):
    """The usual purchase: in the programme's currency, counted whole, nothing returned. It fills most of a memory.

    `digest`: of the record's content. `at`: microseconds since 1970 (the dates of BSON hold milliseconds only).
    """

    digest: int
    at: int
    minor: int


class Purchase(Struct, frozen=True, gc=False, array_like=True, tag="p"):
    """Any purchase. `gross` and `net` are minor units of `currency` (`None`: the programme's), converted at `rate`.

    Where tax counts, `net` equals `gross`. What was returned is kept as sums: in the purchase's currency (`back_…`),
    and in the programme's where a return came in another (`other_…`). Sums forget the order, so what is left does not
    depend on it.
    """

    digest: int
    at: int
    gross: int
    net: int
    currency: str | None = None
    rate: str | None = None
    back_gross: int = 0
    back_net: int = 0
    other_gross: int = 0
    other_net: int = 0


class Return(Struct, frozen=True, gc=False, array_like=True):
    """A return as it waits for its purchase. `gross` and `net`: minor units of `currency`, as of a purchase."""

    return_id: str
    store_id: str
    purchase_id: str | None
    purchase_store_id: str | None
    digest: int
    at: int
    currency: str
    gross: int
    net: int
    rate: str | None

    @property
    def named(self) -> str | None:
        """Where memory keeps the purchase that the return names; `None` when it names none."""
        return self.purchase_id and purchase_key(self.purchase_store_id or self.store_id, self.purchase_id)


class Awaited(Struct, frozen=True, gc=False, array_like=True, tag="w"):
    """A purchase that returns have named and nobody has seen yet; they wait in the order in which they came."""

    returns: list[Return]


class Returned(Struct, frozen=True, gc=False, array_like=True, tag="r"):
    """A return that was seen, whatever became of it."""

    digest: int


Item = Bought | Purchase | Awaited | Returned


class Taken(Struct, frozen=True, gc=False):
    """What becomes of a return, in minor units of the programme's currency.

    `purchase`: after it (`None`: it names none). `counted`: as turnover counts it; `None` when all is refused. `worth`:
    the whole return, with its tax. `excess`: what of that is refused, for `reason`.
    """

    purchase: Bought | Purchase | None
    counted: int | None
    worth: int
    excess: int = 0
    reason: Literal["exceeds", "window", "fx_rate"] | None = None


def purchase_key(store_id: str, purchase_id: str) -> str:
    """Where memory keeps a purchase, and what waits for it. Ids hold no slash."""
    return f"p:{store_id}/{purchase_id}"


def return_key(store_id: str, return_id: str) -> str:
    """Where memory keeps a return."""
    return f"r:{store_id}/{return_id}"


def digest(record: PurchaseCompleted | PurchaseReturned) -> int:
    """64 bits of the record's content, signed as BSON's integers are."""
    return int.from_bytes(blake2b(content(record), digest_size=8).digest(), "big", signed=True)


def micros(at: datetime) -> int:
    """A time as whole microseconds since 1970."""
    return (at - _EPOCH) // _MICROSECOND


def moment(at: int) -> datetime:
    """The time of `micros`."""
    return _EPOCH + timedelta(microseconds=at)


def bought(sale: PurchaseCompleted, content: int, programme: Programme) -> Bought | Purchase:
    """What is remembered of a purchase with that digest; raises `Refused` where it cannot be converted."""
    at, gross, own = micros(sale.occurred_at), sale.total_minor, sale.currency == programme.currency
    net = gross - (sale.tax_minor or 0) if programme.net else gross
    if own:
        return Bought(content, at, gross) if net == gross else Purchase(content, at, gross, net)
    exchanged(gross, sale.fx_rate, sale.currency, programme)
    return Purchase(content, at, gross, net, sale.currency, sale.fx_rate)


def returned(back: PurchaseReturned, content: int, programme: Programme) -> Return:
    """What matters here of a return with that digest."""
    return Return(
        return_id=back.return_id,
        store_id=back.store_id,
        purchase_id=back.purchase_id,
        purchase_store_id=back.purchase_store_id,
        digest=content,
        at=micros(back.occurred_at),
        currency=back.currency,
        gross=back.amount_minor,
        net=back.amount_minor - (back.tax_minor or 0) if programme.net else back.amount_minor,
        rate=back.fx_rate,
    )


def exchanged(minor: int, rate: str | None, currency: str, programme: Programme) -> int:
    """An amount in the programme's currency, half-even; raises `Refused` without a rate, or beyond any amount."""
    if currency == programme.currency:
        return minor
    if rate is None:
        raise Refused(f"fx_rate: is needed for {currency}")
    converted = convert(minor, rate, currency, programme.currency)
    if converted > MAX_MINOR:
        raise Refused("fx_rate: makes an amount above 10^12")
    return converted


def remaining(item: Bought | Purchase, programme: Programme) -> int:
    """What is left of a purchase as turnover counts it. Once nothing is left with tax, nothing is left without."""
    if isinstance(item, Bought):
        return item.minor
    return _gross_left(item, programme) and _left(item, item.net - item.back_net, item.other_net, programme)


def take_unnamed(back: Return, programme: Programme) -> Taken:
    """What a return without a purchase takes: all of it. Raises `Refused` where it cannot be converted."""
    worth = exchanged(back.gross, back.rate, back.currency, programme)
    return Taken(None, exchanged(back.net, back.rate, back.currency, programme), worth)


def take_back(item: Bought | Purchase, back: Return, programme: Programme) -> Taken:
    """What a return takes of its purchase: what is left of that at most, and nothing after the window.

    Raises `Refused` when the return is neither in the purchase's currency nor in the programme's and brings no rate.
    """
    before = _whole(item)
    if back.currency == (before.currency or programme.currency):
        # At the purchase's rate, a return far beyond its purchase may come to more than an amount can be.
        worth = min(_converted(back.gross, before, programme), MAX_MINOR)
        after = replace(before, back_gross=before.back_gross + back.gross, back_net=before.back_net + back.net)
    else:
        worth = exchanged(back.gross, back.rate, back.currency, programme)
        net = exchanged(back.net, back.rate, back.currency, programme)
        after = replace(before, other_gross=before.other_gross + worth, other_net=before.other_net + net)
    if moment(back.at) > _last_return(before, programme):
        return Taken(item, None, worth, worth, "window")
    left, rest = _gross_left(before, programme), after.gross - after.back_gross
    exceeds = rest < 0 or _converted(rest, after, programme) < after.other_gross
    if exceeds and not left:
        return Taken(item, None, worth, worth, "exceeds")
    counted = remaining(before, programme) - remaining(after, programme)
    return Taken(after, counted, worth, max(0, worth - left), "exceeds") if exceeds else Taken(after, counted, worth)


def _whole(item: Bought | Purchase) -> Purchase:
    return item if isinstance(item, Purchase) else Purchase(item.digest, item.at, gross=item.minor, net=item.minor)


def _converted(minor: int, item: Purchase, programme: Programme) -> int:
    if item.currency is None or item.rate is None:
        return minor
    return convert(minor, item.rate, item.currency, programme.currency)


def _gross_left(item: Purchase, programme: Programme) -> int:
    return _left(item, item.gross - item.back_gross, item.other_gross, programme)


def _left(item: Purchase, rest: int, elsewhere: int, programme: Programme) -> int:
    return max(0, _converted(max(0, rest), item, programme) - elsewhere)


def _last_return(item: Purchase, programme: Programme) -> datetime:
    version = programme.in_force(at := moment(item.at))
    if version is None:
        raise LookupError("a purchase was counted that no version of the programme covers")
    return programme.calendar.add(at, version.terms.returns.window)
