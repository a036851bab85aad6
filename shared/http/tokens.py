"""Who is asking: bearer tokens (JWT, RFC 9068) checked against a JWKS, and the scopes that open a route."""

import asyncio
import json
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Final, Literal, cast

import httpx
from fastapi import Request, Security
from fastapi.openapi.models import HTTPBearer
from fastapi.security.base import SecurityBase
from joserfc import jws, jwt
from joserfc.errors import ExpiredTokenError, JoseError, SecurityWarning
from joserfc.jwk import KeySet, KeySetSerialization
from msgspec import Struct

from shared import log as logs
from shared.http.limits import Limits
from shared.http.problems import Problem, unavailable

Scope = Literal["customer", "pos", "staff", "programme", "ops", "contacts"]

OWN: Final = frozenset[str]({"customer"})

# Asymmetric ones only: with a shared secret, every service could sign. EdDSA is the older name of Ed25519 (RFC 9864).
ALGORITHMS: Final = ("ES256", "Ed25519", "EdDSA", "RS256")
LEEWAY: Final = 5  # seconds by which clocks may differ
REFRESH: Final = 60.0  # seconds between two readings of the keys, whatever tokens arrive
STALE: Final = 3600.0  # seconds after which the keys are read again, so that a revoked one goes
REMEMBERED: Final = 1_000  # tokens, of at most 8 KB each, whose signature was checked
LONGEST: Final = 8192  # characters of a token
LARGEST: Final = 256 * 1024  # bytes of a JWKS

# Most providers that sign with Ed25519 still use the older name; joserfc warns of it at every token.
warnings.filterwarnings("ignore", "EdDSA is deprecated", SecurityWarning)

log = logs.get("http")


class Principal(Struct, frozen=True):
    """Who a token speaks for. `subject`: for a customer's token, the customer id."""

    subject: str
    scopes: frozenset[str]


class Keys:
    """The public keys that sign tokens, from a JWKS (RFC 7517) in a file or at an http(s) address.

    They are read again when a token names an unknown one or when they are an hour old, at most once a minute; when that
    fails, the old ones stay.
    """

    def __init__(self, source: str, clock: Callable[[], float] = time.monotonic) -> None:
        """Read a file at once, so that a wrong one stops the start; ValueError says what is wrong with it."""
        self._source, self._clock = source, clock
        self._keys: KeySet | None = None
        self._read_at = -STALE
        self._tried_at = -STALE
        self._reading = asyncio.Lock()
        if not self._remote:
            self._keys = parse(Path(source).read_bytes())
            self._read_at = self._tried_at = clock()

    @property
    def _remote(self) -> bool:
        return self._source.startswith(("http://", "https://"))

    async def find(self, kid: str | None) -> KeySet:
        """All keys, read again first if there is reason to. Raises a problem when none could be read ever."""
        if self._wanting(kid):
            async with self._reading:
                if self._wanting(kid) and self._clock() - self._tried_at >= REFRESH:
                    await self._read()
        if self._keys is None:
            raise unavailable("The keys that tokens are checked with cannot be read", retry_after=int(REFRESH))
        return self._keys

    def _wanting(self, kid: str | None) -> bool:
        if self._keys is None or self._clock() - self._read_at >= STALE:
            return True
        return kid is not None and all(key.kid != kid for key in self._keys)

    async def _read(self) -> None:
        self._tried_at = self._clock()
        try:
            self._keys = parse(await self._fetch())
            self._read_at = self._clock()
        except (OSError, httpx.HTTPError, ValueError) as error:
            log.warning("keys for tokens cannot be read", why=type(error).__name__)

    async def _fetch(self) -> bytes:
        if not self._remote:
            return await asyncio.to_thread(Path(self._source).read_bytes)
        async with httpx.AsyncClient(timeout=5) as client, client.stream("GET", self._source) as reply:
            reply.raise_for_status()
            found = b""
            async for chunk in reply.aiter_bytes():
                found += chunk
                if len(found) > LARGEST:
                    raise ValueError("too large")
            return found


def parse(document: bytes) -> KeySet:
    """A JWKS, of which the keys that can sign by `ALGORITHMS` are taken. Raises ValueError."""
    try:
        found: Any = json.loads(document)
        usable = [key for key in found["keys"] if key["kty"] in {"EC", "OKP", "RSA"} and key.get("use", "sig") == "sig"]
        return KeySet.import_key_set(cast("KeySetSerialization", {"keys": usable}))
    except (JoseError, TypeError, KeyError, AttributeError, ValueError) as error:
        raise ValueError("is no JWKS with a public key for signatures") from error


class Guard:
    """Checks tokens, and slows customers down who ask too often."""

    def __init__(self, keys: Keys, issuer: str, audience: str, limits: Limits | None = None) -> None:
        """`issuer` and `audience`: what `iss` must be, and what `aud` must be or contain."""
        self._keys = keys
        self._limits = limits or Limits()
        self._seen: dict[str, tuple[KeySet, dict[str, Any]]] = {}
        self._claims = jwt.JWTClaimsRegistry(
            leeway=LEEWAY,
            iss={"essential": True, "value": issuer},
            aud={"essential": True, "value": audience},
            sub={"essential": True},
            exp={"essential": True},
        )

    async def admit(self, authorization: str | None) -> Principal:
        """The principal of an `Authorization` header. Raises `unauthenticated`, or `rate-limited` for customers."""
        scheme, _, token = (authorization or "").strip().partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise unauthenticated("Send Authorization: Bearer and a token")
        principal = await self._check(token.strip())
        if principal.scopes <= OWN:
            self._limits.take(principal.subject)
        return principal

    async def _check(self, token: str) -> Principal:
        try:
            claims = await self._signed(token)
            self._claims.validate(claims)
        except ExpiredTokenError:
            raise unauthenticated("The token has expired", "invalid_token") from None
        except (JoseError, ValueError, TypeError, AttributeError, KeyError):
            raise unauthenticated("The token is not valid here", "invalid_token") from None
        scope = claims.get("scope")
        return Principal(claims["sub"], frozenset(scope.split() if isinstance(scope, str) else ()))

    async def _signed(self, token: str) -> dict[str, Any]:
        """What a token says that one of the keys has signed.

        A till sends the same token with every request: its signature is checked once for each reading of the keys.
        """
        keys, claims = self._seen.get(token, (None, None))
        if claims is not None and keys is await self._keys.find(None):
            return claims
        if len(token) > LONGEST:
            raise ValueError("too long")
        kid: Any = jws.extract_compact(token.encode()).headers().get("kid")
        keys = await self._keys.find(kid if isinstance(kid, str) else None)
        claims = jwt.decode(token, keys, ALGORITHMS).claims
        if len(self._seen) >= REMEMBERED:
            self._seen.clear()
        self._seen[token] = keys, claims
        return claims


def unauthenticated(detail: str, error: str | None = None) -> Problem:
    """401 with the challenge of RFC 6750; `error` only where a token was sent."""
    challenge = "Bearer" if error is None else f'Bearer error="{error}", error_description="{detail}"'
    return Problem("unauthenticated", detail, headers={"WWW-Authenticate": challenge})


class Allow(SecurityBase):
    """A dependency that lets a principal in who has one of the scopes; use `allow`."""

    def __init__(self, scopes: tuple[Scope, ...]) -> None:
        self.model = HTTPBearer(bearerFormat="JWT", description="A JWT with one of the scopes that the call names.")
        self.scheme_name = "token"
        self._scopes = frozenset[str](scopes)
        self._named = " ".join(scopes)

    async def __call__(self, request: Request) -> Principal:
        """The principal. A customer's scope opens `{customer_id}` of the path alone, where it is the token's `sub`."""
        guard: Guard = request.app.state.guard
        principal = await guard.admit(request.headers.get("authorization"))
        granted = principal.scopes & self._scopes
        if self._scopes and not granted:
            challenge = f'Bearer error="insufficient_scope", scope="{self._named}"'
            raise Problem(
                "forbidden", f"One of these scopes is needed: {self._named}", headers={"WWW-Authenticate": challenge}
            )
        if granted == OWN and request.path_params.get("customer_id") != principal.subject:
            raise Problem("forbidden", "A customer's token opens that customer alone")
        return principal


def allow(*scopes: Scope) -> Any:
    """Who may call a route: `who: Annotated[Principal, allow("customer", "ops")]`; no scope: whoever has a token."""
    return Security(Allow(scopes), scopes=list(scopes))


Anybody = Annotated[Principal, allow()]
