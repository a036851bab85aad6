"""What turnover publishes. Amounts are minor units of the programme's currency; state is the one after the fact."""

from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from shared.contracts.records import Fact, Id, Moment, Record, Sku

Amount = Annotated[int, Field(ge=0)]


class Standing(Record):
    """Where a customer stands in the current year.

    `turnover_minor`: what is shown, never below zero. `valid_until`: the first instant without the tier, `None` where
    nothing ends it. `to_next_minor`: what is missing to `next_tier`, `None` at the top. `to_keep_minor`: what is
    missing to hold the tier for another year.
    """

    year: int
    turnover_minor: Amount
    tier: Id
    valid_until: Moment | None
    next_tier: Id | None
    to_next_minor: Amount | None
    to_keep_minor: Amount


class TurnoverRecorded(Fact):
    """A purchase counted.

    `amount_minor`: as counted. `year`: where it counts. `late`: it happened before the customer's now. `tier`: held
    just before, by the thresholds of the version of the purchase.
    """

    type: Literal["TurnoverRecorded.v1"] = "TurnoverRecorded.v1"
    purchase_id: Id
    store_id: Id
    redemption_id: Id | None
    amount_minor: Amount
    year: int
    late: bool
    skus: tuple[Sku, ...]
    tier: Id
    standing: Standing


class TurnoverReduced(Fact):
    """A return counted. `purchase_remaining_minor`: what is left of its purchase, `None` without one."""

    type: Literal["TurnoverReduced.v1"] = "TurnoverReduced.v1"
    return_id: Id
    store_id: Id
    purchase_id: Id | None
    purchase_store_id: Id | None
    amount_minor: Amount
    purchase_remaining_minor: Amount | None
    year: int
    tier: Id
    standing: Standing


class ReturnRefused(Fact):
    """A return, or a part of one, that does not count: more than is left of its purchase, too late, or (`fx_rate`) of a
    purchase in another currency, for which it waited without a rate; then both amounts are 0.

    `amount_minor`: of the whole return. `excess_minor`: what of it is refused.
    """

    type: Literal["ReturnRefused.v1"] = "ReturnRefused.v1"
    return_id: Id
    store_id: Id
    purchase_id: Id | None
    amount_minor: Amount
    excess_minor: Amount
    reason: Literal["exceeds", "window", "fx_rate"]


class TierChanged(Fact):
    """Another tier is held. `reason`: what moved it."""

    type: Literal["TierChanged.v1"] = "TierChanged.v1"
    from_: Id = Field(validation_alias="from", serialization_alias="from")
    to: Id
    direction: Literal["up", "down"]
    reason: Literal["turnover", "return", "year_end", "programme"]
    standing: Standing


class Closed(Record):
    """A year that is over, and the turnover shown for it then."""

    year: int
    turnover_minor: Amount


class YearTurned(Fact):
    """A new year, or a rolling sum that the clock alone moved: then nothing is `closed`."""

    type: Literal["YearTurned.v1"] = "YearTurned.v1"
    standing: Standing
    closed: Closed | None


TurnoverFact = TurnoverRecorded | TurnoverReduced | ReturnRefused | TierChanged | YearTurned
TURNOVER: TypeAdapter[TurnoverFact] = TypeAdapter(Annotated[TurnoverFact, Field(discriminator="type")])
