"""Lists in pages, and reads that say nothing twice."""

import base64
import json
from collections.abc import AsyncGenerator
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.http.reads import streamed
from tests.http.stand import Log, Service, bearer, problem

MINE = "/customers/c-1/thing"
LIST = "/customers/c-1/things"
OPS = bearer("ops")


async def test_a_read_carries_its_version_and_is_not_sent_again_while_it_holds(
    service: Service, client: httpx.AsyncClient
):
    answer = await client.get(MINE, headers=OPS)
    assert (answer.status_code, answer.headers["etag"]) == (200, '"7"')
    for known in ('"7"', 'W/"7"', '"6", "7"', "*"):
        again = await client.get(MINE, headers={**OPS, "If-None-Match": known})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", '"7"')
    service.version = 8
    answer = await client.get(MINE, headers={**OPS, "If-None-Match": '"7"'})
    assert (answer.status_code, answer.json()["version"]) == (200, 8)


async def test_what_is_private_is_not_kept_by_caches(client: httpx.AsyncClient):
    assert (await client.get(MINE, headers=OPS)).headers["cache-control"] == "private, no-cache"


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(shape=st.lists(st.integers(0, 7), max_size=40), limit=st.integers(1, 12))
async def test_pages_together_are_the_list_newest_first(service: Service, shape: list[int], limit: int):
    service.log = Log(shape)
    found: list[int] = []
    cursor: str | None = None
    async with service.client() as client:
        for _ in range(service.log.version + 1):
            asked = {"limit": limit} | ({"cursor": cursor} if cursor else {})
            page = (await client.get(LIST, params=asked, headers=OPS)).json()
            assert len(page["items"]) <= limit
            found += [item["version"] for item in page["items"]]
            cursor = page["next"]
            if cursor is None:
                break
            assert len(page["items"]) == limit
    assert found == [n for n in range(service.log.version, 0, -1) if n % 2]


async def test_what_is_added_meanwhile_moves_no_page(service: Service, client: httpx.AsyncClient):
    service.log = Log([3, 3])
    first = (await client.get(LIST, params={"limit": 2}, headers=OPS)).json()
    service.log = Log([3, 3, 4])
    second = (await client.get(LIST, params={"limit": 2, "cursor": first["next"]}, headers=OPS)).json()
    assert [item["version"] for item in first["items"] + second["items"]] == [5, 3, 1]


async def test_a_list_has_fifty_items_unless_it_is_asked_for_more(service: Service, client: httpx.AsyncClient):
    service.log = Log([150] * 4)
    assert len((await client.get(LIST, headers=OPS)).json()["items"]) == 50
    assert len((await client.get(LIST, params={"limit": 200}, headers=OPS)).json()["items"]) == 200


async def test_a_long_list_is_sent_as_it_is_made():
    made: list[int] = []

    async def several() -> AsyncGenerator[list[int]]:
        for number in range(3):
            made.append(number)
            yield [number] * number

    answer: Any = streamed(7, {"name": "Ж"}, {"long": several(), "empty": several_of_none()})
    parts: list[tuple[str, int]] = [(part, len(made)) async for part in answer.body_iterator]
    assert json.loads("".join(part for part, _ in parts)) == {"name": "Ж", "long": [1, 2, 2], "empty": []}
    assert [count for part, count in parts if part[-1].isdigit()] == [2, 3]
    assert answer.headers["etag"] == '"7"'


async def several_of_none() -> AsyncGenerator[list[int]]:
    yield []


def encoded(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "x",
        "!!!!",
        "ü",
        "a" * 101,
        *map(encoded, ["1", "1.2.3", "-1.2", "1.x", "01.2", "1.2 ", "٣.1", f"1.{2**64}"]),
    ],
)
async def test_a_cursor_that_the_list_did_not_give_is_not_valid(client: httpx.AsyncClient, cursor: str):
    answer = await client.get(LIST, params={"cursor": cursor}, headers=OPS)
    assert problem(answer, 422, "validation")["errors"][0]["field"] == "cursor"


@pytest.mark.parametrize("limit", ["0", "-1", "201", "x", "1.5", "9" * 5000])
async def test_a_limit_out_of_bounds_is_not_valid(client: httpx.AsyncClient, limit: str):
    answer = await client.get(LIST, params={"limit": limit}, headers=OPS)
    assert problem(answer, 422, "validation")["errors"][0]["field"] == "limit"
