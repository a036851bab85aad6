"""Tokens for the local system, as an identity provider would issue them."""

import secrets
import time
from typing import Any

from joserfc import jwt
from joserfc.jwk import ECKey

LIFETIME_S = 7 * 24 * 3600
OF_A_SERVICE_S = 365 * 24 * 3600  # as its passwords, it is as good as the folder that it lies in
LINK_S = 24 * 3600


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


def of_notifier(key: dict[str, Any]) -> str:
    """The token with which the notifier asks profile for addresses."""
    return sign(key, "contacts", lifetime_s=OF_A_SERVICE_S)


def sign_in_link(key: dict[str, Any], portal_url: str, customer: str) -> str:
    """A link that signs a customer in to the portal of a local system, once."""
    now = int(time.time())
    claims = {"aud": "perkstream-sign-in", "sub": customer, "jti": secrets.token_hex(16), "exp": now + LINK_S}
    link = jwt.encode({"alg": "ES256", "kid": key["kid"]}, claims, ECKey.import_key(key))
    return f"{portal_url}/sign-in?login_hint={link}"
