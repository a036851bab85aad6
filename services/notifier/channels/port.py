"""What every channel offers: hand one message over, or say why that is not possible."""

from typing import Final, Protocol

from msgspec import Struct

from services.notifier.rendering import Rendered

AT_ONCE: Final = 32  # messages that are sent through one channel at the same time


class Sent(Struct, frozen=True):
    """The provider has taken the message. `reference`: what it calls it; empty where it does not say."""

    reference: str = ""


class NotSent(Exception):
    """The message was not handed over. `reason`: a few words for operators; never an address, nor text of others."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Temporary(NotSent):
    """Another attempt may succeed: the provider is away, busy, or does not accept our login.

    `after_s`: not before so many seconds, where the provider said so. `unsure`: it may have taken the message, its
    answer was lost. `alone`: this concerns the one message, others may well be taken.
    """

    def __init__(self, reason: str, *, after_s: float | None = None, unsure: bool = False, alone: bool = False) -> None:
        super().__init__(reason)
        self.after_s = after_s
        self.unsure = unsure
        self.alone = alone


class Permanent(NotSent):
    """No attempt will succeed. `address`: nothing can reach this address any more, whatever the message."""

    def __init__(self, reason: str, *, address: bool = False) -> None:
        super().__init__(reason)
        self.address = address


class Channel(Protocol):
    """A way to reach customers. Safe for many sends at once; takes no more time than its own time-out."""

    async def send(self, message: Rendered, address: str, notification_id: str) -> Sent:
        """Hand the message over; raises `Temporary` or `Permanent`, and nothing else.

        `notification_id` is the idempotency key: the same for every attempt, so that a provider, or the customer's
        mail program, can drop a second copy.
        """
        ...

    async def close(self) -> None:
        """End its connections."""
        ...
