"""What a record of the CRM or an edit changes: the later time wins for each value, a tie goes to the customer."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime
from typing import Final

from msgspec import Struct

from services.profile.commands import EditProfile, SetChannel
from services.profile.state import (
    ADDRESSES,
    BIRTHDAY,
    CLEAR,
    LOCALE,
    NAME,
    PURPOSES,
    TIME_ZONE,
    Consent,
    Kept,
    Memo,
    State,
    remembered,
)
from services.profile.values import BadValueError, checked
from shared.contracts.crm import Bad, ConsentSaid, CustomerUpserted
from shared.rulebook.programme import Version
from shared.sealing import Sealer, UnsealError

_CHANNEL_KINDS: Final = {"email": "email", "sms": "phone", "push": "push", "telegram": "telegram"}
Fault = tuple[str, str]
Value = tuple[str, str, str | None]  # its path, its kind, and the text


class Scene(Struct, frozen=True, gc=False):
    """What values are checked and sealed with. `today`: the customer's now, as a day of the programme."""

    version: Version
    today: date
    sealer: Sealer


class Change(Struct, frozen=True, gc=False):
    """What is new to a state. `faults`: paths that are refused, and why. `birthday`: in clear, for this decision."""

    memo: Memo
    faults: tuple[Fault, ...] = ()
    birthday: date | None = None


def said_by_crm(state: State, record: CustomerUpserted, scene: Scene) -> Change:
    """What a record of the CRM changes: its good parts. Whatever the order of such records, they end the same."""
    faults: list[Fault] = []
    change = _merged(state, _said(record, scene.version, faults), record.occurred_at, scene, faults, own=False)
    consents = dict(_consents(state, record, faults))
    memo = Memo(kept=change.memo.kept, consents=consents, birth_month=change.memo.birth_month)
    return Change(memo, tuple(faults), change.birthday)


def said_by_customer(state: State, edit: EditProfile, scene: Scene) -> Change:
    """What an edit changes; it is to be refused whole when it has faults."""
    faults: list[Fault] = []
    return _merged(state, _edited(edit, scene, faults), edit.sent_at, scene, faults, own=True)


def channel_set(state: State, request: SetChannel, scene: Scene) -> Change:
    """What switching a channel changes; a bad address is to be refused."""
    off = tuple(sorted({*state.off} - {request.channel} if request.on else {*state.off, request.channel}))
    if request.address is None:
        return Change(Memo(off=off if off != state.off else None))
    path = ADDRESSES[request.channel]
    try:
        text = scene.sealer.open(path, request.address)
        value = checked(_CHANNEL_KINDS[request.channel], text, scene.today)
    except UnsealError:
        return Change(Memo(), (("address", "cannot be read"),))
    except BadValueError as error:
        return Change(Memo(), (("address", str(error)),))
    kept = Kept(scene.sealer.seal(path, value), request.sent_at, own=True)
    return Change(Memo(kept=_newer(state, {path: kept}), off=off if off != state.off else None))


def consented(state: State, purpose: str, consent: Consent) -> dict[str, Consent]:
    """The consent by its purpose, if it is new."""
    history = state.consents.get(purpose, ())
    return {} if remembered(history, consent) == history else {purpose: consent}


def _said(record: CustomerUpserted, version: Version, faults: list[Fault]) -> Iterator[Value]:
    """The values that a record names."""
    if isinstance(record.fields, Bad):
        faults += _at("fields", record.fields)
    else:
        for name, value in record.fields.items():
            kind = version.kinds.get(name)
            if kind is None:  # a name that nobody knows could be anything, a value too
                faults.append(("fields", "has a name that is no field of the profile"))
            elif isinstance(value, Bad):
                faults += _at(f"fields.{name}", value)
            else:
                yield f"fields.{name}", kind, value
    for path, value in ((NAME, record.name), (LOCALE, record.locale), (TIME_ZONE, record.time_zone)):
        if isinstance(value, Bad):
            faults += _at(path, value)
        elif path in record.model_fields_set:
            yield path, path, value


def _edited(edit: EditProfile, scene: Scene, faults: list[Fault]) -> Iterator[Value]:
    """The values that an edit names."""
    for path, box in edit.values.items():
        kind = scene.version.kinds.get(path[len("fields.") :]) if path.startswith("fields.") else path
        if kind is None:
            faults.append((path, "is no field of the profile"))
            continue
        try:
            yield path, kind, None if box is None else scene.sealer.open(path, box)
        except UnsealError:
            faults.append((path, "cannot be read"))


def _consents(state: State, record: CustomerUpserted, faults: list[Fault]) -> Iterator[tuple[str, Consent]]:
    """The consents of a record that are new, by purpose."""
    if isinstance(record.consents, Bad):
        faults += _at("consents", record.consents)
        return
    for purpose, said in record.consents.items():
        path = f"consents.{purpose}"
        if purpose not in PURPOSES:
            faults.append(("consents", f"has a purpose that is none of {', '.join(PURPOSES)}"))
        elif isinstance(said, Bad):
            faults += _at(path, said)
        else:
            reason, consent = _consent(said, record.occurred_at)
            if reason is not None:
                faults.append((path, reason))
            else:
                yield from consented(state, purpose, consent).items()


def _consent(said: ConsentSaid | None, at: datetime) -> tuple[str | None, Consent]:
    """The consent, and why it cannot be. One that lay ahead would keep the customer from withdrawing it."""
    if said is None:
        return None, Consent(granted=False, text=None, at=at, own=False)
    consent = Consent(said.granted, said.text, said.at or at, own=False)
    if said.granted and said.text is None:
        return "names no version of a text", consent
    return "is later than the record" if consent.at > at else None, consent


def _merged(
    state: State, values: Iterable[Value], at: datetime, scene: Scene, faults: list[Fault], *, own: bool
) -> Change:
    """What these values change; bad ones are faults, beside those that come up as the values are read."""
    kept: dict[str, Kept] = {}
    birthday: date | None = None
    for path, kind, text in values:
        value = None
        if text is not None:
            try:
                value = checked(kind, text, scene.today)
            except BadValueError as error:
                faults.append((path, str(error)))
                continue
            if path == BIRTHDAY and kind == "date":
                birthday = date.fromisoformat(value)
            if path not in CLEAR:
                value = scene.sealer.seal(path, value)
        kept[path] = Kept(value, at, own)
    kept = _newer(state, kept)
    if BIRTHDAY not in kept:
        birthday = None
    return Change(Memo(kept=kept, birth_month=birthday and birthday.month), tuple(faults), birthday)


def _newer(state: State, kept: Mapping[str, Kept]) -> dict[str, Kept]:
    """Those that win over what is kept."""
    return {path: one for path, one in kept.items() if (old := state.kept.get(path)) is None or one.rank > old.rank}


def _at(path: str, bad: Bad) -> list[Fault]:
    return [(f"{path}.{within}" if within else path, why) for within, why in bad.faults]
