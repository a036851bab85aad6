"""base64url, as web push writes keys: with or without padding."""

import base64


def decoded(value: str) -> bytes:
    """The bytes; raises `ValueError`."""
    return base64.b64decode(value + "=" * (-len(value) % 4), altchars=b"-_", validate=True)


def encoded(value: bytes) -> str:
    """The text, without padding."""
    return base64.urlsafe_b64encode(value).decode().rstrip("=")
