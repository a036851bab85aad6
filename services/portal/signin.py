"""Sign-in by OpenID Connect: authorization code with PKCE, at the retailer's provider."""

import asyncio
import secrets
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import httpx
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.httpx_client import AsyncOAuth2Client
from httpx2 import HTTPError
from joserfc import jwt
from joserfc.errors import JoseError
from msgspec import Struct
from pydantic import BaseModel, ValidationError

from services.portal.sessions import Signed
from services.portal.settings import PortalSettings
from shared import log as logs
from shared.http.problems import Problem, unavailable
from shared.http.tokens import ALGORITHMS, LEEWAY, Guard, Keys

SCOPE: Final = "openid customer offline_access"
BACK: Final = "/signed-in"
_MARGIN: Final = timedelta(seconds=30)  # before its end an access token is renewed
_UNSAID: Final = 300  # seconds that an access token lasts where nobody says

log = logs.get("sign-in")


class SignInError(Exception):
    """A sign-in that came to nothing; there is no session. Its text is for the log."""


class Discovered(BaseModel):
    """What a provider says of itself (OpenID Connect Discovery)."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str


class Attempt(Struct, frozen=True):
    """A sign-in under way. It travels in a cookie of the browser that began it; `back`: the page that it wanted."""

    state: str
    nonce: str
    verifier: str
    back: str


class Provider:
    """The OpenID provider. A `guard` checks access tokens as every service does."""

    def __init__(self, settings: PortalSettings) -> None:
        self._settings = settings
        self._found: tuple[Discovered, Keys] | None = None
        self._finding = asyncio.Lock()
        self._tls = httpx.create_ssl_context()  # reading all authorities takes 20 ms, in which every page would wait

    async def begin(self, back: str, hint: str | None) -> tuple[Attempt, str]:
        """A new attempt and where to send the browser. `hint`: for the provider, whom to sign in."""
        found, _ = await self._discover()
        attempt = Attempt(
            state=secrets.token_urlsafe(24),
            nonce=secrets.token_urlsafe(24),
            verifier=secrets.token_urlsafe(48),
            back=back,
        )
        more = {"login_hint": hint} if hint else {}
        async with self._client() as client:
            url, _ = client.create_authorization_url(
                found.authorization_endpoint,
                state=attempt.state,
                code_verifier=attempt.verifier,
                nonce=attempt.nonce,
                **more,
            )
        return attempt, url

    async def finish(self, attempt: Attempt, code: str, issuer: str | None, guard: Guard) -> Signed:
        """The session that a code brings; raises `SignInError`. `issuer`: as the answer names it (RFC 9207)."""
        found, keys = await self._discover()
        if issuer is not None and issuer != found.issuer:
            raise SignInError("the answer is another provider's")
        async with self._client() as client:
            token = await _asked(client.fetch_token(found.token_endpoint, code=code, code_verifier=attempt.verifier))
        subject = await self._subject(token.get("id_token"), attempt.nonce, found, keys)
        return await _signed(token, subject, datetime.now(UTC), None, guard)

    async def renewed(self, signed: Signed, guard: Guard) -> Signed:
        """The session with an access token that lasts; raises `SignInError` when a new sign-in is needed."""
        if signed.access_until - _MARGIN > datetime.now(UTC):
            return signed
        if signed.refresh_token is None:
            raise SignInError("the access token has ended")
        found, _ = await self._discover()
        async with self._client() as client:
            token = await _asked(client.refresh_token(found.token_endpoint, refresh_token=signed.refresh_token))
        return await _signed(token, signed.customer_id, signed.began, signed.refresh_token, guard)

    async def _discover(self) -> tuple[Discovered, Keys]:
        async with self._finding:
            if self._found is None:
                issuer = self._settings.issuer
                try:
                    async with httpx.AsyncClient(timeout=5, verify=self._tls) as http:
                        answer = await http.get(f"{issuer}/.well-known/openid-configuration")
                    found = Discovered.model_validate_json(answer.raise_for_status().content)
                except (httpx.HTTPError, ValidationError) as error:
                    log.warning("the provider cannot be asked", why=type(error).__name__)
                    raise unavailable("Sign-in is not possible at the moment", retry_after=5) from None
                if found.issuer != issuer:
                    log.error("the provider calls itself something else", expected=issuer, found=found.issuer)
                    raise unavailable("Sign-in is not possible at the moment", retry_after=60)
                self._found = found, Keys(found.jwks_uri)
            return self._found

    def _client(self) -> Any:
        secret = self._settings.oidc_client_secret
        return AsyncOAuth2Client(
            client_id=self._settings.oidc_client_id,
            client_secret=secret.get_secret_value() if secret else None,
            token_endpoint_auth_method="client_secret_basic" if secret else "none",
            scope=SCOPE,
            redirect_uri=f"{self._settings.portal_url}{BACK}",
            code_challenge_method="S256",
            timeout=5,
            verify=self._tls,
        )

    async def _subject(self, id_token: object, nonce: str, found: Discovered, keys: Keys) -> str:
        """Whom an ID token speaks of, once it is checked (OpenID Connect Core, 3.1.3.7)."""
        claims = jwt.JWTClaimsRegistry(
            leeway=LEEWAY,
            iss={"essential": True, "value": found.issuer},
            aud={"essential": True, "value": self._settings.oidc_client_id},
            sub={"essential": True},
            exp={"essential": True},
            nonce={"essential": True, "value": nonce},
        )
        try:
            if not isinstance(id_token, str):
                raise SignInError("the provider sent no ID token")
            said = jwt.decode(id_token, await keys.find(None), ALGORITHMS).claims
            claims.validate(said)
            if said.get("azp", self._settings.oidc_client_id) != self._settings.oidc_client_id:
                raise SignInError("the ID token is another client's")
        except (JoseError, ValueError, TypeError, KeyError) as error:
            raise SignInError(f"the ID token is not valid: {type(error).__name__}") from None
        return said["sub"]


async def _signed(token: dict[str, Any], subject: str, began: datetime, refresh: str | None, guard: Guard) -> Signed:
    """The session of an answer, whose access token must open the customer who has signed in, and nobody else."""
    access = token.get("access_token")
    try:
        principal = await guard.admit(f"Bearer {access}")
    except Problem as problem:
        raise SignInError(f"the access token is not valid here: {problem.title}") from None
    if principal.subject != subject or "customer" not in principal.scopes:
        raise SignInError("the access token does not open the customer who has signed in")
    lasts = token.get("expires_in")
    return Signed(
        customer_id=subject,
        access_token=str(access),
        access_until=datetime.now(UTC) + timedelta(seconds=lasts if isinstance(lasts, int) else _UNSAID),
        refresh_token=token.get("refresh_token") or refresh,
        began=began,
    )


async def _asked(question: Any) -> dict[str, Any]:
    try:
        return await question
    except HTTPError as error:
        log.warning("the provider cannot be asked", why=type(error).__name__)
        raise unavailable("Sign-in is not possible at the moment", retry_after=5) from None
    except (AuthlibBaseError, ValueError) as error:
        raise SignInError(f"the provider refused: {type(error).__name__}") from None
