"""What a customer sees of themselves: an account, and how each fact of the other services changes it."""

from collections.abc import Iterable
from datetime import date, datetime
from typing import Final, TypeVar

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from shared.contracts import ledger, profile, turnover
from shared.contracts.notifier import NotifierFact
from shared.contracts.records import Record
from shared.rulebook.memory import Memory

MONTHS: Final = 13  # that are kept: those of a chart in which each month meets itself a year before

AnyFact = profile.ProfileFact | turnover.TurnoverFact | ledger.LedgerFact | NotifierFact
S = TypeVar("S", bound=Struct)


class Standing(Struct, frozen=True, gc=False):
    """As `shared.contracts.turnover.Standing`, in minor units of the programme's currency."""

    year: int
    turnover_minor: int
    tier: str
    valid_until: datetime | None
    next_tier: str | None
    to_next_minor: int | None
    to_keep_minor: int


class Totals(Struct, frozen=True, gc=False):
    """Points, as the ledger counts them."""

    pending: int = 0
    available: int = 0
    held: int = 0
    owed: int = 0


class Lot(Struct, frozen=True, gc=False, array_like=True):
    """Points that come and go together. `pending`: they come at `available_at`. `last_day`: the last to use them."""

    remaining: int
    available_at: datetime
    last_day: date
    pending: bool


class Missing(Struct, frozen=True, gc=False):
    """A field that is not filled, and the benefits that require it."""

    field: str
    unlocks: tuple[str, ...]


class Completion(Struct, frozen=True, gc=False):
    """How complete the profile is. `filled`, `missing`: fields of the programme."""

    percent: int
    complete: bool
    filled: tuple[str, ...]
    missing: tuple[Missing, ...]


class Reason(Struct, frozen=True, gc=False, array_like=True):
    """Why a benefit is locked: `kind` is `field`, `tier`, or `profile` (then without `id`)."""

    kind: str
    id: str | None = None


class Benefit(Struct, frozen=True, gc=False):
    """A benefit as it stands. `status`: `locked`, `available`, `used` or `revoked`; `since`: when that came about."""

    kind: str
    status: str
    since: datetime
    reasons: tuple[Reason, ...] = ()
    period: str | None = None
    value_minor: int | None = None
    valid_until: datetime | None = None


class Preferences(Struct, frozen=True, gc=False):
    """How the customer wants to be spoken to, and what they consent to."""

    locale: str
    time_zone: str
    reminders: bool
    consents: dict[str, bool]


class Month(Struct, frozen=True, gc=False, array_like=True):
    """A calendar month: turnover in minor units, returns taken off, and points earned, those of returns taken off."""

    turnover_minor: int = 0
    points: int = 0


class Account(Struct, frozen=True, gc=False, omit_defaults=True):
    """All that the page shows, but for the history.

    `version` counts the facts in it; `seen`: the newest version of each service's. `clock`: the newest business time.
    `known`: the CRM has enrolled them. `erased`: they asked to be forgotten, and nothing is shown any more. `lots`: by
    id, those with points left. `benefits`, `months` (`2010-12`): by id. `cards`: those that are valid, oldest first.
    `memory` stays empty: nothing that the portal hears can be repeated or named later.
    """

    version: int = 0
    seen: dict[str, int] = {}
    clock: datetime | None = None
    known: bool = False
    erased: bool = False
    preferences: Preferences | None = None
    completion: Completion | None = None
    standing: Standing | None = None
    totals: Totals = Totals()
    lots: dict[str, Lot] = {}
    benefits: dict[str, Benefit] = {}
    months: dict[str, Month] = {}
    cards: tuple[str, ...] = ()
    memory: Memory = Memory()


def changed(account: Account, fact: AnyFact, at: datetime, month: str) -> Account:
    """The account after a fact of business time `at`, which lies in that calendar month of the programme's zone."""
    match fact:
        case profile.CustomerEnrolled():
            return replace(account, known=True)
        case profile.PreferencesChanged():
            return replace(account, preferences=_preferences(fact))
        case profile.CompletionChanged():
            return replace(account, completion=_like(fact, Completion))
        case profile.CardIssued(card_id=card):
            return replace(account, cards=(*_without(account.cards, card), card))
        case profile.CardRevoked(card_id=card):
            return replace(account, cards=_without(account.cards, card))
        case profile.ErasureAccepted() | profile.CustomerErased():
            # The figures stay with turnover and ledger; here nobody is left to see them.
            return Account(version=account.version, seen=account.seen, clock=account.clock, known=True, erased=True)
        case turnover.TurnoverRecorded():
            return _stands(_in_month(account, month, fact.amount_minor, 0), fact.standing)
        case turnover.TurnoverReduced():
            return _stands(_in_month(account, month, -fact.amount_minor, 0), fact.standing)
        case turnover.TierChanged() | turnover.YearTurned():
            return _stands(account, fact.standing)
        case ledger.PointsEarned():
            account = _in_month(account, month, 0, fact.points)
            return _moved(account, fact.totals, [fact.lot], pending=_posted(fact, "pending"))
        case ledger.PointsActivated():
            return _moved(account, fact.totals, fact.lots, pending=False)
        case ledger.PointsReversed():
            return _moved(_in_month(account, month, 0, -fact.points), fact.totals, fact.lots)
        case (
            ledger.PointsExpired()
            | ledger.PointsAdjusted()
            | ledger.OwedSettled()
            | ledger.PointsRestored()
            | ledger.PointsHeld()
            | ledger.PointsRedeemed()
            | ledger.HoldReleased()
        ):
            return _moved(account, fact.totals, fact.lots)
        case ledger.RedemptionRefused():
            return replace(account, totals=_like(fact.totals, Totals))
        case ledger.BenefitLocked():
            return _benefit(account, fact, "locked", at)
        case ledger.BenefitUnlocked():
            return _benefit(account, fact, "available", at)
        case ledger.BenefitUsed():
            # A perk that comes again in no period may be used again at once.
            again = fact.kind == "perk" and fact.period is None
            return _benefit(account, fact, "available" if again else "used", at)
        case ledger.BenefitRevoked():
            return _benefit(account, fact, "revoked", at)
        case _:  # a message, a change of values, a refusal: nothing that the account shows
            return account


def _like(model: Record, kind: type[S]) -> S:
    """The same fields as a struct, which a log of states writes and reads in a fraction of the time."""
    return msgspec.convert(model.model_dump(), kind)


def _without(cards: tuple[str, ...], card: str) -> tuple[str, ...]:
    return tuple(one for one in cards if one != card)


def _preferences(fact: profile.PreferencesChanged) -> Preferences:
    return Preferences(
        locale=fact.locale,
        time_zone=fact.time_zone,
        reminders=fact.reminders,
        consents=fact.consents.model_dump(),
    )


def _stands(account: Account, standing: turnover.Standing) -> Account:
    return replace(account, standing=_like(standing, Standing))


def _in_month(account: Account, month: str, turnover_minor: int, points: int) -> Account:
    before = account.months.get(month, Month())
    months = account.months | {month: Month(before.turnover_minor + turnover_minor, before.points + points)}
    return replace(account, months={name: months[name] for name in sorted(months)[-MONTHS:]})


def _posted(fact: ledger.Movement, where: ledger.Account) -> bool:
    return any(posting.account == where and posting.points > 0 for posting in fact.postings)


def _moved(
    account: Account, totals: ledger.Totals, changed: Iterable[ledger.Lot], *, pending: bool | None = None
) -> Account:
    """Totals and lots as they are after a movement. `pending`: of these lots from now on; `None`: as before."""
    lots = dict(account.lots)
    for lot in changed:
        before = lots.pop(lot.lot_id, None)
        if lot.remaining:
            waits = pending if pending is not None else before is not None and before.pending
            lots[lot.lot_id] = Lot(lot.remaining, lot.available_at, lot.last_day, waits)
    return replace(account, totals=_like(totals, Totals), lots=lots)


def _benefit(account: Account, fact: ledger.BenefitFact, status: str, at: datetime) -> Account:
    benefit = Benefit(
        kind=fact.kind,
        status=status,
        since=at,
        reasons=tuple(Reason(reason.kind, reason.id) for reason in fact.reasons),
        period=fact.period,
        value_minor=fact.value_minor,
        valid_until=fact.valid_until,
    )
    return replace(account, benefits=account.benefits | {fact.benefit: benefit})
