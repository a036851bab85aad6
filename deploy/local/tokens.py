"""Tokens for the local system, as an identity provider would issue them."""

import time
from typing import Any

from joserfc import jwt
from joserfc.jwk import ECKey

LIFETIME_S = 7 * 24 * 3600


def sign(key: dict[str, Any], scope: str, customer: str | None = None, lifetime_s: int = LIFETIME_S) -> str:
    """A bearer token (JWT, ES256). `scope`: one or several, separated by spaces; `customer`: whose data it opens.

    `key`: `signing_key` of the stack's secrets.json.
    """
    now = int(time.time())
    claims = {
        "iss": "perkstream",
        "aud": "perkstream",
        "sub": customer or scope,
        "scope": scope,
        "iat": now,
        "exp": now + lifetime_s,
    }
    return jwt.encode({"alg": "ES256", "kid": key["kid"]}, claims, ECKey.import_key(key))
