"""From an account and the programme to what the page says."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import date, datetime
from typing import Final

from services.portal import account as held
from services.portal import model
from services.portal.account import Account
from services.portal.texts import Say
from shared.contracts.programme import Benefit as Terms
from shared.contracts.programme import Coupon, PointsBenefit
from shared.rulebook.programme import Programme

LAST_MONTHS: Final = held.MONTHS


def my_bonus(
    customer_id: str, account: Account, programme: Programme, now: datetime, say: Say, history: model.History
) -> model.MyBonus:
    """All of it, at the customer's `now`, in the language of `say`, under the version that `say` knows."""
    turnover = _turnover(account, programme, now, say)
    benefits = _benefits(account, turnover, say)
    return model.MyBonus(
        customer_id=customer_id,
        version=account.version,
        language=say.language,
        currency=programme.currency,
        known=account.known,
        turnover=turnover,
        points=_points(account, say),
        completion=_completion(account, benefits, say),
        benefits=benefits,
        months=_months(account, programme, now),
        reminders=account.preferences.reminders if account.preferences else None,
        consents=account.preferences.consents if account.preferences else {},
        card=account.cards[-1] if account.cards else None,
        history=history,
    )


def _tier(tier: str, say: Say) -> model.Tier:
    tiers = say.version.tiers
    return model.Tier(id=tier, label=say.tier(tier), rank=tiers.index(tier) if tier in tiers else 0)


def _turnover(account: Account, programme: Programme, now: datetime, say: Say) -> model.Turnover:
    standing = account.standing
    if standing is None:  # nobody has bought anything yet
        first, *others = say.version.terms.tiers
        standing = held.Standing(
            year=programme.calendar.year(now),
            turnover_minor=0,
            tier=first.id,
            valid_until=None,
            next_tier=others[0].id if others else None,
            to_next_minor=others[0].from_minor if others else None,
            to_keep_minor=0,
        )
    return model.Turnover(
        year=standing.year,
        turnover_minor=standing.turnover_minor,
        tier=_tier(standing.tier, say),
        last_day=say.last_day(standing.valid_until) if standing.valid_until else None,
        next_tier=_tier(standing.next_tier, say) if standing.next_tier else None,
        to_next_minor=standing.to_next_minor,
        to_keep_minor=standing.to_keep_minor,
    )


def _points(account: Account, say: Say) -> model.Points:
    coming: dict[date, list[held.Lot]] = defaultdict(list)
    going: dict[date, int] = defaultdict(int)
    for lot in account.lots.values():
        if lot.pending:
            coming[say.local_day(lot.available_at)].append(lot)
        else:
            going[lot.last_day] += lot.remaining
    return model.Points(
        **{name: getattr(account.totals, name) for name in ("available", "pending", "held", "owed")},
        worth_minor=account.totals.available * say.version.terms.points.value_minor,
        coming=[
            model.Coming(
                points=sum(lot.remaining for lot in lots), day=day, available_at=max(lot.available_at for lot in lots)
            )
            for day, lots in sorted(coming.items())
        ],
        going=[model.Going(points=points, last_day=day) for day, points in sorted(going.items())],
    )


def worth(benefit: str, say: Say, value_minor: int | None = None) -> model.Worth | None:
    """What a benefit is worth; `value_minor`: of a coupon that is out. `None`: no version knows it."""
    terms = say.benefit(benefit)
    if terms is None:
        return None
    points = terms.points if isinstance(terms, PointsBenefit) else None
    percent = None
    if points is not None:
        value_minor = points * say.version.terms.points.value_minor or None
    if isinstance(terms, Coupon) and value_minor is None:
        value_minor, percent = terms.value_minor, terms.percent_of_turnover
    return model.Worth(
        benefit=benefit,
        label=say.label(terms.label, benefit),
        kind=terms.kind,
        every=terms.every,
        points=points,
        value_minor=value_minor,
        percent_of_turnover=percent,
    )


def _completion(account: Account, benefits: Sequence[model.Benefit], say: Say) -> model.Completion | None:
    found = account.completion
    if found is None:
        return None
    waiting = [
        benefit
        for benefit in benefits
        if benefit.status == "locked" and [reason.kind for reason in benefit.reasons] == ["profile"]
    ]
    return model.Completion(
        percent=found.percent,
        complete=found.complete,
        missing=[_field(one, say) for one in found.missing],
        filled=[model.Filled(field=field, label=_label(field, say)) for field in found.filled],
        waiting=[model.Worth.model_validate(dict(one)) for one in waiting],
    )


def _field(missing: held.Missing, say: Say) -> model.Field:
    terms = say.field(missing.field)
    worths = [worth(benefit, say) for benefit in missing.unlocks]
    return model.Field(
        field=missing.field,
        label=_label(missing.field, say),
        kind=terms.kind if terms else "text",
        unlocks=[one for one in worths if one is not None],
    )


def _label(field: str, say: Say) -> str:
    terms = say.field(field)
    return say.label(terms.label if terms else None, field)


def _benefits(account: Account, turnover: model.Turnover, say: Say) -> list[model.Benefit]:
    """Those of the programme, in its order. Of what the ledger has not spoken yet, the programme's terms tell."""
    found: list[model.Benefit] = []
    for terms in say.version.terms.benefits:
        told = account.benefits.get(terms.id)
        if told is not None and told.status == "revoked":
            continue
        reasons = _still(told.reasons if told else _required(terms), account, turnover, say)
        status = told.status if told else "locked"
        if told is not None and status == "locked" and not reasons:
            status = "unlocking"
        shown = worth(terms.id, say, told.value_minor if told else None)
        assert shown is not None
        found.append(
            model.Benefit.model_validate(
                dict(shown)
                | {
                    "status": status,
                    "since": told.since if told else None,
                    "reasons": [_reason(reason, turnover, say) for reason in reasons],
                    "period": told.period if told else None,
                    "last_day": say.last_day(told.valid_until) if told and told.valid_until else None,
                }
            )
        )
    return found


def _required(terms: Terms) -> tuple[held.Reason, ...]:
    fields = tuple(held.Reason("field", field) for field in terms.requires.fields)
    tier = terms.requires.tier
    return fields if tier is None else (*fields, held.Reason("tier", tier), held.Reason("profile"))


def _still(reasons: tuple[held.Reason, ...], account: Account, turnover: model.Turnover, say: Say) -> list[held.Reason]:
    """The reasons that still hold: what the profile and turnover have said since may have met some."""
    done = account.completion
    met = {held.Reason("tier", tier) for tier in say.version.tiers[: turnover.tier.rank + 1]}
    if done is not None:
        met |= {held.Reason("field", field) for field in done.filled}
        met |= {held.Reason("profile")} if done.complete else set()
    return [reason for reason in reasons if reason not in met]


def _reason(reason: held.Reason, turnover: model.Turnover, say: Say) -> model.Reason:
    label, to_go = None, None
    if reason.kind == "tier" and reason.id is not None:
        label = say.tier(reason.id)
        thresholds = dict(zip(say.version.tiers, say.version.thresholds, strict=True))
        if reason.id in thresholds:
            to_go = max(0, thresholds[reason.id] - turnover.turnover_minor)
    elif reason.kind == "field" and reason.id is not None:
        label = _label(reason.id, say)
    return model.Reason.model_validate({"kind": reason.kind, "id": reason.id, "label": label, "to_go_minor": to_go})


def _months(account: Account, programme: Programme, now: datetime) -> list[model.Month]:
    """The months up to that of `now`, oldest first, the empty ones too; none when there is nothing in them."""
    if not account.months:
        return []
    today = programme.calendar.day(now)
    last = max(today.year * 12 + today.month - 1, *(_index(month) for month in account.months))
    names = [f"{index // 12:04d}-{index % 12 + 1:02d}" for index in range(last - LAST_MONTHS + 1, last + 1)]
    return [
        model.Month(
            month=name,
            turnover_minor=account.months[name].turnover_minor if name in account.months else 0,
            points=account.months[name].points if name in account.months else 0,
        )
        for name in names
    ]


def _index(month: str) -> int:
    year, number = month.split("-")
    return int(year) * 12 + int(number) - 1
