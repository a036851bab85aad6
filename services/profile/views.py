"""What profile shows of a customer's state. Values of a person are sealed in it, and opened by who answers."""

from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b
from typing import Any, Final

from services.profile.showing import preferences
from services.profile.state import ADDRESSES, CLEAR, NAME, PURPOSES, Consent, Kept, State
from shared.rulebook.programme import Version
from shared.rulebook.sealed import sealed
from shared.runtime.rules import View

CARDS: Final = "cards"


def profile(customer_id: str, state: State) -> dict[str, Any]:
    """The answer to `GET /customers/{id}/profile`, as far as the state alone tells it; `described` says the rest."""
    said, preferred = state.said, preferences(state, "")
    fields = {path.removeprefix("fields."): path for path in state.kept if path.startswith("fields.")}
    return {
        "customer_id": customer_id,
        "fields": {name: sealed(customer_id, path, state.box(path)) for name, path in fields.items()},
        "name": sealed(customer_id, NAME, state.box(NAME)),
        "locale": preferred.locale,
        "time_zone": preferred.time_zone,
        "percent": said.percent if said else 0,
        "complete": bool(said and not said.missing),
        "missing": [{"field": name, "unlocks": list(unlocks)} for name, unlocks in (said.missing if said else ())],
        "reminders": state.reminders,
        "channels": preferred.channels.model_dump(),
        "consents": {name: _consent(state.consents.get(name, ())[-1:]) for name in PURPOSES},
        "version": state.version,
    }


def described(shown: Mapping[str, Any], version: Version) -> dict[str, Any]:
    """A `profile` with what the programme says: all fields in their order, labels and kinds, the usual time zone."""
    labels = {field.id: field.label.model_dump() for field in version.terms.profile.fields}
    return {
        **shown,
        "fields": {name: shown["fields"].get(name) for name in version.kinds},
        "time_zone": shown["time_zone"] or version.terms.time_zone,
        "missing": [
            each | {"label": labels.get(each["field"]), "kind": version.kinds.get(each["field"])}
            for each in shown["missing"]
        ],
    }


def export(customer_id: str, state: State) -> dict[str, Any]:
    """The answer to `GET /customers/{id}/export` as far as the state tells it; `history` says what was before."""
    return {
        "customer_id": customer_id,
        "values": [held(customer_id, path, kept) for path, kept in sorted(state.kept.items())],
        "consents": {
            purpose: [held_consent(one) for one in history] for purpose, history in sorted(state.consents.items())
        },
        "reminders": state.reminders,
        "switched_off": list(state.off),
        "cards": list(state.cards),
        "completion": {"percent": state.said.percent, "filled": list(state.said.filled)} if state.said else None,
        "birth_month": state.birth_month,
        "last_birthday_announced": state.celebrated,
        "version": state.version,
    }


def held(customer_id: str, path: str, kept: Kept) -> dict[str, Any]:
    """A value as it is held, or was."""
    return {
        "field": path,
        "value": kept.box if path in CLEAR else sealed(customer_id, path, kept.box),
        "at": _time(kept.at),
        "said_by": _by(kept.own),
    }


def held_consent(consent: Consent) -> dict[str, Any]:
    """A consent as it is held, or was."""
    return _consent([consent]) | {"said_by": _by(consent.own)}


def contact(customer_id: str, state: State) -> dict[str, Any]:
    """An item of the answer to `POST /contacts`: how to reach a customer.

    `ref`: of an address, opaque; another address has another one, and the same one has it again.
    """
    known = {name: (path, box) for name, path in ADDRESSES.items() if (box := state.box(path)) is not None}
    return {
        "customer_id": customer_id,
        "name": sealed(customer_id, NAME, state.box(NAME)),
        "channels": {
            name: {"address": sealed(customer_id, path, box), "ref": blake2b(box.encode(), digest_size=16).hexdigest()}
            for name, (path, box) in known.items()
        },
    }


def completions(totals: Mapping[str, int]) -> dict[str, Any]:
    """The answer to `GET /completion`, from what `rules.totals` summed up."""
    percent = [(int(name[8:]), count) for name, count in totals.items() if name.startswith("percent:") and count]
    missing = [(name[8:], count) for name, count in totals.items() if name.startswith("missing:") and count]
    return {
        "customers": totals.get("customers", 0),
        "percent": [{"percent": name, "customers": count} for name, count in sorted(percent)],
        "missing": [
            {"field": name, "customers": count} for name, count in sorted(missing, key=lambda one: (-one[1], one[0]))
        ],
    }


def cards(customer_id: str, before: State, after: State) -> Iterable[View]:
    """The documents by which a till finds the customer of a card: there as long as the card is valid."""
    for card in before.cards:
        if card not in after.cards:
            yield View(CARDS, card, None)
    for card in after.cards:
        if card not in before.cards:
            yield View(CARDS, card, {"customer": customer_id})


def _consent(last: Sequence[Consent]) -> dict[str, Any]:
    if not last:
        return {"granted": False, "text": None, "at": None}
    return {"granted": last[0].granted, "text": last[0].text, "at": _time(last[0].at)}


def _time(at: Any) -> str:
    return at.isoformat().replace("+00:00", "Z")


def _by(own: bool) -> str:
    return "customer" if own else "crm"
