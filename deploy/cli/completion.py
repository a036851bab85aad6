"""What profile made of a demonstration: how complete profiles are, and which fields are missing most often."""

from typing import Any, Final

import httpx

from deploy.cli.trouble import Trouble

SERVICE: Final = "profile"
MOST: Final = 3  # missing fields that are shown


async def completion(url: str, token: str) -> dict[str, Any]:
    """The answer to `GET /completion`. `url`: of profile; `token`: an operator's."""
    try:
        async with httpx.AsyncClient(timeout=10) as client:
            answer = await client.get(f"{url}/completion", headers={"Authorization": f"Bearer {token}"})
            return answer.raise_for_status().json()
    except httpx.HTTPError as error:
        raise Trouble(f"{url}/completion: {type(error).__name__} {error}") from None


def rows(found: dict[str, Any]) -> list[tuple[str, str]]:
    """What there is to read, as pairs of words and figures."""
    return [
        ("customers with a profile", f"{found['customers']:,}"),
        *((f"  complete to {each['percent']} %", f"{each['customers']:,}") for each in found["percent"]),
        *((f"  without {each['field']}", f"{each['customers']:,}") for each in found["missing"][:MOST]),
    ]
