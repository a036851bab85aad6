"""Web push: encrypted for the customer's browser (RFC 8291), identified by VAPID (RFC 8292)."""

import hashlib
import os
import time
from fnmatch import fnmatchcase
from typing import Final
from urllib.parse import urlsplit

import httpx
import msgspec
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from joserfc import jwt
from joserfc.jwk import ECKey

from services.notifier.channels import posting
from services.notifier.channels.base64url import decoded, encoded
from services.notifier.channels.port import Permanent, Sent
from services.notifier.rendering import Rendered
from services.notifier.settings import ChannelSettings

_GONE: Final = frozenset({404, 410})
_KEPT_S: Final = 24 * 3600  # for how long a push service keeps what it cannot deliver yet
_GOOD_S: Final = 12 * 3600  # of a VAPID token; RFC 8292 allows a day
_LONGEST: Final = 3000  # bytes of a payload: every push service takes 4096 when it is encrypted
_TOPIC: Final = 32  # characters, by RFC 8030
_RECORD: Final = 4096  # bytes of the one record that a push message is


class _Keys(msgspec.Struct):
    p256dh: str
    auth: str


class _Subscription(msgspec.Struct):
    """What a browser's `PushSubscription` says as JSON."""

    endpoint: str
    keys: _Keys


class WebPush:
    """Addresses are subscriptions, as JSON. Only the configured push services are sent to."""

    def __init__(self, settings: ChannelSettings, client: httpx.AsyncClient) -> None:
        assert settings.vapid_private_key is not None
        secret = int.from_bytes(decoded(settings.vapid_private_key.get_secret_value()))
        key = ec.derive_private_key(secret, ec.SECP256R1())
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        self._client = client
        self._services = settings.push_services
        self._contact = settings.vapid_contact
        self._key = ECKey.import_key(pem)
        self._public = encoded(key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint))

    async def send(self, message: Rendered, address: str, notification_id: str) -> Sent:
        """See `Channel.send`. The push service replaces what it still keeps of an earlier attempt."""
        subscription = _read(address)
        origin = self._origin(subscription.endpoint)
        headers = {
            "authorization": self._vapid(origin),
            "content-encoding": "aes128gcm",
            "content-type": "application/octet-stream",
            "topic": encoded(hashlib.sha256(notification_id.encode()).digest())[:_TOPIC],
            "ttl": str(_KEPT_S),
            "urgency": "normal",
        }
        content = _sealed(_payload(message, notification_id), subscription.keys)
        await posting.post(self._client, subscription.endpoint, headers=headers, content=content, gone=_GONE)
        return Sent()  # its Location would let whoever reads it withdraw the message

    async def close(self) -> None:
        """See `Channel.close`."""
        await self._client.aclose()

    def _origin(self, endpoint: str) -> str:
        """Whom the request is for. A subscription comes from outside, and must not make us call anybody else."""
        try:
            parts = urlsplit(endpoint)
            port = f":{parts.port}" if parts.port else ""
        except ValueError:
            raise Permanent("the subscription names no address", address=True) from None
        host = parts.hostname or ""
        if parts.scheme != "https" or not any(fnmatchcase(host, service) for service in self._services):
            raise Permanent("the subscription names no known push service", address=True)
        return f"https://{host}{port}"

    def _vapid(self, origin: str) -> str:
        claims = {"aud": origin, "exp": int(time.time()) + _GOOD_S, "sub": self._contact}
        token = jwt.encode({"alg": "ES256", "typ": "JWT"}, claims, self._key)
        return f"vapid t={token}, k={self._public}"


def _read(address: str) -> _Subscription:
    try:
        return msgspec.json.decode(address, type=_Subscription)
    except msgspec.MsgspecError:
        raise Permanent("the address is no subscription", address=True) from None


def _payload(message: Rendered, notification_id: str) -> bytes:
    """What the service worker of the page shows. A long text is cut: there is no room for it on a screen either."""
    body = message.short
    while True:
        shown = {"title": message.subject, "body": body, "url": message.status_url, "tag": notification_id}
        payload = msgspec.json.encode(shown)
        if len(payload) <= _LONGEST or not body:
            return payload
        body = body[: len(body) // 2].rstrip() + "…" if len(body) > 1 else ""


def _sealed(payload: bytes, keys: _Keys) -> bytes:
    try:
        return sealed(payload, decoded(keys.p256dh), decoded(keys.auth), ec.generate_private_key(ec.SECP256R1()))
    except ValueError:
        raise Permanent("the keys of the subscription are none", address=True) from None


def sealed(
    payload: bytes, receiver: bytes, secret: bytes, key: ec.EllipticCurvePrivateKey, salt: bytes | None = None
) -> bytes:
    """A push message for the browser with that public key (65 bytes) and authentication secret (16 bytes).

    `key`: of this message alone; so is `salt` (16 bytes, random). Raises `ValueError`. Source: RFC 8291, section 3.4,
    and RFC 8188. The library that has it is published as source alone, and images are made of wheels.
    """
    if len(secret) != 16:  # noqa: PLR2004
        raise ValueError("auth: not 16 bytes")
    salt = os.urandom(16) if salt is None else salt
    sender = key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    shared = key.exchange(ec.ECDH(), ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), receiver))
    material = _derived(shared, secret, b"WebPush: info\0" + receiver + sender, 32)
    content_key = _derived(material, salt, b"Content-Encoding: aes128gcm\0", 16)
    nonce = _derived(material, salt, b"Content-Encoding: nonce\0", 12)
    head = salt + _RECORD.to_bytes(4) + bytes([len(sender)]) + sender
    return head + AESGCM(content_key).encrypt(nonce, payload + b"\x02", None)


def _derived(material: bytes, salt: bytes, info: bytes, length: int) -> bytes:
    return HKDF(SHA256(), length, salt, info).derive(material)
