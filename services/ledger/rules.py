"""How points and benefits follow from what is heard, asked and due: what a message leads to, without I/O or a clock."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from services.ledger.benefits import rules as benefits
from services.ledger.benefits import use
from services.ledger.points import adjusting, answers, earning, redemptions, returns, settling
from services.ledger.points.account import Item, check
from services.ledger.points.commands import AdjustPoints, CapturePoints, HoldPoints, ReleaseHold
from services.ledger.points.journal import Journal
from services.ledger.points.lots import micros, moment
from services.ledger.state import FACTS, Memo, State, evolve, expired_key, purchase_key, redemption_key
from shared.contracts.clock import Tick
from shared.contracts.ledger import PointsHeld
from shared.contracts.profile import ErasureAccepted
from shared.contracts.records import Cause, Envelope, made
from shared.contracts.turnover import TurnoverRecorded, TurnoverReduced
from shared.rulebook.entry import Entry
from shared.rulebook.programme import Programme, Version
from shared.runtime.rules import Command, Heard, Reply, View

__all__ = [
    "FACTS",
    "Item",
    "Memo",
    "Message",
    "State",
    "answer",
    "decide",
    "due_at",
    "evolve",
    "initial",
    "keys",
    "now",
]

Message = Heard | Command | Tick
_UNKNOWN: Final = State()


def initial(_customer_id: str) -> State:
    """A customer of whom nothing is known."""
    return _UNKNOWN


def keys(message: Message) -> tuple[str, ...]:
    """What deciding this message may look up in the memory."""
    match message:
        case Heard(fact=TurnoverRecorded(redemption_id=None) as sale):
            return (purchase_key(sale.store_id, sale.purchase_id),)
        case Heard(fact=TurnoverRecorded(redemption_id=str(paid)) as sale):
            return (purchase_key(sale.store_id, sale.purchase_id), redemption_key(paid))
        case Heard(fact=TurnoverReduced(purchase_id=str()) as back):
            key = _returned(back)
            return (key, expired_key(key))
        case Command(body=HoldPoints() | CapturePoints() | ReleaseHold() as asked):
            return (redemption_key(asked.redemption_id),)
        case _:
            return ()


def now(state: State, message: Message, tick: datetime | None) -> datetime:
    """The customer's now with this message: the newest of the last tick and all purchases and returns; never back.

    Before any of those it is the time of the event that is heard, or the one at which a command was given.
    """
    found = [at for at in (state.clock, tick) if at is not None]
    match message:
        case Tick():
            found.append(message.now)
        case Heard(fact=TurnoverRecorded() | TurnoverReduced()):
            found.append(message.envelope.occurred_at)
        case Heard():
            found = found or [message.envelope.occurred_at]
        case Command():
            found = found or [message.body.at]
    return max(found)


def decide(state: State, message: Message, programme: Programme, now: datetime) -> list[Entry]:
    """What a message leads to, after what fell due before it; nothing for a customer who is erased."""
    if state.erased:
        return []
    journal = Journal(state, programme, now)
    _settle(journal, now, None)
    match message:
        case Heard():
            _hear(journal, message, now)
        case Command():
            _obey(journal, message, now)
        case Tick():
            journal.enter(benefits.review(journal.state, programme, now))
    # What this brought may be due at once: points of a purchase long ago, or of a lot that expired while it was held.
    _settle(journal, now, journal.cause)
    check(journal.points, state.points)
    return journal.decided()


def due_at(state: State, programme: Programme) -> datetime | None:
    """The next instant at which the clock alone changes something."""
    if state.erased:
        return None
    instants = [settling.due(state.points), settling.notice_due(state.points, programme.calendar)]
    times = [moment(instant) for instant in instants if instant is not None]
    if (later := benefits.due(state, programme)) is not None:
        times.append(later)
    return min(times, default=None)


def answer(state: State, message: Command, entries: Sequence[Entry], _now: datetime) -> Reply:
    """What a command is told, from the state after it and the entries it led to."""
    if state.erased:
        return Reply(410, {"type": "erased"})
    if message.kind == "UseBenefit.v1":
        return use.answer(state, message, entries)
    return answers.answer(state, message.body, [entry.fact for entry in entries])


def lines(customer_id: str, entry: Entry) -> tuple[View, ...]:
    """A redemption leads to its customer."""
    if isinstance(entry.fact, PointsHeld):
        return (View("redemptions", entry.fact.redemption_id, {"customer": customer_id}),)
    return ()


def _settle(journal: Journal, now: datetime, cause: Cause | None) -> None:
    """What falls due up to and with `now`, instant by instant; `cause`: of what was just brought and is due already."""
    programme, until = journal.programme, micros(now)
    journal.cause = cause
    later = [] if cause else sorted(benefits.instants(journal.state, programme, now))
    while True:
        instant = settling.due(journal.points)
        if later and (instant is None or micros(later[0]) <= instant):
            instant = micros(later[0])
        if instant is None or instant > until:
            break
        journal.at = now if cause else moment(instant)
        settling.settle_at(journal, instant)
        if later and micros(at := later[0]) == instant:
            journal.enter(benefits.settle_at(journal.state, programme, at))
            # What it brought may end before now: a coupon that nobody used.
            later = sorted(one for one in benefits.instants(journal.state, programme, now) if one > at)
        settling.settle_owed(journal)
    journal.at = now
    settling.settle_owed(journal)
    settling.notify(journal, until)


def _hear(journal: Journal, message: Heard, now: datetime) -> None:
    """An event of a sister service changes points, then benefits."""
    envelope, fact, state = message.envelope, message.fact, journal.state
    cause = made(Cause, type=envelope.type, id=f"{message.service}/{envelope.customer_id}/{envelope.version}")
    journal.cause = cause
    match fact:
        case TurnoverRecorded() | TurnoverReduced():
            journal.at = envelope.occurred_at
            if state.clock is None or state.clock < journal.at:
                journal.clock = journal.at
            version = _judge(journal.programme, envelope)
            journal.version = version.number
            if isinstance(fact, TurnoverRecorded):
                _sold(journal, fact, version)
            elif fact.purchase_id is None:
                returns.undo_unnamed(journal, fact, version)
            else:
                returns.undo(journal, fact, _returned(fact), micros(now))
            journal.end()
        case ErasureAccepted():
            adjusting.close(journal)
        case _:
            pass
    journal.version = None
    journal.enter(benefits.heard(journal.state, message, journal.programme, now, cause))


def _sold(journal: Journal, sale: TurnoverRecorded, version: Version) -> None:
    key = purchase_key(sale.store_id, sale.purchase_id)
    if journal.state.memory.get(key, Item) is None:
        pieces = redemptions.capture_by_purchase(journal, sale, version)
        earning.accrue(journal, sale, key, version, pieces)


def _obey(journal: Journal, message: Command, now: datetime) -> None:
    journal.at, journal.cause = now, Cause(type=message.kind, id=message.command_id)
    version = journal.programme.in_force(now) or journal.programme.versions[0]
    journal.version = version.number
    match message.body:
        case HoldPoints():
            redemptions.hold(journal, message.body, version)
        case CapturePoints():
            redemptions.capture(journal, message.body)
        case ReleaseHold(redemption_id=name):
            if name in journal.points.holds:
                redemptions.release(journal, name, "released")
        case AdjustPoints():
            adjusting.adjust(journal, message.body, f"a:{message.command_id}", message.sender, version)
        case _:
            journal.enter(use.use(journal.state, message, journal.programme, now))
    journal.version = None


def _judge(programme: Programme, envelope: Envelope) -> Version:
    """The version that turnover decided by; or the one that took its place, where it started on the same day."""
    number, known = envelope.programme_version or 0, programme.versions
    for version in known:
        if version.number == number:
            return version
    if number > max([version.number for version in known]):
        raise LookupError(f"version {number} of the programme is not known yet")
    found = programme.in_force(envelope.occurred_at)
    if found is None:
        raise LookupError("an event was decided by a version of the programme that is not known")
    return found


def _returned(back: TurnoverReduced) -> str:
    assert back.purchase_id is not None
    return purchase_key(back.purchase_store_id or back.store_id, back.purchase_id)
