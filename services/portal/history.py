"""Lines of a history in words: what happened, and how the points came about."""

from collections.abc import Iterable, Sequence
from itertools import groupby

from msgspec import Struct

from services.portal import model
from services.portal.texts import Say
from services.portal.views import Line
from shared.contracts import ledger, turnover


class Part(Struct, frozen=True):
    """What one fact adds to an item of the history."""

    kind: model.Kind
    title: str
    store_id: str | None = None
    reference: str | None = None
    amount_minor: int | None = None
    points: int | None = None
    explanation: str | None = None


def items(lines: Iterable[Line], say: Say) -> list[model.Item]:
    """Lines as items, in their order; neighbours of one group and time are one item."""
    found: list[model.Item] = []
    for _, some in groupby(lines, lambda line: (line.at, line.group)):
        group = list(some)
        found.append(_item(group, [_part(line, say) for line in reversed(group)]))
    return found


def _item(lines: Sequence[Line], parts: Sequence[Part]) -> model.Item:
    """One item of the parts of its lines, which come oldest first."""
    # The purchase or return itself gives the item its name, whatever else belongs to it.
    named = next((part for part in parts if part.amount_minor is not None), parts[0])
    points = [part.points for part in parts if part.points is not None]
    return model.Item(
        at=lines[0].at,
        kind=named.kind,
        title=named.title,
        store_id=next((part.store_id for part in parts if part.store_id), None),
        reference=next((part.reference for part in parts if part.reference), None),
        amount_minor=next((part.amount_minor for part in parts if part.amount_minor is not None), None),
        points=sum(points) if points else None,
        explanations=[part.explanation for part in parts if part.explanation],
    )


def _part(line: Line, say: Say) -> Part:  # one case per fact
    fact = line.fact
    match fact:
        case turnover.TurnoverRecorded():
            return Part("purchase", say.text("Purchase"), fact.store_id, fact.purchase_id, fact.amount_minor)
        case turnover.TurnoverReduced():
            return Part("return", say.text("Return"), fact.store_id, fact.return_id, -fact.amount_minor)
        case turnover.ReturnRefused():
            return _refused(fact, say)
        case turnover.TierChanged():
            return Part(
                "tier", say.text("Your status is now %(tier)s", tier=say.tier(fact.to)), explanation=_why(fact, say)
            )
        case ledger.PointsEarned():
            return _earned(fact, say)
        case ledger.PointsReversed() | ledger.PointsRestored():
            return _returned(fact, say)
        case ledger.PointsRedeemed():
            return Part(
                "redemption", say.text("Paid with points"), fact.store_id, fact.purchase_id, points=-fact.points
            )
        case ledger.PointsExpired():
            return Part("expiry", say.text("Points expired"), points=-fact.points)
        case ledger.PointsAdjusted():
            reason = say.text("Reason: %(reason)s", reason=fact.reason)
            return Part("adjustment", say.text("Corrected by our team"), points=fact.points, explanation=reason)
        case ledger.OwedSettled():
            text = say.text("Points that you owed for a return were settled from what became available.")
            return Part("settlement", say.text("Owed points settled"), points=-fact.points, explanation=text)
        case ledger.BenefitUnlocked() | ledger.BenefitUsed():
            return _benefit(fact, say)
        case _:
            raise ValueError(f"{fact.type} is no line of a history")


def _earned(fact: ledger.PointsEarned, say: Say) -> Part:
    """Points and why so many: of a purchase, or of a benefit."""
    why, points = fact.why, say.points(fact.points)
    if why.benefit is not None:
        terms = say.benefit(why.benefit)
        label = say.label(terms.label if terms else None, why.benefit)
        text = say.text("%(points)s: %(benefit)s", points=points, benefit=label)
        return Part("benefit", label, points=fact.points, explanation=text)
    text = say.text(
        "%(points)s: 1 per %(per)s on %(amount)s, × %(multiplier)s as %(tier)s",
        points=points,
        per=say.price(why.per_minor or 0),
        amount=say.money(why.amount_minor or 0),
        multiplier=say.number(why.multiplier or "1"),
        tier=say.tier(why.tier or ""),
    )
    return Part(
        "purchase", say.text("Points earned"), why.store_id, why.purchase_id, points=fact.points, explanation=text
    )


def _returned(fact: ledger.PointsReversed | ledger.PointsRestored, say: Say) -> Part:
    """Points that a return took back, or gave back."""
    why, points = fact.why, say.points(fact.points)
    back = isinstance(fact, ledger.PointsRestored)
    title = say.text("Points given back") if back else say.text("Points taken back")
    if back:
        text = say.text("%(points)s given back: they had paid for what was returned", points=points)
    elif why.from_ is None or why.to is None:
        text = say.text("%(points)s taken back: as much as this amount earns without a receipt", points=points)
    else:
        text = say.text(
            "%(points)s taken back: what is left of the purchase earns %(to)s instead of %(before)s",
            points=points,
            to=say.number(why.to),
            before=say.number(why.from_),
        )
    return Part(
        "return", title, why.store_id, why.return_id, points=fact.points if back else -fact.points, explanation=text
    )


def _refused(fact: turnover.ReturnRefused, say: Say) -> Part:
    reason = {
        "exceeds": say.text(
            "More than was left of the purchase: %(amount)s does not count", amount=say.money(fact.excess_minor)
        ),
        "window": say.text(
            "Too late after the purchase: %(amount)s does not count", amount=say.money(fact.excess_minor)
        ),
        "fx_rate": say.text("The return came in another currency, without an exchange rate"),
    }[fact.reason]
    return Part("return", say.text("Return not counted"), fact.store_id, fact.return_id, explanation=reason)


def _why(fact: turnover.TierChanged, say: Say) -> str:
    return {
        "turnover": say.text("Through your purchases"),
        "return": say.text("Because of a return"),
        "year_end": say.text("With the turn of the year"),
        "programme": say.text("Under new terms of the programme"),
    }[fact.reason]


def _benefit(fact: ledger.BenefitUnlocked | ledger.BenefitUsed, say: Say) -> Part:
    terms = say.benefit(fact.benefit)
    label = say.label(terms.label if terms else None, fact.benefit)
    if isinstance(fact, ledger.BenefitUsed) and fact.kind != "points":
        return Part("benefit", say.text("Used: %(benefit)s", benefit=label), fact.store_id, fact.purchase_id)
    value = None if fact.value_minor is None else say.text("Worth %(amount)s", amount=say.money(fact.value_minor))
    return Part("benefit", say.text("Unlocked: %(benefit)s", benefit=label), explanation=value)
