"""What the ledger publishes: points as double entries, redemptions, benefits. State is the one after the fact."""

from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from shared.contracts.programme import Day, Factor
from shared.contracts.records import Fact, Id, Minor, MinorAboveZero, Moment, Record, Text

Account = Literal["programme", "pending", "available", "held", "redeemed", "expired", "owed"]
Points = Annotated[int, Field(ge=0)]
EntryId = Annotated[str, Field(max_length=32)]
LotId = Annotated[str, Field(max_length=200)]


class Lot(Record):
    """Points that were earned together.

    `points`: as earned. `remaining`: what of them is neither spent, held, reversed nor expired. Usable from
    `available_at` on, and while it is before `expires_at`; `last_day` is the last local day of that.
    """

    lot_id: LotId
    points: Points
    remaining: Points
    available_at: Moment
    expires_at: Moment
    last_day: Day


class Totals(Record):
    """A customer's points. `owed` is what will be taken from whatever becomes available."""

    pending: Points
    available: Points
    held: Points
    owed: Points


class Posting(Record):
    """One side of a movement. What the programme has given stands below zero on `programme`, what a customer owes below
    zero on `owed`; the other accounts never are."""

    account: Account
    points: int


class Movement(Fact):
    """Points that moved. `entry_id` counts the customer's movements; the `postings` sum to zero. `lots`: those that
    changed, as they are now."""

    entry_id: EntryId
    points: Points
    totals: Totals
    postings: tuple[Posting, ...]


class Why(Record):
    """How points were earned: by a purchase, floor(`amount_minor` / `per_minor` × `multiplier` of `tier`); or by a
    benefit, then only that is named, with its `period` where it comes again."""

    rule: Literal["purchase", "benefit"]
    per_minor: MinorAboveZero | None = None
    multiplier: Factor | None = None
    tier: Id | None = None
    amount_minor: Minor | None = None
    purchase_id: Id | None = None
    store_id: Id | None = None
    benefit: Id | None = None
    period: Id | None = None


class Returned(Record):
    """Which return moved points. `from`, `to`: what its purchase had earned (or paid with points) before and after;
    `None` where it names no purchase. `expired`: what of the difference had expired unspent, so that nothing moved."""

    return_id: Id
    store_id: Id
    purchase_id: Id | None
    purchase_store_id: Id | None
    from_: Points | None = Field(validation_alias="from", serialization_alias="from")
    to: Points | None
    expired: Points


class PointsEarned(Movement):
    """A new lot. It is pending while `available_at` lies ahead."""

    type: Literal["PointsEarned.v1"] = "PointsEarned.v1"
    lot: Lot
    why: Why


class PointsActivated(Movement):
    """Pending points became available."""

    type: Literal["PointsActivated.v1"] = "PointsActivated.v1"
    lots: tuple[Lot, ...]


class PointsExpired(Movement):
    """Points that were not used in time, or whose customer was erased."""

    type: Literal["PointsExpired.v1"] = "PointsExpired.v1"
    lots: tuple[Lot, ...]
    reason: Literal["expiry", "erasure"]


class PointsAdjusted(Movement):
    """Staff gave points, or took them: then `points` is below zero. `reason`: a code. `by`: who did it."""

    type: Literal["PointsAdjusted.v1"] = "PointsAdjusted.v1"
    points: int
    lots: tuple[Lot, ...]
    reason: Id
    by: Text


class OwedSettled(Movement):
    """What was owed was taken from points that became available, or written off with the customer's erasure."""

    type: Literal["OwedSettled.v1"] = "OwedSettled.v1"
    lots: tuple[Lot, ...]
    reason: Literal["settled", "written_off"]


class PointsReversed(Movement):
    """A return took earned points back; the posting to `owed` is what nothing was left for."""

    type: Literal["PointsReversed.v1"] = "PointsReversed.v1"
    lots: tuple[Lot, ...]
    why: Returned


class PointsRestored(Movement):
    """A return gave points back that had paid for its purchase."""

    type: Literal["PointsRestored.v1"] = "PointsRestored.v1"
    lots: tuple[Lot, ...]
    why: Returned


class PointsHeld(Movement):
    """A till reserved points. The hold lapses at `expires_at`."""

    type: Literal["PointsHeld.v1"] = "PointsHeld.v1"
    redemption_id: Id
    lots: tuple[Lot, ...]
    expires_at: Moment
    reason: None = None
    store_id: Id | None
    purchase_id: Id | None


class PointsRedeemed(Movement):
    """Points paid. `reason`: the till asked for it, or a purchase named the redemption. `expires_at`: of the hold."""

    type: Literal["PointsRedeemed.v1"] = "PointsRedeemed.v1"
    redemption_id: Id
    lots: tuple[Lot, ...]
    expires_at: Moment
    reason: Literal["capture", "purchase"]
    store_id: Id | None
    purchase_id: Id | None


class HoldReleased(Movement):
    """Reserved points are available again. `reason`: the till let go of them, time ran out, only a part was captured,
    or the customer was erased."""

    type: Literal["HoldReleased.v1"] = "HoldReleased.v1"
    redemption_id: Id
    lots: tuple[Lot, ...]
    expires_at: Moment
    reason: Literal["released", "lapsed", "captured_in_part", "erasure"]


class RedemptionRefused(Fact):
    """Nothing was reserved, or nothing captured. `points`: what was asked for, `None` where nobody knows.

    `reason`: more than is `available` in `totals`; points of more lots than one redemption may take; a purchase named a
    redemption that is not this customer's, or that has paid for another purchase.
    """

    type: Literal["RedemptionRefused.v1"] = "RedemptionRefused.v1"
    redemption_id: Id
    points: Points | None
    lots: tuple[Lot, ...] = ()
    expires_at: None = None
    reason: Literal["insufficient", "too_many_lots", "unknown", "already_captured"]
    store_id: Id | None
    purchase_id: Id | None
    totals: Totals


class PointsExpiring(Fact):
    """Available points expire in so many days, if they are not used. `last_day`: the last local day to use them."""

    type: Literal["PointsExpiring.v1"] = "PointsExpiring.v1"
    points: Points
    expires_at: Moment
    last_day: Day
    days: Literal[30, 7]


class AccrualRefused(Fact):
    """Points that were not credited, because the customer has as many lots as one may have."""

    type: Literal["AccrualRefused.v1"] = "AccrualRefused.v1"
    points: Points
    reason: Literal["lots"]
    why: Why


class Reason(Record):
    """What a locked benefit still needs: a field of the profile, a tier, or a complete profile (then without `id`)."""

    kind: Literal["field", "tier", "profile"]
    id: Id | None


class BenefitFact(Fact):
    """A benefit's new status. `reasons`: all that it still needs, empty unless it is locked.

    `period`: the year, where it comes again. `value_minor`: of a coupon. `valid_until`: the first instant at which a
    coupon is not valid any more. `points`: credited, of a benefit of points.
    """

    benefit: Id
    kind: Literal["points", "perk", "coupon"]
    reasons: tuple[Reason, ...] = ()
    period: Id | None = None
    value_minor: Minor | None = None
    valid_until: Moment | None = None
    points: Points | None = None


class BenefitUnlocked(BenefitFact):
    """It may be used now."""

    type: Literal["BenefitUnlocked.v1"] = "BenefitUnlocked.v1"


class BenefitLocked(BenefitFact):
    """It may not be used (any more); told first on enrolment, and whenever the reasons change."""

    type: Literal["BenefitLocked.v1"] = "BenefitLocked.v1"


class BenefitUsed(BenefitFact):
    """It was used at a till; or its points were credited, then without a till."""

    type: Literal["BenefitUsed.v1"] = "BenefitUsed.v1"
    store_id: Id | None = None
    purchase_id: Id | None = None


class BenefitRevoked(BenefitFact):
    """The programme does not offer it any more."""

    type: Literal["BenefitRevoked.v1"] = "BenefitRevoked.v1"


PointsFact = (
    PointsEarned
    | PointsActivated
    | PointsExpired
    | PointsAdjusted
    | OwedSettled
    | PointsReversed
    | PointsRestored
    | PointsHeld
    | PointsRedeemed
    | HoldReleased
    | RedemptionRefused
    | PointsExpiring
    | AccrualRefused
)
BenefitsFact = BenefitUnlocked | BenefitLocked | BenefitUsed | BenefitRevoked
LedgerFact = PointsFact | BenefitsFact
LEDGER: TypeAdapter[LedgerFact] = TypeAdapter(Annotated[LedgerFact, Field(discriminator="type")])
