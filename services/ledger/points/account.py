"""A customer's account of points, what is remembered beside it, and what must always hold of it."""

from typing import Literal

from msgspec import Struct
from msgspec.structs import asdict, astuple

from services.ledger.points.lots import Lot, day_number, day_of, micros, moment, total
from shared.contracts import ledger
from shared.contracts.ledger import Movement, Totals
from shared.contracts.records import made


class Accounts(Struct, frozen=True, gc=False, array_like=True):
    """Balances in points; they sum to zero. `programme` and `owed` are never above zero, the others never below."""

    programme: int = 0
    pending: int = 0
    available: int = 0
    held: int = 0
    redeemed: int = 0
    expired: int = 0
    owed: int = 0

    @property
    def totals(self) -> Totals:
        """As events say it."""
        return made(Totals, pending=self.pending, available=self.available, held=self.held, owed=-self.owed)


class Hold(Struct, frozen=True, gc=False, array_like=True):
    """Points that a till reserved, as pieces of lots in the order in which they were taken. It lapses at `expires_at`
    (microseconds since 1970)."""

    expires_at: int
    pieces: list[Lot]
    store_id: str | None
    purchase_id: str | None


class Points(Struct, frozen=True, gc=False, omit_defaults=True):
    """The part of a customer's state that is about points.

    `pending`, `lots`: that wait, and that are available, each with something remaining and in the order in which that
    ends. `holds`: open ones by redemption. `entries`: how many movements there were. `told`: up to which `expires_at`
    the customer was told that points expire, 30 and 7 days before.
    """

    accounts: Accounts = Accounts()
    pending: list[Lot] = []
    lots: list[Lot] = []
    holds: dict[str, Hold] = {}
    entries: int = 0
    told: tuple[int, int] = (0, 0)


class Bought(Struct, frozen=True, gc=False, array_like=True, tag="b"):
    """What is remembered of a purchase that counted `minor` (minor units of the programme's currency).

    `points`: what it is worth now, after its returns, at `per_minor` and `multiplier`. `expired`: what of that was not
    taken back because it had expired unspent. `paid`: how many points paid for it; `pieces`: those that still do.
    """

    points: int
    minor: int
    per_minor: int
    multiplier: str
    expired: int = 0
    paid: int = 0
    pieces: list[Lot] = []


class Redemption(Struct, frozen=True, gc=False, array_like=True, tag="h"):
    """What is remembered of a hold that is over. `purchase`: the key of the one that it paid for, if that named it."""

    ended: Literal["captured", "released", "lapsed"]
    expires_at: int
    pieces: list[Lot]
    purchase: str | None = None


class Expired(Struct, frozen=True, gc=False, array_like=True, tag="x"):
    """How many points of a purchase's lot have expired unspent."""

    points: int


Item = Bought | Redemption | Expired


def lot_of(told: ledger.Lot) -> Lot:
    """A lot as events tell it."""
    day = day_number(told.last_day)
    return Lot(told.lot_id, told.points, told.remaining, micros(told.available_at), micros(told.expires_at), day)


def shown(lot: Lot) -> ledger.Lot:
    """A lot as events tell it."""
    return made(
        ledger.Lot,
        lot_id=lot.id,
        points=lot.points,
        remaining=lot.remaining,
        available_at=moment(lot.available_at),
        expires_at=moment(lot.expires_at),
        last_day=day_of(lot.last_day),
    )


def posted(accounts: Accounts, fact: Movement) -> Accounts:
    """The balances after a movement: it sums to zero, no account is on its wrong side, and they are what it tells."""
    balances = asdict(accounts)
    for one in fact.postings:
        balances[one.account] += one.points
    after = Accounts(**balances)
    assert sum(astuple(after)) == 0, "a movement does not sum to zero"
    low = min(after.pending, after.available, after.held, after.redeemed, after.expired, -after.owed)
    assert low >= 0, "a movement takes more than there is"
    totals = (fact.totals.pending, fact.totals.available, fact.totals.held, -fact.totals.owed)
    assert totals == (after.pending, after.available, after.held, after.owed), "totals are not those after the movement"
    return after


def check(points: Points, before: Points) -> None:
    """What must hold whenever a message has taken effect; it did `before`. Lots that are the same still make up what
    they did then: thousands may be available while a purchase adds one to those that wait."""
    accounts, known = points.accounts, before.accounts
    pending = known.pending if points.pending is before.pending else total(points.pending)
    available = known.available if points.lots is before.lots else total(points.lots)
    assert sum(astuple(accounts)) == 0, "the accounts do not sum to zero"
    assert pending == accounts.pending, "pending lots and balance differ"
    assert available == accounts.available, "available lots and balance differ"
    assert sum([total(hold.pieces) for hold in points.holds.values()]) == accounts.held, "holds and balance differ"
    assert not (accounts.owed and accounts.available), "points are available while some are owed"
