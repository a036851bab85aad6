"""What the other services say, in short; and customers in the main states of the page."""

from typing import Any

from tests.portal.world import Customer

FIELDS = {
    "email": ["welcome_points", "birthday_gift"],
    "phone": ["till_reminder"],
    "birthday": ["birthday_gift"],
    "address": ["catalogue"],
}
OFF = {"known": False, "on": False}


def standing(turnover: int, tier: str = "bronze", following: str | None = "silver", **more: Any) -> dict[str, Any]:
    """A standing of 2026; thresholds of the default programme."""
    thresholds = {"bronze": 0, "silver": 50000, "gold": 200000}
    return {
        "year": 2026,
        "turnover_minor": turnover,
        "tier": tier,
        "valid_until": None if tier == "bronze" else "2027-12-31T23:00:00Z",
        "next_tier": following,
        "to_next_minor": None if following is None else max(0, thresholds[following] - turnover),
        "to_keep_minor": max(0, thresholds[tier] - turnover),
    } | more


def sale(number: str, minor: int, after: dict[str, Any], tier: str = "bronze", **more: Any) -> dict[str, Any]:
    """The own fields of a TurnoverRecorded."""
    return {
        "purchase_id": number,
        "store_id": "s-01",
        "redemption_id": None,
        "amount_minor": minor,
        "year": 2026,
        "late": False,
        "skus": ["85123A"],
        "tier": tier,
        "standing": after,
    } | more


def totals(available: int = 0, pending: int = 0, held: int = 0, owed: int = 0) -> dict[str, int]:
    """Totals of a movement."""
    return {"pending": pending, "available": available, "held": held, "owed": owed}


def lot(name: str, points: int, remaining: int, comes: str, last_day: str) -> dict[str, Any]:
    """A lot that comes on one day and goes after another."""
    return {
        "lot_id": name,
        "points": points,
        "remaining": remaining,
        "available_at": f"{comes}T10:00:00Z",
        "expires_at": f"{last_day}T23:00:00Z",
        "last_day": last_day,
    }


def earned(
    entry: str, points: int, after: dict[str, int], this: dict[str, Any], why: dict[str, Any], pending: bool = True
) -> dict[str, Any]:
    """The own fields of a PointsEarned."""
    return {
        "entry_id": entry,
        "points": points,
        "totals": after,
        "postings": [
            {"account": "programme", "points": -points},
            {"account": "pending" if pending else "available", "points": points},
        ],
        "lot": this,
        "why": why,
    }


def by_purchase(number: str, minor: int, tier: str = "bronze", multiplier: str = "1") -> dict[str, Any]:
    """Why a purchase earned its points."""
    return {
        "rule": "purchase",
        "per_minor": 100,
        "multiplier": multiplier,
        "tier": tier,
        "amount_minor": minor,
        "purchase_id": number,
        "store_id": "s-01",
    }


def completion(*filled: str) -> dict[str, Any]:
    """The own fields of a CompletionChanged, of the default programme."""
    missing = [{"field": field, "unlocks": unlocks} for field, unlocks in FIELDS.items() if field not in filled]
    percent = 100 * len(filled) // len(FIELDS)
    return {"percent": percent, "complete": not missing, "filled": list(filled), "missing": missing}


def preferences(locale: str = "en", **more: Any) -> dict[str, Any]:
    """The own fields of a PreferencesChanged."""
    return {
        "locale": locale,
        "time_zone": "Europe/Berlin",
        "channels": {"email": {"known": True, "on": True}, "sms": OFF, "push": OFF, "telegram": OFF},
        "reminders": False,
        "consents": {"programme": True, "marketing": False, "profiling": False},
    } | more


def locked(benefit: str, kind: str, *reasons: tuple[str, str | None]) -> dict[str, Any]:
    """The own fields of a BenefitLocked."""
    return {"benefit": benefit, "kind": kind, "reasons": [{"kind": one, "id": id_} for one, id_ in reasons]}


def unknown(customer_id: str = "c-1", locale: str = "en") -> Customer:
    """Nobody has told of them."""
    return Customer(customer_id)


def fresh(customer_id: str = "c-1", locale: str = "en") -> Customer:
    """Just enrolled: an e-mail address, and nothing bought."""
    customer = Customer(customer_id)
    customer.hears("profile", "CustomerEnrolled.v1", "2026-03-01", via="crm")
    customer.hears("profile", "PreferencesChanged.v1", "2026-03-01", **preferences(locale))
    customer.hears("profile", "CompletionChanged.v1", "2026-03-01", **completion("email"))
    for benefit, kind, reasons in [
        ("birthday_gift", "points", [("field", "birthday")]),
        ("till_reminder", "perk", [("field", "phone")]),
        ("catalogue", "perk", [("field", "address")]),
        ("free_delivery", "perk", [("tier", "silver"), ("profile", None)]),
        ("year_coupon", "coupon", [("tier", "silver"), ("profile", None)]),
        ("personal_shopper", "perk", [("tier", "gold"), ("profile", None)]),
    ]:
        customer.hears("ledger", "BenefitLocked.v1", "2026-03-01", **locked(benefit, kind, *reasons))
    return _welcomed(customer)


def _welcomed(customer: Customer) -> Customer:
    why = {"rule": "benefit", "benefit": "welcome_points"}
    this = lot("b:welcome_points", 100, 100, "2026-03-01", "2027-03-01")
    customer.hears("ledger", "BenefitUnlocked.v1", "2026-03-01", benefit="welcome_points", kind="points")
    customer.hears("ledger", "PointsEarned.v1", "2026-03-01", **earned("1", 100, totals(100), this, why, pending=False))
    return customer.hears("ledger", "BenefitUsed.v1", "2026-03-01", benefit="welcome_points", kind="points", points=100)


def busy(customer_id: str = "c-1", locale: str = "en") -> Customer:
    """Silver by purchases, profile half complete: turnover benefits wait."""
    customer = fresh(customer_id, locale)
    customer.hears("profile", "CompletionChanged.v1", "2026-03-02", **completion("email", "phone"))
    customer.hears("ledger", "BenefitUnlocked.v1", "2026-03-02", benefit="till_reminder", kind="perk")
    _bought(customer, "536365", 48000, standing(48000), "2026-03-10T09:30:00Z", 480, "bronze", (100, 480))
    _bought(
        customer,
        "536412",
        4995,
        standing(52995, "silver", "gold"),
        "2026-04-02T17:05:00Z",
        49,
        "bronze",
        (100, 529),
    )
    change = {"from": "bronze", "to": "silver", "direction": "up", "reason": "turnover"}
    after = standing(52995, "silver", "gold")
    customer.hears("turnover", "TierChanged.v1", "2026-04-02T17:05:00Z", **change, standing=after)
    customer.hears("ledger", "BenefitLocked.v1", "2026-04-02", **locked("free_delivery", "perk", ("profile", None)))
    customer.hears("ledger", "BenefitLocked.v1", "2026-04-02", **locked("year_coupon", "coupon", ("profile", None)))
    active = [lot("p:s-01/536365", 480, 480, "2026-03-24", "2027-03-24")]
    customer.hears(
        "ledger",
        "PointsActivated.v1",
        "2026-03-24",
        entry_id="4",
        points=480,
        totals=totals(580, 49),
        postings=[],
        lots=active,
    )
    back = {
        "return_id": "r-1",
        "store_id": "s-01",
        "purchase_id": "536412",
        "purchase_store_id": None,
    }
    less = standing(51995, "silver", "gold")
    customer.hears(
        "turnover",
        "TurnoverReduced.v1",
        "2026-04-05T11:00:00Z",
        **back,
        amount_minor=1000,
        purchase_remaining_minor=3995,
        year=2026,
        tier="silver",
        standing=less,
    )
    customer.hears(
        "ledger",
        "PointsReversed.v1",
        "2026-04-05T11:00:00Z",
        entry_id="5",
        points=10,
        totals=totals(580, 39),
        postings=[],
        lots=[lot("p:s-01/536412", 49, 39, "2026-04-16", "2027-04-16")],
        why=back | {"from": 49, "to": 39, "expired": 0},
    )
    _bought(
        customer,
        "536999",
        999,
        standing(52994, "silver", "gold"),
        "2026-05-08T08:12:00Z",
        12,
        "silver",
        (580, 51),
    )
    customer.hears(
        "ledger",
        "PointsRedeemed.v1",
        "2026-05-09T15:45:00Z",
        entry_id="7",
        points=300,
        totals=totals(280, 51),
        postings=[],
        redemption_id="03-1",
        expires_at="2026-05-09T16:00:00Z",
        reason="capture",
        store_id="s-02",
        purchase_id="537001",
        lots=[lot("b:welcome_points", 100, 0, "2026-03-01", "2027-03-01"), active[0] | {"remaining": 280}],
    )
    return customer


def _bought(
    customer: Customer,
    number: str,
    minor: int,
    after: dict[str, Any],
    when: str,
    points: int,
    tier: str,
    have: tuple[int, int],
) -> None:
    customer.hears("turnover", "TurnoverRecorded.v1", when, **sale(number, minor, after, tier))
    available, pending = have
    day, year = when[:10], int(when[:4])
    comes = {"2026-03-10": "2026-03-24", "2026-04-02": "2026-04-16", "2026-05-08": "2026-05-22"}[day]
    this = lot(f"p:s-01/{number}", points, points, comes, comes.replace(str(year), str(year + 1)))
    why = by_purchase(number, minor, tier, {"bronze": "1", "silver": "1.25"}[tier])
    customer.hears("ledger", "PointsEarned.v1", when, **earned(number, points, totals(available, pending), this, why))


def regular(customer_id: str = "c-1", locale: str = "en") -> Customer:
    """Buys often: more than one page of history."""
    customer = busy(customer_id, locale)
    for number in range(48):
        at, after = (
            f"2026-05-10T{number // 2:02d}:{number % 2 * 30:02d}:00Z",
            standing(53994 + number, "silver", "gold"),
        )
        customer.hears("turnover", "TurnoverRecorded.v1", at, **sale(f"{540000 + number}", 1000, after, "silver"))
    return customer


def complete(customer_id: str = "c-1", locale: str = "en") -> Customer:
    """Gold, everything filled in, a card, a coupon, reminders on."""
    customer = busy(customer_id, locale)
    customer.hears("profile", "CompletionChanged.v1", "2026-06-01", **completion(*FIELDS))
    customer.hears("profile", "PreferencesChanged.v1", "2026-06-01", **preferences(locale, reminders=True))
    customer.hears("profile", "CardIssued.v1", "2026-06-01", card_id="03-6f1c9e0d5ab84b3e9d0c")
    top = standing(212350, "gold", None)
    customer.hears("turnover", "TurnoverRecorded.v1", "2026-06-02", **sale("539001", 159356, top, "silver"))
    change = {"from": "silver", "to": "gold", "direction": "up", "reason": "turnover"}
    customer.hears("turnover", "TierChanged.v1", "2026-06-02", **change, standing=top)
    for benefit in ("free_delivery", "personal_shopper", "catalogue"):
        customer.hears("ledger", "BenefitUnlocked.v1", "2026-06-02", benefit=benefit, kind="perk")
    customer.hears("ledger", "BenefitUnlocked.v1", "2026-06-02", benefit="birthday_gift", kind="points")
    return customer.hears(
        "ledger",
        "BenefitUnlocked.v1",
        "2026-06-02",
        benefit="year_coupon",
        kind="coupon",
        period="2026",
        value_minor=2400,
        valid_until="2026-07-31T22:00:00Z",
    )
