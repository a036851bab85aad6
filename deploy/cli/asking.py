"""Asking a service, as an operator, for something that takes a while."""

import asyncio
from typing import TYPE_CHECKING, Any, Final, cast
from urllib.parse import urljoin

from deploy.cli.progress import Bar
from deploy.cli.trouble import Trouble

if TYPE_CHECKING:
    import httpx

PAUSE_S: Final = 0.2
ACCEPTED: Final = 202
FAILED: Final = 400
ANSWERED: Final = 30.0  # seconds for one request; the work itself may take as long as it needs


async def ask(url: str, token: str, path: str, body: dict[str, Any] | None = None) -> list[dict[str, Any]]:
    """Send the request to a service and follow it until it is answered; returns what each partition said."""
    import httpx  # noqa: PLC0415 - a third of a second, which only these few commands should take

    headers = {"Authorization": f"Bearer {token}"}
    try:
        async with httpx.AsyncClient(headers=headers, timeout=ANSWERED) as client:
            answer = await client.post(url + path, json=body or {})
            with Bar(path.strip("/"), None) as bar:
                while answer.status_code == ACCEPTED and (place := answer.headers.get("location")):
                    bar.at(0, 0)
                    await asyncio.sleep(PAUSE_S)
                    answer = await client.get(urljoin(url + "/", place))
    except httpx.HTTPError as error:
        raise Trouble(f"{url} does not answer: {type(error).__name__} {error}") from None
    parts: list[dict[str, Any]] = _content(answer).get("items", [])
    for part in parts:
        if part.get("status", 0) >= FAILED:
            raise Trouble(
                f"{url}{path}: partition {part.get('partition')}: {part.get('type')} {part.get('detail', '')}"
            )
    return parts


def summed(parts: list[dict[str, Any]]) -> str:
    """The counts that the partitions told, added up, as `4,372 customers, 12 partitions`."""
    totals: dict[str, int] = {}
    for part in parts:
        for name, value in part.items():
            if type(value) is int and name not in {"partition", "status"}:
                totals[name] = totals.get(name, 0) + value
    return ", ".join(f"{value:,} {name}" for name, value in (totals | {"partitions": len(parts)}).items())


def _content(answer: "httpx.Response") -> dict[str, Any]:
    """The object in an answer; a problem is told with its type and detail."""
    try:
        said: Any = answer.json() if answer.content else {}
    except ValueError:
        said = {}
    content = cast("dict[str, Any]", said) if isinstance(said, dict) else {}
    if answer.is_success:
        return content
    parts = (content.get("type"), content.get("detail") or content.get("title") or answer.reason_phrase)
    raise Trouble(f"{answer.request.url}: {answer.status_code} {': '.join(str(part) for part in parts if part)}")
