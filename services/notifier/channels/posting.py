"""How the channels that speak HTTP post a message, and what an answer means."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Final

import httpx

from services.notifier.channels.port import Permanent, Temporary

TIMEOUT_S: Final = 10.0
_BUSY: Final = frozenset({408, 425, 429})


def new_client() -> httpx.AsyncClient:
    """A client for one channel. None is shared: a provider that hangs must not hold another's connections."""
    return httpx.AsyncClient(timeout=TIMEOUT_S, limits=httpx.Limits(max_connections=50, max_keepalive_connections=20))


def retry_after(answer: httpx.Response) -> float | None:
    """`Retry-After` in seconds; a date is passed over, as clocks differ."""
    value = answer.headers.get("retry-after", "")
    return float(value) if value.isascii() and value.isdigit() else None


async def post(
    client: httpx.AsyncClient,
    url: str,
    *,
    headers: Mapping[str, str],
    content: bytes,
    gone: frozenset[int] = frozenset(),
    login: frozenset[int] = frozenset({401, 403, 407}),
    pause: Callable[[httpx.Response], float | None] = retry_after,
) -> httpx.Response:
    """The answer of a provider that took the message; raises `Temporary` or `Permanent`.

    `gone`: statuses by which it says that there is no such address; `login`: that it does not know us. `pause`: how
    many seconds a busy one asks for.
    """
    try:
        # httpx bounds each step; this bounds them all, for a provider that answers byte by byte.
        async with asyncio.timeout(TIMEOUT_S):
            answer = await client.post(url, headers=dict(headers), content=content)
    except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout):
        raise Temporary("the provider cannot be reached") from None
    except (httpx.HTTPError, TimeoutError):
        raise Temporary("the provider does not answer", unsure=True) from None
    except (httpx.InvalidURL, ValueError):
        raise Permanent("no valid request can be made of it") from None
    status = answer.status_code
    if answer.is_success:
        return answer
    if status in gone:
        raise Permanent(f"the address is gone (HTTP {status})", address=True)
    if status in _BUSY or answer.is_server_error:
        raise Temporary(f"the provider is busy (HTTP {status})", after_s=pause(answer))
    if status in login or answer.is_redirect:
        # An operator can put this right, and then the message is still wanted.
        raise Temporary(f"the provider does not accept us (HTTP {status})")
    raise Permanent(f"the provider refuses the message (HTTP {status})")
