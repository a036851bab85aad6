"""The codes of coupons: what a customer shows and a till reads, made of a secret that no rule and no event knows."""

import hmac
import json
from base64 import b32encode
from collections.abc import Iterable
from hashlib import sha256
from typing import Final

_BYTES: Final = 10  # of a code: 80 bits cannot be guessed at a till, and 16 characters can still be typed
_GROUP: Final = 4


class Coupons:
    """Codes under one secret; another secret makes other codes, so that those shown before are void."""

    def __init__(self, secret: str) -> None:
        self._key = secret.encode()

    def code(self, customer_id: str, benefit: str, period: str | None) -> str:
        """The code of a customer's coupon: sixteen letters and digits in groups of four."""
        named = json.dumps([customer_id, benefit, period]).encode()
        text = b32encode(hmac.digest(self._key, named, sha256)[:_BYTES]).decode()
        return "-".join(text[at : at + _GROUP] for at in range(0, len(text), _GROUP))

    def period(
        self, code: str, customer_id: str, benefit: str, periods: Iterable[str | None]
    ) -> tuple[str | None] | None:
        """Of which of these periods a code is, however it was typed; `None`: of none."""
        typed = "".join(code.split()).replace("-", "").upper().encode()
        for one in periods:
            if hmac.compare_digest(self.code(customer_id, benefit, one).replace("-", "").encode(), typed):
                return (one,)
        return None
