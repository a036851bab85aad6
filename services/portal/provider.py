"""An OpenID provider for the local system: it signs in whoever opens a link that the stack's own key has signed.

It answers in the portal's process, keeps codes in memory, and exists only where browsers see the portal on this machine
(`services.portal.settings`).
"""

import base64
import hashlib
import json
import secrets
import time
from typing import Annotated, Any, Final
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import JSONResponse, RedirectResponse
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, KeySet
from msgspec import Struct

from services.portal.settings import DEVELOPMENT, PortalSettings
from services.portal.signin import BACK
from services.portal.visit import form
from shared.http.problems import Problem
from shared.settings import PREFIX

ALGORITHM: Final = "ES256"
LINKS: Final = "perkstream-sign-in"  # the audience of links
HELP: Final = """This is the sign-in of the local system. It lets in whoever opens a sign-in link.

`make run` prints one, and another one is made by:

    .venv/bin/perkstream sign-in --customer c-000001
"""
ACCESS_S: Final = 600
CODE_S: Final = 60
REFRESH_S: Final = 12 * 3600


class Granted(Struct, frozen=True):
    """What a code or a refresh token stands for, until a monotonic time."""

    customer_id: str
    until: float
    nonce: str = ""
    challenge: str = ""


class DevelopmentProvider:
    """Codes and refresh tokens, each good for one use. `issuer`, `audience`: of access tokens, as services want."""

    def __init__(self, settings: PortalSettings, issuer: str, audience: str) -> None:
        assert settings.development_key is not None
        self._settings, self._issuer, self._audience = settings, issuer, audience
        try:
            self._key = ECKey.import_key(json.loads(settings.development_key.read_text()))
        except (OSError, ValueError, JoseError) as error:
            raise SystemExit(f"{PREFIX}DEVELOPMENT_KEY: holds no private key: {type(error).__name__}") from None
        self._granted: dict[str, Granted] = {}
        self._used: dict[str, float] = {}

    def metadata(self) -> dict[str, Any]:
        """What the provider says of itself."""
        issuer = self._settings.issuer
        return {
            "issuer": issuer,
            "authorization_endpoint": f"{issuer}/authorize",
            "token_endpoint": f"{issuer}/token",
            "jwks_uri": f"{issuer}/keys",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": [ALGORITHM],
            "code_challenge_methods_supported": ["S256"],
            "token_endpoint_auth_methods_supported": ["none"],
        }

    def keys(self) -> Any:
        """The public keys."""
        return KeySet([self._key]).as_dict(private=False)

    def welcome(self, link: str) -> str:
        """The customer whom a signed link names; raises a problem for one that is not valid or was used."""
        try:
            claims = jwt.decode(link, self._key, [ALGORITHM]).claims
            jwt.JWTClaimsRegistry(
                aud={"essential": True, "value": LINKS},
                sub={"essential": True},
                jti={"essential": True},
                exp={"essential": True},
            ).validate(claims)
        except (JoseError, ValueError, TypeError, KeyError):
            raise Problem("forbidden", "This link is not valid, or no longer; make another one") from None
        self._forget()
        if claims["jti"] in self._used:
            raise Problem("forbidden", "This link was used; make another one")
        self._used[claims["jti"]] = time.monotonic() + claims["exp"] - time.time()
        return claims["sub"]

    def grant(self, granted: Granted) -> str:
        """A secret that stands for this, once."""
        self._forget()
        secret = secrets.token_urlsafe(32)
        self._granted[secret] = granted
        return secret

    def redeem(self, secret: str) -> Granted | None:
        """What a secret stands for; it is of no use any more."""
        self._forget()
        return self._granted.pop(secret, None)

    def tokens(self, customer_id: str, nonce: str) -> dict[str, Any]:
        """The answer of the token endpoint."""
        now = int(time.time())
        access = {"iss": self._issuer, "aud": self._audience, "sub": customer_id, "scope": "customer"}
        identity = {"iss": self._settings.issuer, "aud": self._settings.oidc_client_id, "sub": customer_id}
        answer = {
            "access_token": self._signed(access, now),
            "token_type": "Bearer",
            "expires_in": ACCESS_S,
            "refresh_token": self.grant(Granted(customer_id, time.monotonic() + REFRESH_S)),
        }
        return answer | ({"id_token": self._signed(identity | {"nonce": nonce}, now)} if nonce else {})

    def _signed(self, claims: dict[str, Any], now: int) -> str:
        return jwt.encode(
            {"alg": ALGORITHM, "kid": self._key.kid}, claims | {"iat": now, "exp": now + ACCESS_S}, self._key
        )

    def _forget(self) -> None:
        now = time.monotonic()
        self._granted = {secret: one for secret, one in self._granted.items() if one.until > now}
        self._used = {link: until for link, until in self._used.items() if until > now}


def routes(provider: DevelopmentProvider, settings: PortalSettings) -> APIRouter:
    """Discovery, keys, and the two endpoints of the code flow."""
    router = APIRouter(prefix=DEVELOPMENT, include_in_schema=False)
    back = f"{settings.portal_url}{BACK}"

    @router.get("/.well-known/openid-configuration")
    async def discovery() -> dict[str, Any]:
        return provider.metadata()

    @router.get("/keys")
    async def keys() -> Any:
        return provider.keys()

    @router.get("/authorize")
    async def authorize(
        client_id: str,
        redirect_uri: str,
        response_type: str,
        state: str,
        nonce: str,
        code_challenge: str,
        code_challenge_method: str,
        login_hint: Annotated[str, Query(max_length=2000)] = "",
    ) -> Response:
        wanted = (client_id, redirect_uri, response_type, code_challenge_method)
        if wanted != (settings.oidc_client_id, back, "code", "S256"):
            raise Problem("forbidden", "This provider signs in to this portal alone")
        if not login_hint:
            return Response(HELP, 401, media_type="text/plain; charset=utf-8")
        customer_id = provider.welcome(login_hint)
        code = provider.grant(Granted(customer_id, time.monotonic() + CODE_S, nonce, code_challenge))
        query = urlencode({"code": code, "state": state, "iss": settings.issuer})
        return RedirectResponse(f"{back}?{query}", 303)

    @router.post("/token")
    async def token(request: Request) -> Response:
        asked = await form(request)
        renews = asked.get("grant_type") == "refresh_token"
        granted = provider.redeem(asked.get("refresh_token" if renews else "code", ""))
        # What a refresh token stands for has no challenge, and a code always has one.
        if granted is None or granted.challenge != ("" if renews else _challenge(asked.get("code_verifier", ""))):
            return JSONResponse({"error": "invalid_grant"}, 400)
        return JSONResponse(provider.tokens(granted.customer_id, granted.nonce))

    return router


def _challenge(verifier: str) -> str:
    """The S256 challenge of a verifier (RFC 7636)."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
