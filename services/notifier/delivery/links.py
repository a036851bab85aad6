"""Links to unsubscribe without a login: signed, good for one purpose and one customer, and for ever (RFC 8058)."""

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error
from hashlib import sha256
from typing import Final

from msgspec import Struct

from services.notifier.policy import RECEIPT, REMINDER

_SIGNED: Final = 16  # bytes of the signature
_LONGEST: Final = 200


class Wish(Struct, frozen=True):
    """What somebody who follows a link does not want any more: `reminders`, or a channel."""

    customer_id: str
    what: str


class Links:
    """Makes and reads the tokens in links."""

    def __init__(self, key: str) -> None:
        self._key = key.encode()

    def token(self, wish: Wish) -> str:
        """A token for a link; the same for the same wish."""
        said = f"{wish.what}/{wish.customer_id}".encode()
        return urlsafe_b64encode(self._signature(said) + said).decode().rstrip("=")

    def read(self, token: str) -> Wish | None:
        """What a token says; `None` for one that we did not make."""
        try:
            whole = urlsafe_b64decode(token[:_LONGEST] + "=" * (-len(token[:_LONGEST]) % 4))
            signature, said = whole[:_SIGNED], whole[_SIGNED:]
            if not hmac.compare_digest(signature, self._signature(said)):
                return None
            what, _, customer_id = said.decode().partition("/")
        except (Error, ValueError):
            return None
        wish = Wish(customer_id, what)
        return wish if self.token(wish) == token else None

    def _signature(self, said: bytes) -> bytes:
        return hmac.digest(self._key, b"unsubscribe/" + said, sha256)[:_SIGNED]


def wish_of(template: str, channel: str, customer_id: str) -> Wish | None:
    """What the link in a message clears: the reminder's its switch, the others' their channel; the receipt has none."""
    if template == RECEIPT:
        return None
    return Wish(customer_id, "reminders" if template == REMINDER else channel)
