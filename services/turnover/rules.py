"""How purchases and returns become turnover and tiers: what a message leads to, without I/O and without a clock."""

from datetime import datetime
from typing import Final, Literal

from msgspec import Struct
from msgspec.structs import replace

from services.turnover import purchases, tiers
from services.turnover.purchases import Awaited, Bought, Item, Purchase, Return, Returned, Taken, moment
from services.turnover.settling import due_at, settle, tier_changed
from services.turnover.state import FACTS, ErasureNoted, Memo, ReturnWaits, State, evolve
from services.turnover.tiers import Place, Sums
from shared.contracts.clock import Tick
from shared.contracts.pos import PurchaseCompleted, PurchaseReturned
from shared.contracts.records import Cause, made
from shared.contracts.turnover import ReturnRefused, TurnoverRecorded, TurnoverReduced
from shared.rulebook.entry import Entry
from shared.rulebook.programme import Programme, Version
from shared.rulebook.refused import Refused
from shared.runtime.rules import Heard

__all__ = ["FACTS", "Item", "Memo", "Message", "State", "decide", "due_at", "evolve", "initial", "keys", "now"]

Message = PurchaseCompleted | PurchaseReturned | Tick | Heard
# Returns that wait for one purchase which nobody has seen: each entry of the log repeats those before it.
MOST_WAITING: Final = 100


def initial(_customer_id: str) -> State:
    """A customer of whom nothing is known."""
    return State()


def keys(message: Message) -> tuple[str, ...]:
    """What deciding this message may look up in the memory; the record's own key comes first."""
    match message:
        case PurchaseCompleted():
            return (purchases.purchase_key(message.store_id, message.purchase_id),)
        case PurchaseReturned(purchase_id=None):
            return (purchases.return_key(message.store_id, message.return_id),)
        case PurchaseReturned(purchase_id=str(named)):
            key = purchases.purchase_key(message.purchase_store_id or message.store_id, named)
            return (purchases.return_key(message.store_id, message.return_id), key)
        case _:
            return ()


def now(state: State, message: Message, tick: datetime | None) -> datetime:
    """The customer's now with this message: the newest of the last tick and all purchases and returns; never back."""
    match message:
        case Tick():
            at = message.now
        case Heard():
            at = message.envelope.occurred_at
        case _:
            at = message.occurred_at
    if tick is not None and tick > at:
        at = tick
    return state.clock if state.clock is not None and state.clock > at else at


def decide(state: State, message: Message, programme: Programme, now: datetime) -> list[Entry]:
    """What a message leads to: nothing when it came before; raises `Refused` for a bad record."""
    match message:
        case PurchaseCompleted():
            key = purchases.purchase_key(message.store_id, message.purchase_id)
        case PurchaseReturned():
            key = purchases.return_key(message.store_id, message.return_id)
        case Tick():
            return settle(state, programme, now, review=True)[1]
        case Heard():
            cause = Cause(type=message.envelope.type, id=f"profile/{message.envelope.version}")
            return [] if state.erased else [Entry(ErasureNoted(), now, cause)]
    if state.erased:
        raise Refused("customer_id: was erased")
    digest, known = purchases.digest(message), state.memory.get(key, Item)
    if known is not None and not isinstance(known, Awaited):
        if known.digest == digest:
            return []
        raise Refused(f"conflict: {_named(message)} came before with other content")
    judge = programme.in_force(message.occurred_at)
    if judge is None:
        raise Refused("occurred_at: is before the first version of the programme")
    state, due = settle(state, programme, now)
    found = tiers.sums(state.years, state.days, programme, now)
    scene = Scene(state, programme, programme.in_force(now) or judge, now, found)
    if isinstance(message, PurchaseCompleted):
        item = purchases.bought(message, digest, programme)
        return due + _sold(scene, message, judge, item, key, known.returns if known else [])
    return due + _returned(scene, purchases.returned(message, digest, programme), judge, key)


class Scene(Struct, frozen=True, gc=False):
    """What a record meets: the state, settled; the rules in force at the customer's now; and the sums before it."""

    state: State
    programme: Programme
    rules: Version
    now: datetime
    sums: Sums


def _sold(
    scene: Scene, sale: PurchaseCompleted, judge: Version, item: Bought | Purchase, key: str, waiting: list[Return]
) -> list[Entry]:
    """A purchase counts, then what was returned of it before it came. `judge`: the version of the purchase."""
    at, cause = sale.occurred_at, made(Cause, type=sale.type, id=f"{sale.store_id}/{sale.purchase_id}")
    place = tiers.place(scene.programme, at, scene.now)
    counted = purchases.remaining(item, scene.programme)
    taken = _take_all(item, waiting, scene.programme)
    found = scene.sums.plus(place, counted)
    after = found.plus(place, -sum([one.counted or 0 for _, one in taken])) if taken else found
    held = tiers.held(scene.rules, after)
    fact = made(
        TurnoverRecorded,
        purchase_id=sale.purchase_id,
        store_id=sale.store_id,
        redemption_id=sale.redemption_id,
        amount_minor=counted,
        year=place.year,
        late=at < scene.now,
        skus=tuple(dict.fromkeys([line.sku for line in sale.lines])),
        tier=_tier(scene) if judge is scene.rules else judge.tiers[tiers.held(judge, scene.sums)],
        standing=tiers.standing(scene.programme, scene.rules, found, held),
    )
    memo = Memo({key: item}, place.day, clock=_ahead(scene, at))
    entries = [Entry(fact, at, cause, judge.number, memo)]
    for back, one in taken:
        found = found.plus(place, -(one.counted or 0))
        entries += _taken(scene, back, one, judge, place, found, held, Memo())
    return entries + _moved(scene, after, held, "turnover", at, cause)


def _returned(scene: Scene, back: Return, judge: Version, key: str) -> list[Entry]:
    """A return counts where its purchase does, waits for it, or counts in its own place when it names none."""
    at, cause = moment(back.at), _cause(back)
    items: dict[str, Item] = {key: Returned(back.digest)}
    memo = Memo(items, clock=_ahead(scene, at))
    if back.named is None:
        one, origin = purchases.take_unnamed(back, scene.programme), at
    else:
        known = scene.state.memory.get(back.named, Item)
        if not isinstance(known, Bought | Purchase):
            waiting = [*known.returns, back] if isinstance(known, Awaited) else [back]
            if len(waiting) > MOST_WAITING:
                raise Refused(f"purchase_id: {MOST_WAITING} returns wait for it already")
            items[back.named] = Awaited(waiting)
            return [Entry(made(ReturnWaits, return_id=back.return_id), at, cause, None, memo)]
        one, origin = purchases.take_back(known, back, scene.programme), moment(known.at)
        judge = scene.programme.in_force(origin) or judge
    place = tiers.place(scene.programme, origin, scene.now)
    after = scene.sums.plus(place, -(one.counted or 0))
    held = tiers.held(scene.rules, after)
    entries = _taken(scene, back, one, judge, place, after, held, memo)
    return entries + _moved(scene, after, held, "return", at, cause)


def _taken(
    scene: Scene, back: Return, one: Taken, judge: Version, place: Place, found: Sums, held: int, memo: Memo
) -> list[Entry]:
    """What becomes of a return: one part may count, and one be refused. `found`: the sums after it."""
    entries: list[Entry] = []
    at, cause = moment(back.at), _cause(back)
    if one.counted is not None:
        fact = made(
            TurnoverReduced,
            return_id=back.return_id,
            store_id=back.store_id,
            purchase_id=back.purchase_id,
            purchase_store_id=back.purchase_store_id,
            amount_minor=one.counted,
            purchase_remaining_minor=one.purchase and purchases.remaining(one.purchase, scene.programme),
            year=place.year,
            tier=_tier(scene),
            standing=tiers.standing(scene.programme, scene.rules, found, held),
        )
        items = {**memo.items, back.named: one.purchase} if back.named and one.purchase else memo.items
        entries.append(Entry(fact, at, cause, judge.number, replace(memo, items=items, day=place.day)))
        memo = Memo()
    if one.reason is not None:
        refusal = made(
            ReturnRefused,
            return_id=back.return_id,
            store_id=back.store_id,
            purchase_id=back.purchase_id,
            amount_minor=one.worth,
            excess_minor=one.excess,
            reason=one.reason,
        )
        entries.append(Entry(refusal, at, cause, judge.number, memo))
    return entries


def _moved(
    scene: Scene, after: Sums, held: int, reason: Literal["turnover", "return"], at: datetime, cause: Cause
) -> list[Entry]:
    """The tier is set once, after all that the record brings."""
    change = tier_changed(scene.state, scene.programme, scene.rules, after, held, reason)
    return [] if change is None else [Entry(change, at, cause, scene.rules.number)]


def _take_all(item: Bought | Purchase, waiting: list[Return], programme: Programme) -> list[tuple[Return, Taken]]:
    """What becomes of the returns that waited for a purchase, in the order in which they came."""
    found: list[tuple[Return, Taken]] = []
    for back in waiting:
        try:
            one = purchases.take_back(item, back, programme)
        except Refused:
            # It needed no rate while it waited. Now it cannot be converted, and is no record any more that could be
            # a dead letter: it is refused, at an amount that nobody knows.
            one = Taken(item, None, worth=0, reason="fx_rate")
        item = one.purchase or item
        found.append((back, one))
    return found


def _tier(scene: Scene) -> str:
    return scene.state.tier or scene.rules.tiers[0]


def _ahead(scene: Scene, at: datetime) -> datetime | None:
    """The customer's now, where neither state nor record tells it: a tick was later than both."""
    return None if scene.now in (at, scene.state.clock) else scene.now


def _cause(back: Return) -> Cause:
    return made(Cause, type="PurchaseReturned.v1", id=f"{back.store_id}/{back.return_id}")


def _named(message: PurchaseCompleted | PurchaseReturned) -> str:
    if isinstance(message, PurchaseCompleted):
        return f"purchase_id {message.purchase_id} of store_id {message.store_id}"
    return f"return_id {message.return_id} of store_id {message.store_id}"
