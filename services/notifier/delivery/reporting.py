"""Tells the rules what became of a message: a command to the customer's writer, the same however often it is sent."""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, Protocol

from services.notifier.delivery.outbox import Delivery
from services.notifier.reports import Outcome

KIND: Final = "DeliveryReported.v1"
WAIT: Final = 5.0  # seconds that an answer may take; the report is on its way in any case
_SENDER: Final = "notifier"


class Writers(Protocol):
    """The way to the one writer of each customer; raises `shared.mongo.Unavailable`."""

    async def send(self, command: Mapping[str, Any], wait: float) -> Any:
        """Publish a command and wait so many seconds for the answer, which has an `answer` then."""
        ...


def report_of(delivery: Delivery, outcome: Outcome, at: datetime, ref: str | None) -> dict[str, Any]:
    """The command that reports an attempt. `at`: the sender's time. `ref`: of the address.

    Of an attempt that two have made, one after the other, each outcome is heard: one may have sent what the other could
    not.
    """
    name = f"{delivery.id}/{delivery.attempt}/{outcome}"
    digest = hashlib.sha256(name.encode()).hexdigest()[:32]
    return {
        "type": KIND,
        "command_id": f"{delivery.partition:02d}-{digest}",
        "customer_id": delivery.customer,
        "sender": _SENDER,
        "fingerprint": digest,
        "notification_id": delivery.id,
        "template": delivery.template,
        "channel": delivery.channel,
        "attempt": delivery.attempt,
        "outcome": outcome,
        "at": at.isoformat(),
        "ref": ref,
        "params": delivery.params,
    }


async def tell(writers: Writers, report: Mapping[str, Any]) -> bool:
    """Send a report; whether the rules have heard it by now."""
    stored = await writers.send(report, WAIT)
    return stored.answer is not None
