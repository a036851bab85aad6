"""Profile as a subject of fault tests: what the CRM sends, and what that comes to."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from random import Random
from typing import Any

from services.profile.app import SERVICE
from services.profile.state import State
from shared.contracts.topics import CUSTOMERS
from shared.sealing import Sealer
from tests.faults.subject import Outcome, Record, Sent, Subject
from tests.faults.undisturbed import Undisturbed

_BEGIN = datetime.fromisoformat("2010-03-01T10:00:00+00:00")
FIELDS = ("email", "phone", "birthday", "address")
BAD = "no value"  # of a field that is not a text


class Crm:
    """Records of a few customers, in 2010; one in four comes twice, late, changed, in part bad or broken."""

    def __init__(self, label: str, customers: int = 12) -> None:
        self._random = Random(label)
        self._label, self._customers = label, customers
        self._said: list[dict[str, Any]] = []
        self._made = 0

    def next(self, count: int) -> list[Sent]:
        return [self._any() for _ in range(count)]

    def one(self, customer: str, mark: str = "") -> Sent:
        """A record of somebody with a birthday."""
        return _sent(self._record(customer, birthday="1980-06-01") | {"name": f"Anna {self._made}{mark}"})

    def about(self, earlier: Sent) -> Sent:
        """A later record that clears a field of such a one."""
        return _sent(self._record(json.loads(earlier.value)["customer_id"], birthday=None))

    def _any(self) -> Sent:
        customer = f"{self._label}-{self._random.randrange(self._customers)}"
        dice = self._random.random()
        before = self._random.choice(self._said) if self._said else None
        if before is None or dice < 0.75:
            self._said.append(self._record(customer, **self._values()))
            return _sent(self._said[-1])
        if dice < 0.83:
            return _sent(before)  # twice, or late
        if dice < 0.9:
            wrong = self._random.choice(("email", "phone", "birthday"))
            return _sent(self._record(customer, **(self._values() | {wrong: BAD})))
        if dice < 0.92:
            return _sent(before | {"fields": {"email": BAD}})  # nothing of it is new
        if dice < 0.96:
            return Sent(CUSTOMERS, customer, b'{"type": "CustomerUpserted.v1", "fields": "much"')
        if dice < 0.98:
            return Sent(CUSTOMERS, customer, json.dumps(before | {"occurred_at": "soon"}).encode())
        self._made += 1
        asked = {"type": "CustomerErasureRequested.v1", "customer_id": customer, "occurred_at": self._now()}
        return Sent(CUSTOMERS, customer, json.dumps(asked).encode())

    def _values(self) -> dict[str, str | None]:
        """Some fields, one in five of them cleared."""
        texts = {
            "email": f"a{self._made}@example.org",
            "phone": f"+49301{self._made:06d}",
            "birthday": f"19{self._random.randrange(50, 99)}-0{self._random.randrange(1, 9)}-11",
            "address": f"Lindenstraße {self._made}",
        }
        named = self._random.sample(FIELDS, self._random.randrange(len(FIELDS) + 1))
        return {name: None if self._random.random() < 0.2 else texts[name] for name in named}

    def _record(self, customer: str, **fields: str | None) -> dict[str, Any]:
        self._made += 1
        record = {"type": "CustomerUpserted.v1", "customer_id": customer, "occurred_at": self._now(), "fields": fields}
        return record | {"name": f"Anna {self._made}", "locale": self._random.choice(("en", "de", "ru"))}

    def _now(self) -> str:
        """A time of its own for each record, and up to three days before its neighbours."""
        at = _BEGIN + timedelta(minutes=self._made, days=-self._random.randrange(3), microseconds=self._made)
        return at.isoformat()


def _sent(record: Mapping[str, Any]) -> Sent:
    return Sent(CUSTOMERS, record["customer_id"], json.dumps(record).encode())


def undisturbed(
    records: Sequence[Record], partitions: int, bugs: Collection[str], sealers: Mapping[str, Sealer]
) -> Outcome:
    """What the rules alone make of the records, and which record each value is of by its time alone."""
    fold = Undisturbed(SERVICE, partitions, sealers)
    fold.take(records, bugs)
    found: dict[str, dict[str, tuple[datetime, bool]]] = {}
    erased = set[str]()
    for record in fold.counted:
        customer = record["customer_id"]
        newest = found.setdefault(customer, {})
        if record["type"] != "CustomerUpserted.v1":
            erased.add(customer)
            continue
        at = datetime.fromisoformat(record["occurred_at"])
        named = {f"fields.{name}": value for name, value in record["fields"].items()}
        for path, value in (named | {"name": record["name"], "locale": record["locale"]}).items():
            if value != BAD and (path not in newest or at > newest[path][0]):
                newest[path] = at, value is not None
    return replace(fold.outcome, sums={one: "erased" if one in erased else newest for one, newest in found.items()})


def sums(state: State) -> Any:
    """What the oracle works out by itself: of each value its time, and whether there is one."""
    if state.erasure is not None:
        return "erased"
    return {path: (kept.at, kept.box is not None) for path, kept in state.kept.items()}


PROFILE = Subject(
    service=SERVICE,
    module="services.profile.app",
    traffic=Crm,
    source=CUSTOMERS,
    undisturbed=undisturbed,
    sums=sums,
    due="2012-01-01T00:00:00+01:00",  # a birthday has come
)
