"""How a profile comes about: what records of the CRM, requests of the customer and the clock lead to. Pure."""

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from hashlib import blake2b
from typing import Final

from services.profile import merging
from services.profile.commands import (
    EditProfile,
    Erase,
    IssueCard,
    RevokeCard,
    SetChannel,
    SetConsent,
    SetReminders,
)
from services.profile.merging import Change, Scene
from services.profile.settling import due_at, erased, settle
from services.profile.showing import ahead, told
from services.profile.state import FACTS, Consent, Memo, State, ValuesRefused, evolve
from shared.contracts.clock import Tick
from shared.contracts.crm import CustomerErasureRequested, CustomerUpserted
from shared.contracts.notifier import NotificationFact
from shared.contracts.profile import CardIssued, CardRevoked, ErasureAccepted
from shared.contracts.records import Cause, made, one_line
from shared.rulebook.entry import Entry
from shared.rulebook.programme import Programme
from shared.rulebook.refused import Refused
from shared.runtime.rules import Command, Heard, Opened
from shared.sealing import Sealer

__all__ = [
    "FACTS",
    "Memo",
    "State",
    "decide",
    "due_at",
    "evolve",
    "forgotten",
    "initial",
    "keys",
    "now",
    "totals",
]

Message = CustomerUpserted | CustomerErasureRequested | Command | Heard | Tick
MOST_CARDS: Final = 10  # that are valid at once
RECEIPT: Final = "erasure_receipt"  # the notifier's template


def initial(_customer_id: str) -> State:
    """A customer of whom nothing is known."""
    return State()


def keys(_message: Message) -> tuple[str, ...]:
    """Nothing is looked up: the state tells a repetition by itself."""
    return ()


def now(state: State, message: Message, tick: datetime | None) -> datetime:
    """The customer's now: the newest of the last tick and all records of the CRM; never back.

    Before either, it is the time of the message.
    """
    found = max((at for at in (tick, state.clock) if at is not None), default=None)
    match message:
        case Tick():
            at = message.now
        case CustomerUpserted() | CustomerErasureRequested():
            at = message.occurred_at
        case Heard():
            at = found or message.envelope.occurred_at
        case Command():
            at = found or message.body.sent_at
    return at if found is None or found < at else found


def decide(state: State, opened: Opened, programme: Programme, now: datetime) -> list[Entry]:
    """What a message leads to: nothing when it came before; raises `Refused` for a bad record."""
    message, sealer = opened.message, opened.sealer
    match message:
        case CustomerUpserted():
            return _upserted(state, message, sealer, programme, now)
        case CustomerErasureRequested():
            state, due = settle(state, programme, now, sealer)
            cause = Cause(type=message.type, id=_time(message.occurred_at))
            return due + _erasure(state, message.customer_id, message.occurred_at, cause, now)
        case Command():
            state, due = settle(state, programme, now, sealer)
            return due + _asked(state, message, sealer, programme, now)
        case Heard():
            state, due = settle(state, programme, now, sealer)
            return due + _heard(state, message, now)
        case _:
            return settle(state, programme, now, sealer, review=True)[1]


def forgotten(state: State) -> bool:
    """Whether the customer's key must go."""
    return state.erasure is not None and state.erasure.done


def totals(before: State, after: State) -> Mapping[str, int]:
    """What is summed over all customers: how many there are, by percent, and how many lack which required field."""
    if after.said is before.said and after.erasure is before.erasure:
        return {}
    found = Counter(_counted(after))
    found.subtract(_counted(before))
    return found


def _counted(state: State) -> list[str]:
    if state.said is None or state.erasure is not None:
        return []
    return ["customers", f"percent:{state.said.percent}", *[f"missing:{name}" for name, _ in state.said.missing]]


def _upserted(
    state: State, record: CustomerUpserted, sealer: Sealer | None, programme: Programme, now: datetime
) -> list[Entry]:
    """The good parts of a record of the CRM count, the bad ones are refused."""
    if state.erasure is not None:
        raise Refused("erased: this customer is not known any more")
    if programme.in_force(record.occurred_at) is None:
        raise Refused("occurred_at: is before the first version of the programme")
    state, entries = settle(state, programme, now, sealer)
    at, scene = record.occurred_at, _scene(programme, now, sealer)
    cause = made(Cause, type=record.type, id=_time(at))
    change = merging.said_by_crm(state, record, scene)
    if change.memo != Memo() or state.clock is None or at > state.clock:
        entries = entries + told(state, change, programme, scene.version, at, cause, now)
    if change.faults:
        reason = one_line(f"{path}: {why}" for path, why in change.faults)
        if not entries:
            raise Refused(reason)
        entries.append(Entry(ValuesRefused(refused=reason), at, cause))
    return entries


def _asked(state: State, command: Command, sealer: Sealer | None, programme: Programme, now: datetime) -> list[Entry]:
    """What a request leads to; nothing where it cannot be met. What it is told is in `answers`."""
    if state.said is None or state.erasure is not None:
        return []
    cause, scene = Cause(type=command.kind, id=command.command_id), _scene(programme, now, sealer)
    match command.body:
        case EditProfile() as edit:
            change = merging.said_by_customer(state, edit, scene)
        case SetChannel() as request:
            change = merging.channel_set(state, request, scene)
        case SetReminders(on=on):
            change = Change(Memo(reminders=on if on != state.reminders else None))
        case SetConsent() as request:
            consent = Consent(request.granted, request.text, request.sent_at, own=True)
            change = Change(Memo(consents=merging.consented(state, request.purpose, consent)))
        case IssueCard():
            card = _card_id(command, scene.sealer)
            known = card in state.cards or len(state.cards) == MOST_CARDS
            return [] if known else [Entry(CardIssued(card_id=card), now, cause)]
        case RevokeCard(card_id=card):
            return [Entry(CardRevoked(card_id=card), now, cause)] if card in state.cards else []
        case Erase():
            return _erasure(state, command.customer_id, now, cause, now)
        case _:
            raise AssertionError(f"{command.kind} is no request to a profile")
    if change.faults:
        raise Refused(one_line(f"{path}: {why}" for path, why in change.faults), change.faults)
    return [] if change.memo == Memo() else told(state, change, programme, scene.version, now, cause, now)


def _heard(state: State, heard: Heard, now: datetime) -> list[Entry]:
    """An erasure is complete when the notifier is done with its receipt, whatever became of that."""
    match heard.fact:
        case NotificationFact(template=template) if template == RECEIPT:
            if state.erasure is None or state.erasure.done:
                return []
            envelope = heard.envelope
            cause = Cause(type=envelope.type, id=f"{heard.service}/{envelope.customer_id}/{envelope.version}")
            return [erased(state.erasure.receipt_id, now, cause, now)]
        case _:
            return []


def _erasure(state: State, customer_id: str, at: datetime, cause: Cause, now: datetime) -> list[Entry]:
    """An erasure is accepted once; also of somebody the CRM never named, who then never can be enrolled."""
    if state.erasure is not None:
        return []
    digest = blake2b(f"{customer_id}/{cause.type}/{cause.id}".encode(), digest_size=16).hexdigest()
    return [Entry(ErasureAccepted(receipt_id=f"r-{digest}"), at, cause, memo=ahead(Memo(), at, now))]


def _scene(programme: Programme, now: datetime, sealer: Sealer | None) -> Scene:
    version = programme.in_force(now)
    assert version is not None
    assert sealer is not None
    return Scene(version, programme.calendar.day(now), sealer)


def _card_id(command: Command, sealer: Sealer) -> str:
    """The partition's number, and 128 bits that nobody can guess without the customer's key."""
    box = sealer.seal("card", command.command_id)
    place, _, _ = command.command_id.partition("-")
    return f"{place}-{blake2b(box.encode(), digest_size=16).hexdigest()}"


def _time(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")
