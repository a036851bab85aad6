"""What tills publish: purchases and returns."""

from typing import Annotated, Literal, Self

from pydantic import Field, TypeAdapter, model_validator
from pydantic_core import PydanticCustomError

from shared.contracts.records import (
    Count,
    Currency,
    Id,
    Input,
    Minor,
    MinorAboveZero,
    Rate,
    Record,
    SignedMinor,
    Sku,
    Text,
)


class Line(Record):
    """An article on a receipt. `amount_minor` is the line's price in all, below zero for a discount."""

    sku: Sku
    name: Text | None = None
    category: Text | None = None
    quantity: Count
    amount_minor: SignedMinor


class PurchaseCompleted(Input):
    """A purchase. Its business key is (`customer_id`, `store_id`, `purchase_id`).

    Amounts are minor units of `currency`, `total_minor` with tax. `fx_rate`: units of the programme's currency per unit
    of this one, needed where they differ. `redemption_id`: the hold that paid for a part of it. `lines`, where they are
    given, sum to the total.
    """

    type: Literal["PurchaseCompleted.v1"]
    purchase_id: Id
    store_id: Id
    terminal_id: Id | None = None
    currency: Currency
    total_minor: Minor
    tax_minor: Minor | None = None
    fx_rate: Rate | None = None
    redemption_id: Id | None = None
    lines: tuple[Line, ...] = ()

    @model_validator(mode="after")
    def _sums(self) -> Self:
        _check_sums(self.total_minor, self.tax_minor, self.lines, "total_minor")
        return self


class PurchaseReturned(Input):
    """A return. Its business key is (`customer_id`, `store_id`, `return_id`).

    It may name its purchase; `purchase_store_id` is that one's store where it is another. Amounts as of a purchase, and
    above zero; `lines`, where they are given, sum to the amount.
    """

    type: Literal["PurchaseReturned.v1"]
    return_id: Id
    store_id: Id
    purchase_id: Id | None = None
    purchase_store_id: Id | None = None
    currency: Currency
    amount_minor: MinorAboveZero
    tax_minor: Minor | None = None
    fx_rate: Rate | None = None
    lines: tuple[Line, ...] = ()

    @model_validator(mode="after")
    def _sums(self) -> Self:
        _check_sums(self.amount_minor, self.tax_minor, self.lines, "amount_minor")
        return self


def _check_sums(total: int, tax: int | None, lines: tuple[Line, ...], field: str) -> None:
    if lines and sum([line.amount_minor for line in lines]) != total:
        raise PydanticCustomError("together", "lines: do not sum to {field}", {"field": field})
    if tax is not None and tax > total:
        raise PydanticCustomError("together", "tax_minor: is more than {field}", {"field": field})


PosRecord = Annotated[PurchaseCompleted | PurchaseReturned, Field(discriminator="type")]
POS: TypeAdapter[PurchaseCompleted | PurchaseReturned] = TypeAdapter(PosRecord)
