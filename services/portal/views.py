"""The documents that pages are made of: one for each account, and one for each line of a history."""

from datetime import datetime
from typing import Any, Final

import msgspec
from msgspec import Struct

from services.portal.account import Account, AnyFact
from services.portal.rules import Noted
from shared.contracts import ledger, turnover
from shared.rulebook.entry import Entry
from shared.runtime.rules import View

ACCOUNTS: Final = "accounts"
HISTORY: Final = "history"

_decoder: Final = msgspec.json.Decoder(Account)


class Line(Struct, frozen=True):
    """A fact of a history. `group`: facts of one purchase, return or benefit have the same. `programme`: the version
    that decided it."""

    at: datetime
    group: str
    programme: int | None
    fact: AnyFact


def accounts(customer_id: str, _before: Account, account: Account) -> tuple[View, ...]:
    """The account as it is now."""
    text = msgspec.json.encode(account).decode()
    return (View(ACCOUNTS, customer_id, {"version": account.version, "account": text}),)


def lines(customer_id: str, entry: Entry) -> tuple[View, ...]:
    """What an entry adds to the history."""
    note = entry.fact
    if isinstance(note, Noted) and (group := _group(note.fact)):
        return (View(HISTORY, f"{customer_id}/{_place(entry, note, group)}", _line(entry, note, group)),)
    return ()


def account_of(document: dict[str, Any]) -> Account:
    """The account in a document of `ACCOUNTS`."""
    return _decoder.decode(document["account"])


def line_of(document: dict[str, Any]) -> Line:
    """The line in a document of `HISTORY`."""
    note = Noted.model_validate_json(document["note"])
    return Line(document["at"], document["group"], document["programme"], note.fact)


def _place(entry: Entry, note: Noted, group: str) -> str:
    """Lines sort by time; those of one group that happened at one time lie side by side."""
    at = entry.occurred_at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return f"{at}/{group}/{note.service}/{note.number:010d}"


def _line(entry: Entry, note: Noted, group: str) -> dict[str, Any]:
    text = note.model_dump_json(by_alias=True)
    return {"at": entry.occurred_at, "group": group, "programme": entry.programme, "note": text}


def _group(fact: AnyFact) -> str | None:
    """What a fact of the history belongs to; `None`: it is none of the history's."""
    match fact:
        case turnover.TurnoverRecorded():
            return f"p:{fact.store_id}/{fact.purchase_id}"
        case turnover.TurnoverReduced() | turnover.ReturnRefused():
            return f"r:{fact.store_id}/{fact.return_id}"
        case turnover.TierChanged():
            return f"t:{fact.to}"
        case ledger.PointsEarned(why=why) if why.purchase_id is not None:
            return f"p:{why.store_id}/{why.purchase_id}"
        case ledger.PointsEarned(why=why) if why.benefit is not None:
            return f"b:{why.benefit}"
        case ledger.PointsReversed(why=why) | ledger.PointsRestored(why=why):
            return f"r:{why.store_id}/{why.return_id}"
        case ledger.PointsRedeemed():
            return f"h:{fact.redemption_id}"
        case ledger.PointsExpired() | ledger.PointsAdjusted() | ledger.OwedSettled():
            return f"e:{fact.entry_id}"
        case ledger.BenefitUnlocked() | ledger.BenefitUsed():
            return f"b:{fact.benefit}"
        case _:
            return None
