"""Seals a person's values, so that they are no more than noise once the key is gone."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

KEY_BITS: Final = 512  # two AES-256 keys, one to authenticate and one to encrypt


class UnsealError(Exception):
    """A box that this key, customer and field did not make, or that was changed. Names the field, shows no value."""


def new_key() -> bytes:
    """A random key of 64 bytes."""
    return AESSIV.generate_key(KEY_BITS)


class Sealer:
    """Seals and opens the values of one customer, by AES-SIV (RFC 5297).

    The same key, customer, field and text always make the same box, so that a repeated record writes the same bytes and
    rules can compare without opening. A box tells the length of its text, and nothing else about it.
    """

    __slots__ = ("_cipher", "_customer")

    def __init__(self, customer_id: str, key: bytes) -> None:
        """`key`: as `new_key` makes it; a `ValueError` where it is no such key."""
        if len(key) * 8 != KEY_BITS:
            raise ValueError("key: not of 64 bytes")
        self._cipher = AESSIV(key)
        self._customer = customer_id.encode()

    def seal(self, field: str, text: str) -> str:
        """The box of a value: url-safe base64 without padding, a third longer than the text in UTF-8 and 16 bytes."""
        # The zero byte is for the empty text, which OpenSSL before 3.5 does not seal.
        sealed = self._cipher.encrypt(text.encode() + b"\0", [self._customer, field.encode()])
        return urlsafe_b64encode(sealed).rstrip(b"=").decode()

    def open(self, field: str, box: str) -> str:
        """What was sealed. Raises `UnsealError`."""
        try:
            sealed = urlsafe_b64decode(box + "=" * (-len(box) % 4))
            # Base64 can be written in several ways; a box cannot, for rules take unequal boxes for unequal values.
            if urlsafe_b64encode(sealed).rstrip(b"=").decode() != box:
                raise UnsealError(f"{field}: not a box")
            return self._cipher.decrypt(sealed, [self._customer, field.encode()])[:-1].decode()
        except InvalidTag:
            raise UnsealError(f"{field}: sealed under another key, customer or field, or changed") from None
        except ValueError:
            raise UnsealError(f"{field}: not a box") from None
