"""Who is signed in: sessions, whose contents only the cookie of their browser can open."""

import hashlib
import secrets
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from msgspec import Struct

from shared.mongo import Mongo
from shared.mongo import Session as Transaction

SESSIONS: Final = "sessions"
LIFETIME: Final = timedelta(hours=12)  # whatever happens; then customers sign in again
OVERLAP: Final = timedelta(seconds=30)  # for requests that were under way when a session got another cookie
_NONCE: Final = 12


class Signed(Struct, frozen=True):
    """A session. `access_until`: when the access token ends; `refresh_token` gets another, where there is one.

    `began`: the sign-in, which ends it after `LIFETIME`.
    """

    customer_id: str
    access_token: str
    access_until: datetime
    refresh_token: str | None
    began: datetime


class Sessions:
    """Sessions by cookie. The database holds a hash of the cookie, and a box whose key is in the cookie alone."""

    def __init__(self, mongo: Mongo) -> None:
        self._mongo = mongo

    async def open(self, signed: Signed, partition: int) -> str:
        """Keep a session under a new cookie, whose value is returned. `partition`: of the customer."""
        cookie = f"{partition:02d}-{secrets.token_urlsafe(32)}"
        identity, key = _split(cookie)
        nonce = secrets.token_bytes(_NONCE)
        box = nonce + AESGCM(key).encrypt(nonce, msgspec.json.encode(signed), identity.encode())
        await self._mongo.insert(SESSIONS, {"_id": identity, "box": box, "expires": signed.began + LIFETIME})
        return cookie

    async def find(self, cookie: str | None) -> Signed | None:
        """The session of a cookie; `None` for one that has ended or never was."""
        if not cookie or len(cookie) > 100:  # noqa: PLR2004
            return None
        identity, key = _split(cookie)
        found = await self._mongo.find(SESSIONS, {"_id": identity})
        # MongoDB takes away what has expired once a minute.
        if not found or found[0]["expires"] <= datetime.now(UTC):
            return None
        box = found[0]["box"]
        try:
            text = AESGCM(key).decrypt(box[:_NONCE], box[_NONCE:], identity.encode())
        except InvalidTag:
            return None
        return msgspec.json.decode(text, type=Signed)

    async def lasting(self, identities: Collection[str]) -> set[str]:
        """Those of these sessions (`identity_of`) that go on."""
        found = await self._mongo.find(
            SESSIONS, {"_id": {"$in": list(identities)}, "expires": {"$gt": datetime.now(UTC)}}, fields={"_id": 1}
        )
        return {document["_id"] for document in found}

    async def close(self, cookie: str, *, overlap: bool = False) -> None:
        """End a session at once, or let requests that are under way end first."""
        identity, _ = _split(cookie)
        found = await self._mongo.find(SESSIONS, {"_id": identity})
        if not found:
            return

        def work(transaction: Transaction) -> None:
            if overlap:
                transaction.put(SESSIONS, [found[0] | {"expires": datetime.now(UTC) + OVERLAP}])
            else:
                transaction.delete_where(SESSIONS, {"_id": identity})

        await self._mongo.transact(work)


def identity_of(cookie: str) -> str:
    """The name of a cookie's session, which opens nothing."""
    return _split(cookie)[0]


def _split(cookie: str) -> tuple[str, bytes]:
    """Where a session lies, and what opens it. Neither tells the other, and nobody can guess 32 random bytes."""
    partition, _, secret = cookie.partition("-")
    number = int(partition) if partition.isdecimal() and len(partition) < 5 else 0  # noqa: PLR2004
    named = hashlib.sha256(b"session" + secret.encode()).hexdigest()
    return f"{number:02d}/{named}", hashlib.sha256(b"box" + secret.encode()).digest()
