"""The topics: who writes, who reads, how long records are kept. Deployment creates them and derives every ACL."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

SERVICES: Final = ("profile", "turnover", "ledger", "notifier", "portal")

PURCHASES: Final = "pos.purchases"
CUSTOMERS: Final = "crm.customers"
PROGRAMME: Final = "programme"
CLOCK: Final = "clock"

WEEK_MS: Final = int(timedelta(days=7) / timedelta(milliseconds=1))


def events_topic(service: str) -> str:
    """Where a service publishes its facts."""
    return f"{service}.events"


def commands_topic(service: str) -> str:
    """Where a service asks itself for changes, and sends on what arrived on the wrong partition."""
    return f"{service}.commands"


def dead_letters_topic(service: str) -> str:
    """Where a service puts the records that it could not take."""
    return f"{service}.dead-letters"


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic as deployment creates it.

    `writers`, `readers`: names of services or of outside principals (`pos`, `crm`, `clock`, `programme`).
    `partitions`: `None` for the number that all topics share, so that a customer has one partition number everywhere.
    `retention_ms`: `None` keeps records for ever. `compacted`: the newest record of each key is what is kept.

    Every topic needs `message.timestamp.type=LogAppendTime`: a record's time on Kafka is the broker's, which
    `recorded_at` and the limit on `occurred_at` rely on, and which keeps replayed history out of retention's reach.
    """

    name: str
    writers: tuple[str, ...]
    readers: tuple[str, ...]
    partitions: int | None = None
    retention_ms: int | None = None
    compacted: bool = False


_EVENT_READERS: Final = {
    "profile": ("turnover", "ledger", "notifier", "portal"),
    "turnover": ("ledger", "notifier", "portal"),
    "ledger": ("notifier", "portal"),
    "notifier": ("profile", "portal"),
    "portal": (),
}

TOPICS: Final = (
    Topic(PURCHASES, writers=("pos",), readers=("turnover",)),
    Topic(CUSTOMERS, writers=("crm",), readers=("profile",), retention_ms=WEEK_MS),
    Topic(PROGRAMME, writers=("programme",), readers=SERVICES, partitions=1, compacted=True),
    Topic(CLOCK, writers=("clock",), readers=SERVICES),
    *(Topic(commands_topic(name), (name,), (name,), retention_ms=WEEK_MS) for name in SERVICES),
    *(Topic(events_topic(name), (name,), _EVENT_READERS[name]) for name in SERVICES),
    # A service reads its own dead letters to try them again.
    *(Topic(dead_letters_topic(name), (name,), (name,), retention_ms=WEEK_MS) for name in SERVICES),
)
