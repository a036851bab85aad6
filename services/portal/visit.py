"""Who asks, in which language, and whether a change comes from our own pages."""

from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import parse_qsl, quote

from fastapi import Request, Response
from starlette.exceptions import HTTPException

from services.portal.sessions import LIFETIME, Sessions, Signed
from services.portal.settings import PortalSettings
from services.portal.signin import Provider, SignInError
from services.portal.texts import LANGUAGES, accepted, language_of
from shared import log as logs
from shared.http.limits import Limits
from shared.http.problems import Problem
from shared.http.tokens import Guard

LANGUAGE: Final = "language"
LANGUAGE_FOR_S: Final = 365 * 24 * 3600
SIGN_IN: Final = "/sign-in"
SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
MOST_FIELDS: Final = 100

log = logs.get("visit")


class Visit:
    """One request of a customer. `bearer`: the token that came with it, instead of a session."""

    def __init__(self, request: Request, customer_id: str, signed: Signed | None, bearer: str | None) -> None:
        self.request = request
        self.customer_id = customer_id
        self.signed = signed
        self.bearer = bearer
        self.cookie: str | None = None  # a new one, to be set

    @property
    def by_htmx(self) -> bool:
        """Whether parts of a page are wanted, and not a page."""
        return self.request.headers.get("hx-request") == "true"

    def tag(self, preferred: str | None) -> str:
        """The locale of the page: as switched to, as preferred, or as the browser asks; one whose language we speak."""
        switched = self.request.cookies.get(LANGUAGE)
        if switched in LANGUAGES:
            # A locale of that language knows more than the language alone.
            return preferred if preferred is not None and language_of(preferred) == switched else switched
        if preferred is not None and language_of(preferred):
            return preferred
        return accepted(self.request.headers.get("accept-language")) or next(iter(LANGUAGES))


class Doors:
    """Lets customers in."""

    def __init__(self, settings: PortalSettings, provider: Provider) -> None:
        self._settings, self._provider, self._limits = settings, provider, Limits()
        # The prefix makes browsers refuse a cookie that another host of the same domain has set.
        prefix = "__Host-" if settings.secure else ""
        self.session, self.attempt = f"{prefix}bonus", f"{prefix}sign-in"

    async def admit(self, request: Request, sessions: Sessions) -> Visit:
        """The visit of whoever is signed in, or brings a customer's bearer token; sends everybody else to sign in.

        Raises `forbidden` for a change that does not come from our own pages, and `rate-limited`.
        """
        guard: Guard = request.app.state.guard
        header = request.headers.get("authorization", "")
        if header.lower().startswith("bearer "):  # another scheme is that of a proxy before us
            principal = await guard.admit(header)
            if "customer" not in principal.scopes:
                raise Problem("forbidden", "One of these scopes is needed: customer")
            # No browser sends such a header by itself, so nobody else can have made it ask.
            return Visit(request, principal.subject, None, header.partition(" ")[2].strip())
        self.same_origin(request)
        signed = await sessions.find(request.cookies.get(self.session))
        if signed is None:
            raise self.away(request)
        self._limits.take(signed.customer_id)
        return Visit(request, signed.customer_id, signed, None)

    def same_origin(self, request: Request) -> None:
        """Raises `forbidden` for a change that another site's page has made the browser ask for, or no page at all."""
        if request.method in SAFE:
            return
        site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
        if (site is None and origin is None) or site not in {None, "same-origin"}:
            raise Problem("forbidden", "Changes are made on our own pages alone")
        if origin not in {None, self._settings.portal_url}:
            raise Problem("forbidden", "Changes are made on our own pages alone")

    def away(self, request: Request) -> HTTPException:
        """What sends a browser to sign in, and back to the page that it wanted."""
        path = request.url.path if request.method in SAFE else "/my-bonus"
        target = f"{SIGN_IN}?back={quote(path, safe='/')}"
        if request.headers.get("hx-request") == "true":
            return HTTPException(401, headers={"HX-Redirect": target})
        return HTTPException(303, headers={"Location": target})

    async def token(self, visit: Visit, sessions: Sessions, partition: int) -> str:
        """An access token that lasts. A session that got a new one gets a new cookie as well."""
        if visit.signed is None:
            assert visit.bearer is not None
            return visit.bearer
        try:
            renewed = await self._provider.renewed(visit.signed, visit.request.app.state.guard)
        except SignInError as why:
            log.info("signed out", why=str(why))
            raise self.away(visit.request) from None
        if renewed is not visit.signed:
            visit.signed, visit.cookie = renewed, await sessions.open(renewed, partition)
            await sessions.close(visit.request.cookies[self.session], overlap=True)
        return renewed.access_token

    def keep(self, response: Response, cookie: str, signed: Signed) -> None:
        """Give the browser a session's cookie."""
        left = signed.began + LIFETIME - datetime.now(UTC)
        self.set(response, self.session, cookie, max(0, int(left.total_seconds())))

    def set(self, response: Response, name: str, value: str, seconds: int) -> None:
        """Set a cookie that no script sees, and that other sites' pages do not send; 0 seconds take it away."""
        response.set_cookie(
            name, value, max_age=seconds, path="/", secure=self._settings.secure, httponly=True, samesite="lax"
        )


async def form(request: Request) -> dict[str, str]:
    """The fields of a form, of two with one name the last; raises `validation` for anything else."""
    try:
        pairs: list[Any] = parse_qsl(
            (await request.body()).decode(), keep_blank_values=True, strict_parsing=False, max_num_fields=MOST_FIELDS
        )
        return dict(pairs)
    except ValueError:
        raise Problem("validation", "This is no form") from None
