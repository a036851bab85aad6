"""The ledger as a subject of fault tests: what turnover, profile and tills tell it, and what that comes to.

A customer is spoken of on one topic alone, for nothing says in which order the records of two topics are taken.
"""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from fractions import Fraction
from random import Random
from typing import Any

from services.ledger.app import SERVICE
from services.ledger.rules import State
from services.turnover.app import SERVICE as TURNOVER
from shared.contracts.partition import partition_of
from shared.contracts.pos import POS
from shared.contracts.topics import commands_topic, events_topic
from shared.rulebook.refused import Refused
from shared.sealing import Sealer
from tests.faults.subject import Outcome, Record, Sent, Subject
from tests.faults.turnover import Till, sent
from tests.faults.undisturbed import TERMS, Undisturbed

_BEGIN = datetime.fromisoformat("2010-03-01T10:00:00+00:00")
_COMMANDS, _PROFILE, _TURNOVER = commands_topic("ledger"), events_topic("profile"), events_topic("turnover")
_FIELDS = [field["id"] for field in TERMS["profile"]["fields"]]
_MULTIPLIERS = {tier["id"]: Fraction(tier["earn_multiplier"]) for tier in TERMS["tiers"]}


class Voices:
    """Turnover on what its own traffic leads to, profile, and tills; one record in ten comes twice or is broken."""

    def __init__(self, label: str, customers: int = 12) -> None:
        self._random = Random(label)
        self._label, self._customers = label, customers
        self._till, self._turnover = Till(label, customers), Undisturbed(TURNOVER, 1, {})
        self._versions: dict[str, int] = {}  # of profile's events, by customer
        self._held: list[tuple[str, str]] = []  # customer and redemption
        self._sent: list[Sent] = []
        self._made = 0

    def next(self, count: int) -> list[Sent]:
        found: list[Sent] = []
        while len(found) < count:
            found += self._some()
        self._sent += found
        return found

    def one(self, customer: str, mark: str = "") -> Sent:
        """A purchase of two euros that turnover has counted; with a mark, a request to give points to somebody else."""
        if mark:
            return self._asks(f"{customer}-{mark}", "AdjustPoints.v1", points=10, reason=mark)
        sale = json.loads(self._till.one(customer).value) | {"total_minor": 2_00}
        (event,) = self._counts(sent(sale))
        return event

    def about(self, earlier: Sent) -> Sent:
        """A return of a third of such a purchase, that turnover has counted."""
        said = json.loads(earlier.value)
        sale = {name: said[name] for name in ("purchase_id", "customer_id")} | {"total_minor": said["amount_minor"]}
        (event,) = self._counts(self._till.about(sent(sale)))
        return event

    def _some(self) -> list[Sent]:
        dice = self._random.random()
        if dice < 0.05 and self._sent:
            return [self._random.choice(self._sent)]  # again
        if dice < 0.5:
            return [event for raw in self._till.next(1) for event in self._counts(raw)]
        if dice < 0.65:
            return [self._profile_says(f"{self._label}-p{self._random.randrange(self._customers)}")]
        customer = f"{self._label}-t{self._random.randrange(self._customers)}"
        if dice < 0.7:
            broken = self._random.choice([b"none", b'{"type": "GivePoints.v1"}', b'{"type": "HoldPoints.v1"}'])
            return [Sent(_COMMANDS, customer, broken)]
        return [self._request(customer)]

    def _counts(self, raw: Sent) -> list[Sent]:
        """What turnover publishes about a record of a till."""
        try:
            message = POS.validate_json(raw.value)
        except ValueError:
            return []
        try:
            events = self._turnover.fold(message.customer_id, message, _BEGIN, (raw.topic, 0, 0))
        except Refused:
            return []
        return [Sent(_TURNOVER, raw.key, event) for event in events]

    def _profile_says(self, customer: str) -> Sent:
        version = self._versions[customer] = self._versions.get(customer, 0) + 1
        filled = sorted(self._random.sample(_FIELDS, self._random.randrange(len(_FIELDS) + 1)))
        fact: dict[str, Any] = {"type": "CustomerWaved.v1"}  # a type that nobody knows yet
        dice = self._random.random()
        if version == 1:
            fact = {"type": "CustomerEnrolled.v1", "via": "crm"}
        elif dice < 0.9:
            complete = len(filled) == len(_FIELDS)
            fact = {"type": "CompletionChanged.v1", "percent": 25 * len(filled), "complete": complete}
            fact |= {"filled": filled, "missing": []}
        elif dice < 0.95:
            fact = {"type": "ErasureAccepted.v1", "receipt_id": "r-1"}
        at = (_BEGIN + timedelta(minutes=version)).isoformat()
        envelope: dict[str, Any] = {"customer_id": customer, "version": version, "occurred_at": at, "recorded_at": at}
        event = fact | envelope | {"cause": {"type": "CustomerUpserted.v1", "id": customer}}
        return Sent(_PROFILE, customer, json.dumps(event).encode())

    def _request(self, customer: str) -> Sent:
        dice = self._random.random()
        if dice < 0.5:
            return self._asks(customer, "AdjustPoints.v1", points=self._random.randrange(1, 50), reason="gift")
        if dice < 0.75 or not self._held:
            request = self._asks(customer, "HoldPoints.v1", points=self._random.randrange(1, 60))
            self._held.append((customer, json.loads(request.value)["command_id"]))
            return request
        customer, redemption = self._random.choice(self._held)
        kind = self._random.choice(["CapturePoints.v1", "ReleaseHold.v1"])
        return self._asks(customer, kind, redemption_id=redemption)

    def _asks(self, customer: str, kind: str, **body: Any) -> Sent:
        self._made += 1
        command = {
            "type": kind, "command_id": f"{partition_of(customer, 4):02d}-{self._label}-{self._made}", "sender": "till",
            "fingerprint": "f", "customer_id": customer, "sent_at": _BEGIN.isoformat(), **body,
        }  # fmt: skip
        return Sent(_COMMANDS, customer, json.dumps(command).encode())


def undisturbed(
    records: Sequence[Record], partitions: int, bugs: Collection[str], sealers: Mapping[str, Sealer]
) -> Outcome:
    """What the rules alone make of the records, and how many points every customer was given in all."""
    fold = Undisturbed(SERVICE, partitions, sealers)
    fold.take(records, bugs)
    given = _given(fold.counted)
    sums = {customer: given.get(customer, 0) for customer in fold.outcome.states}
    return replace(fold.outcome, sums=sums)


def _given(counted: Iterable[dict[str, Any]]) -> dict[str, int]:
    """Points that customers were ever given, less what their returns took back, by plain sums."""
    worth: dict[str, dict[tuple[str, str], int]] = {}
    rates: dict[tuple[str, str], Fraction] = {}
    gone: set[str] = set()
    for one in counted:
        customer, own = one["customer_id"], worth.setdefault(one["customer_id"], {})
        match one["type"]:
            case "TurnoverRecorded.v1":
                key = (customer, one["purchase_id"])
                rates[key] = _MULTIPLIERS[one["tier"]] / TERMS["points"]["per_minor"]
                own[key] = int(one["amount_minor"] * rates[key])
            case "TurnoverReduced.v1" if one["purchase_id"] is None:
                own["returned", one["return_id"]] = -(one["amount_minor"] // TERMS["points"]["per_minor"])
            case "TurnoverReduced.v1":
                key = (customer, one["purchase_id"])
                own[key] = int(one["purchase_remaining_minor"] * rates[key])
            case "AdjustPoints.v1":
                own["given", one["command_id"]] = one["points"]
            case "CompletionChanged.v1" if "email" in one["filled"] and customer not in gone:
                own["benefit", "welcome_points"] = 100
            case "ErasureAccepted.v1":
                gone.add(customer)
            case _:
                pass
    return {customer: sum(own.values()) for customer, own in worth.items()}


def sums(state: State) -> Any:
    """What plain sums work out by themselves: points given in all."""
    return -state.points.accounts.programme


LEDGER = Subject(
    service=SERVICE,
    module="services.ledger.app",
    settings={"COUPON_SECRET": "a secret of at least thirty-two characters"},
    traffic=Voices,
    source=_TURNOVER,
    undisturbed=undisturbed,
    sums=sums,
    due="2012-01-01T00:00:00+01:00",  # all points of 2010 have expired
)
