"""An independent calculation of a customer's points: slow, forgets nothing, shares no code with the service.

Lots are never dropped, so what became of each point can be looked up. Amounts and tiers are taken from turnover.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

UTC = ZoneInfo("UTC")


@dataclass
class Lot:
    """`free`: pending or available. `unspent`: what expired without ever having been spent."""

    id: str
    free: int
    available_at: datetime
    expires_at: datetime
    waits: bool
    unspent: int = 0


@dataclass
class Sale:
    """A purchase: what it is worth now, and which points paid for it, as (lot, points)."""

    minor: int
    per_minor: int
    multiplier: Fraction
    worth: int
    excused: int = 0
    paid: list[tuple[Lot, int]] = field(default_factory=list)
    price: int = 0


@dataclass
class Redemption:
    """`state`: held, lapsed, released or captured. `pieces`: as (lot, points)."""

    pieces: list[tuple[Lot, int]]
    until: datetime
    state: str = "held"
    used: bool = False


class Oracle:
    """`documents`: the versions of the programme, oldest first. Call `settle(now)` before each message."""

    def __init__(self, documents: list[dict[str, Any]]) -> None:
        self.documents = documents
        self.zone = ZoneInfo(documents[0]["time_zone"])
        self.lots: list[Lot] = []
        self.sales: dict[str, Sale] = {}
        self.redemptions: dict[str, Redemption] = {}
        self.owed = self.redeemed = self.expired = self.given = 0
        self.now: datetime | None = None

    # What the customer has.

    @property
    def pending(self) -> int:
        return sum(lot.free for lot in self.lots if lot.waits)

    @property
    def available(self) -> int:
        return sum(lot.free for lot in self.lots if not lot.waits)

    @property
    def held(self) -> int:
        return sum(points for one in self.redemptions.values() if one.state == "held" for _, points in one.pieces)

    # Time.

    def settle(self, now: datetime) -> None:
        """What falls due up to now."""
        self.now = now
        while instants := [at for at in self._instants() if at <= now]:
            self._at(min(instants))
        self._settle_owed()

    def _instants(self) -> list[datetime]:
        return (
            [lot.available_at for lot in self.lots if lot.waits and lot.free]
            + [lot.expires_at for lot in self.lots if not lot.waits and lot.free]
            + [one.until for one in self.redemptions.values() if one.state == "held"]
        )

    def _at(self, instant: datetime) -> None:
        for lot in self.lots:
            if lot.waits and lot.available_at <= instant:
                lot.waits = False
        for one in self.redemptions.values():
            if one.state == "held" and one.until <= instant:
                self._release(one, "lapsed")
        for lot in self.lots:
            if not lot.waits and lot.expires_at <= instant:
                self.expired += lot.free
                lot.unspent += lot.free
                lot.free = 0
        self._settle_owed()

    def _settle_owed(self) -> None:
        self.owed -= sum(points for _, points in self._spend(min(self.owed, self.available)))

    # Messages.

    def sold(self, key: str, at: datetime, minor: int, tier: str, number: int, redemption: str | None) -> None:
        """A purchase that turnover counted."""
        terms = self._terms(number)
        multiplier = Fraction(next(one["earn_multiplier"] for one in terms["tiers"] if one["id"] == tier))
        points = Fraction(minor, terms["points"]["per_minor"]) * multiplier // 1
        sale = self.sales[key] = Sale(minor, terms["points"]["per_minor"], multiplier, int(points))
        one = self.redemptions.get(redemption or "")
        if one is not None and not one.used:
            if one.state != "captured":
                self._capture_for(one, at, terms)
            one.used = True
            sale.paid = list(one.pieces)
            sale.price = sum(points for _, points in one.pieces)
        if points:
            available = self._plus(at, days=int(terms["points"]["pending"][1:-1]))
            self.lots.append(Lot(key, int(points), available, self._end(available, terms), waits=available > at))
            self.given += int(points)

    def _capture_for(self, one: Redemption, at: datetime, terms: dict[str, Any]) -> None:
        wanted = sum(points for _, points in one.pieces)
        if one.state == "held":
            self.redeemed += wanted
        else:
            own = {lot.id for lot, _ in one.pieces}
            pieces = self._spend(wanted, first=own)
            short = wanted - sum(points for _, points in pieces)
            self.redeemed += wanted
            if short:
                self.owed += short
                lent = Lot("lent", 0, at, self._end(at, terms), waits=False)
                self.lots.append(lent)
                pieces.append((lent, short))
            one.pieces = pieces
        one.state = "captured"

    def returned(self, key: str, left: int) -> None:
        """A return of which turnover counted that so much is left of the purchase."""
        sale = self.sales[key]
        worth = min(sale.worth, int(Fraction(left, sale.per_minor) * sale.multiplier // 1))
        difference, sale.worth = sale.worth - worth, worth
        for lot in self.lots:
            if lot.id == key:
                difference -= self._reverse(lot, difference)
                excused = min(difference, lot.unspent - sale.excused)
                sale.excused += excused
                difference -= excused
        self._reverse_all(difference, but=key)
        stays = sale.price * left // sale.minor if sale.minor else sale.price
        back = sum(points for _, points in sale.paid) - stays
        while back > 0:
            lot, points = sale.paid.pop()
            part = min(points, back)
            if part < points:
                sale.paid.append((lot, points - part))
            back -= part
            self.redeemed -= part
            assert self.now is not None
            if lot.expires_at <= self.now:
                self.expired += part
            else:
                lot.free += part

    def returned_unnamed(self, minor: int, number: int) -> None:
        """A return without a purchase."""
        terms = self._terms(number)
        points = Fraction(minor, terms["points"]["per_minor"]) * Fraction(terms["tiers"][0]["earn_multiplier"]) // 1
        self._reverse_all(int(points), but=None)

    def _reverse(self, lot: Lot, points: int) -> int:
        taken = min(lot.free, points)
        lot.free -= taken
        self.given -= taken
        return taken

    def _reverse_all(self, points: int, but: str | None) -> None:
        for lot in sorted(self.lots, key=_order, reverse=True):
            if lot.id != but:
                points -= self._reverse(lot, points)
        self.owed += points
        self.given -= points

    def hold(self, name: str, points: int, hours: Fraction) -> bool:
        """Whether the points could be held."""
        if points > self.available or name in self.redemptions:
            return False
        assert self.now is not None
        self.redemptions[name] = Redemption(self._spend(points), self.now + timedelta(hours=1) * float(hours))
        return True

    def capture(self, name: str, points: int | None) -> bool:
        """Whether anything was captured."""
        one = self.redemptions.get(name)
        if one is None or one.state != "held":
            return False
        size = sum(part for _, part in one.pieces)
        if points is not None and points > size:
            return False
        rest = size - (size if points is None else points)
        while rest > 0:
            lot, part = one.pieces.pop()
            back = min(part, rest)
            if back < part:
                one.pieces.append((lot, part - back))
            lot.free += back
            rest -= back
        self.redeemed += sum(part for _, part in one.pieces)
        one.state = "captured"
        return True

    def release(self, name: str) -> None:
        """A till lets go."""
        one = self.redemptions.get(name)
        if one is not None and one.state == "held":
            self._release(one, "released")

    def _release(self, one: Redemption, state: str) -> None:
        for lot, points in one.pieces:
            lot.free += points
        one.state = state

    def adjust(self, points: int, number: int, name: str) -> bool:
        """Whether staff could do it."""
        if points < 0:
            if -points > self.available:
                return False
            self._spend(-points)
        else:
            assert self.now is not None
            self.lots.append(Lot(name, points, self.now, self._end(self.now, self._terms(number)), waits=False))
        self.given += points
        return True

    def erase(self) -> None:
        """The customer is erased."""
        for one in self.redemptions.values():
            if one.state == "held":
                self._release(one, "released")
        for lot in self.lots:
            self.expired += lot.free
            lot.free = 0
        self.given += self.owed
        self.owed = 0

    # How.

    def _spend(self, points: int, first: set[str] | None = None) -> list[tuple[Lot, int]]:
        pieces: list[tuple[Lot, int]] = []
        usable = [lot for lot in self.lots if not lot.waits and lot.free]
        for lot in sorted(usable, key=lambda lot: (lot.id not in (first or ()), *_order(lot))):
            taken = min(lot.free, points)
            if taken:
                lot.free -= taken
                points -= taken
                pieces.append((lot, taken))
        return pieces

    def _terms(self, number: int) -> dict[str, Any]:
        return next(one for one in self.documents if one["version"] == number)

    def _plus(self, at: datetime, *, days: int) -> datetime:
        return (at.astimezone(self.zone).replace(fold=0) + timedelta(days=days)).replace(fold=0).astimezone(UTC)

    def _end(self, at: datetime, terms: dict[str, Any]) -> datetime:
        """The first instant of the day after the expiry, which is given in days."""
        last = self._plus(at, days=int(terms["points"]["expiry"][1:-1])).astimezone(self.zone).date()
        return datetime.combine(last + timedelta(days=1), datetime.min.time(), self.zone).astimezone(UTC)


def _order(lot: Lot) -> tuple[datetime, datetime, str]:
    return lot.expires_at, lot.available_at, lot.id
