"""Customers as a CRM knows them, made up from a seed: who they are, and what changes about them. Pure."""

from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from random import Random
from typing import Any, Final

CHANGED: Final = 0.05  # of the purchases of somebody known are followed by a change
CLEARED: Final = 0.1  # of the values that are known leave with their change
CONSENTING: Final = 0.9
# How many customers have told it from the start.
TOLD: Final = {"email": 0.9, "phone": 0.6, "birthday": 0.5, "address": 0.4}
LANGUAGES: Final = ("de", "de", "de", "en", "en", "ru")
FIRST: Final = ("Anna", "Boris", "Clara", "David", "Elif", "Felix", "Greta", "Hugo", "Ida", "Jonas", "Karla", "Leo")
LAST: Final = ("Adler", "Becker", "Conrad", "Dietz", "Ernst", "Fuchs", "Graf", "Hahn", "Imhof", "Jung", "Klee", "Lang")
STREETS: Final = ("Lindenstraße", "Gartenweg", "Am Markt", "Schulstraße", "Bergallee", "Uferstraße")
TOWNS: Final = ("10115 Berlin", "20095 Hamburg", "50667 Köln", "80331 München", "04109 Leipzig")
YOUNGEST: Final = date(2007, 12, 31)
YEARS: Final = 70
# What a field may hold by mistake, each refused for what it is.
WRONG: Final = {"email": "anna (at) example.org", "phone": "030 23125 000", "birthday": "31.12.1980", "address": " "}


class Crm:
    """A CRM that knows this share of the customers; that share of its records has a bad field."""

    def __init__(self, seed: int, known: float, bad: float) -> None:
        self._random = Random(f"crm {seed}")  # noqa: S311 - a simulation is to be repeatable
        self._known, self._bad = known, bad
        self._told: dict[str, set[str] | None] = {}  # fields by customer; none of who is not known

    def about(self, customer: str, occurred_at: str) -> Iterator[dict[str, Any]]:
        """What it says as that customer comes to buy: who they are when they first come, later what has changed."""
        rng = self._random
        if customer not in self._told:
            self._told[customer] = None
            if rng.random() < self._known:
                fields = {name: self._value(name) for name, share in TOLD.items() if rng.random() < share}
                self._told[customer] = set(fields)
                consents = {"programme": {"granted": rng.random() < CONSENTING, "text": "2026-1"}}
                person = {"name": f"{rng.choice(FIRST)} {rng.choice(LAST)}", "locale": rng.choice(LANGUAGES)}
                yield self._record(customer, occurred_at, fields) | person | {"consents": consents}
            return
        told = self._told[customer]
        if told is not None and rng.random() < CHANGED:
            name = rng.choice(list(TOLD))
            if name in told and rng.random() < CLEARED:
                told.discard(name)
                yield self._record(customer, occurred_at, {name: None})
            else:
                told.add(name)
                yield self._record(customer, occurred_at, {name: self._value(name)})

    def _record(self, customer: str, occurred_at: str, fields: Mapping[str, str | None]) -> dict[str, Any]:
        if fields and self._random.random() < self._bad:
            name = self._random.choice(list(fields))
            fields = {**fields, name: WRONG[name]}
        named = {"type": "CustomerUpserted.v1", "customer_id": customer, "occurred_at": occurred_at}
        return {**named, "fields": fields}

    def _value(self, name: str) -> str:
        """Nobody's: the domain and the numbers are set aside for examples."""
        rng = self._random
        match name:
            case "email":
                return f"{rng.choice(FIRST)}.{rng.choice(LAST)}.{rng.randrange(10**6)}@example.org".lower()
            case "phone":
                return f"+49 30 23125 {rng.randrange(1000):03d}"
            case "birthday":
                return (YOUNGEST - timedelta(days=rng.randrange(365 * YEARS))).isoformat()
            case _:
                return f"{rng.choice(STREETS)} {rng.randrange(1, 200)}, {rng.choice(TOWNS)}"
