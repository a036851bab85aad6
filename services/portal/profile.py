"""Changes to a profile, asked of the profile service with the customer's own token."""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

import httpx
from msgspec import Struct

from shared import log as logs
from shared.http.problems import Problem, unavailable

TIMEOUT_S: Final = 5.0  # a write is answered within two
PENDING: Final = 202

log = logs.get("profile")


class Written(Struct, frozen=True):
    """A change that was taken. `state`: the profile after it; `None` while the answer is not there yet."""

    state: Mapping[str, Any] | None


class Invalid(Struct, frozen=True):
    """A change that was refused whole, because of these fields."""

    fields: frozenset[str]


class Profiles:
    """The profile service, for one customer and token at a time.

    Every call raises a problem: `unauthenticated` when the token is of no use any more, `not-found` for a customer whom
    the CRM has not enrolled, `erased`, `unavailable`.
    """

    def __init__(self, url: str) -> None:
        self._http = httpx.AsyncClient(base_url=url, timeout=TIMEOUT_S)

    async def close(self) -> None:
        """Close every connection."""
        await self._http.aclose()

    async def read(self, customer_id: str, token: str) -> Mapping[str, Any]:
        """The profile, with its values."""
        return (await self._ask("GET", _path(customer_id, "profile"), token)).json()

    async def edit(self, customer_id: str, token: str, fields: Mapping[str, str | None]) -> Written | Invalid:
        """Change fields; `None` clears one."""
        answer = await self._ask("PATCH", _path(customer_id, "profile"), token, {"fields": fields})
        if answer.status_code == Problem("validation").status_code:
            faults: list[dict[str, str]] = answer.json().get("errors", [])
            return Invalid(frozenset(fault["field"].rpartition(".")[2] for fault in faults))
        return _written(answer)

    async def remind(self, customer_id: str, token: str, on: bool) -> Written:
        """Turn reminders on or off."""
        return _written(await self._ask("PUT", _path(customer_id, "reminders"), token, {"on": on}))

    async def consent(self, customer_id: str, token: str, purpose: str, granted: bool, text: str) -> Written:
        """Give or withdraw a consent to a version of a text."""
        body = {"granted": granted, "text": text}
        return _written(await self._ask("PUT", _path(customer_id, f"consents/{quote(purpose, safe='')}"), token, body))

    async def issue_card(self, customer_id: str, token: str) -> Written:
        """Issue a member card."""
        return _written(await self._ask("POST", _path(customer_id, "cards"), token))

    async def revoke_card(self, card_id: str, token: str) -> None:
        """Make a card worthless."""
        await self._ask("DELETE", f"/cards/{quote(card_id, safe='')}", token)

    async def _ask(self, method: str, path: str, token: str, body: Mapping[str, Any] | None = None) -> httpx.Response:
        headers = {"Authorization": f"Bearer {token}"}
        try:
            answer = await self._http.request(method, path, json=body, headers=headers)
        except httpx.HTTPError as error:
            log.warning("profile does not answer", why=type(error).__name__)
            raise unavailable("Changes are not possible at the moment", retry_after=5) from None
        match answer.status_code:
            case 401:
                raise Problem("unauthenticated")
            case 403:
                raise Problem("forbidden")
            case 404:
                raise Problem("not-found")
            case 410:
                raise Problem("erased")
            case 429:
                raise Problem("rate-limited", headers={"Retry-After": answer.headers.get("Retry-After", "1")})
            case status if status >= 500:  # noqa: PLR2004
                raise unavailable("Changes are not possible at the moment", retry_after=5)
            case _:
                return answer


def _path(customer_id: str, what: str) -> str:
    return f"/customers/{quote(customer_id, safe='')}/{what}"


def _written(answer: httpx.Response) -> Written:
    if not answer.is_success:
        raise unavailable("This change was not taken", retry_after=5)
    has_body = answer.status_code != PENDING and bool(answer.content)
    return Written(answer.json() if has_body else None)
