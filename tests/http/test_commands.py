"""Writes: ids, answers, and the same request sent again."""

import re
from typing import Any

import httpx
import pytest

from shared.http.commands import Answer, command_id
from tests.http.stand import PARTITIONS, Service, bearer, problem

MINE = "/customers/c-1/thing"
STAFF = bearer("staff")
OPS = bearer("ops")
BODY = {"name": "x", "points": 1}


async def put(
    client: httpx.AsyncClient, key: str | None = None, body: Any = BODY, headers: Any = STAFF
) -> httpx.Response:
    return await client.put(MINE, json=body, headers={**headers, **({"Idempotency-Key": key} if key else {})})


async def test_a_write_becomes_a_command_to_the_customers_partition(service: Service, client: httpx.AsyncClient):
    answer = await put(client)
    assert (answer.status_code, answer.json()) == (200, {"done": True})
    (command,) = service.writer.sent.values()
    assert re.fullmatch(r"00-[0-9a-f]{32}", command["command_id"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]{12}Z", command["sent_at"])
    told = {"type": "ChangeThing.v1", "customer_id": "c-1", "sender": "s-1", "name": "x", "points": 1}
    assert {name: command[name] for name in told} == told


async def test_without_a_key_each_request_is_a_command_of_its_own(service: Service, client: httpx.AsyncClient):
    await put(client)
    await put(client)
    assert len(service.writer.sent) == 2


async def test_the_same_key_gets_the_first_answer(service: Service, client: httpx.AsyncClient):
    assert (await put(client, "k")).json() == {"done": True}
    service.writer.answer = Answer(200, {"done": "again"})
    assert (await put(client, "k")).json() == {"done": True}
    assert len(service.writer.sent) == 1


async def test_the_same_key_with_another_body_is_a_conflict(client: httpx.AsyncClient):
    await put(client, "k")
    problem(await put(client, "k", {"name": "x", "points": 2}), 409, "conflict")
    assert (await put(client, "k", {"points": 1, "name": "x"})).status_code == 200


async def test_a_key_belongs_to_its_sender_and_path(service: Service, client: httpx.AsyncClient):
    await put(client, "k")
    await put(client, "k", {"name": "y"}, bearer("staff", sub="s-2"))
    answer = await client.put("/customers/c-2/thing", json={"name": "z"}, headers={**STAFF, "Idempotency-Key": "k"})
    assert answer.status_code == 200
    assert len(service.writer.sent) == 3


def test_no_two_ways_of_writing_sender_path_and_key_are_one():
    assert (
        len({command_id(0, *each) for each in [("a", "b", "c"), ("a", 'b", "c', ""), ("ab", "", "c"), ("a", "bc", "")]})
        == 4
    )
    assert command_id(7, "s", "/p", "k") == command_id(7, "s", "/p", "k")
    assert command_id(7, "s", "/p", None) != command_id(7, "s", "/p", None)
    assert command_id(7, "s", "/p", "k").startswith("07-")


@pytest.mark.parametrize("key", [" ", "a b", "x" * 256, "\x7f", "ü"])
async def test_a_key_that_is_no_token_is_not_valid(client: httpx.AsyncClient, key: str):
    answer = await client.put(MINE, json=BODY, headers=[*STAFF.items(), ("Idempotency-Key", key.encode())])  # type: ignore[list-item]
    assert problem(answer, 422, "validation")["errors"][0]["field"].lower() == "idempotency-key"


async def test_a_write_that_takes_longer_is_accepted_and_answered_later(service: Service, client: httpx.AsyncClient):
    service.writer.answer = None
    accepted = await put(client, "k")
    assert accepted.status_code == 202
    place = accepted.headers["location"]
    assert re.fullmatch(r"/commands/00-[0-9a-f]{32}", place)
    pending = await client.get(place, headers=STAFF)
    assert (pending.status_code, pending.headers["location"]) == (202, place)
    service.writer.settle(Answer(201, {"made": 1}))
    answer = await client.get(place, headers=STAFF)
    assert (answer.status_code, answer.json()) == (201, {"made": 1})
    assert (await put(client, "k")).status_code == 201


async def test_an_answer_is_for_whoever_sent_the_command(service: Service, client: httpx.AsyncClient):
    service.writer.answer = None
    place = (await put(client)).headers["location"]
    problem(await client.get(place, headers=bearer("ops", sub="s-2")), 403, "forbidden")
    problem(await client.get(place), 401, "unauthenticated")
    problem(await client.get(f"/commands/01-{'0' * 32}", headers=STAFF), 404, "not-found")
    problem(await client.get(f"/commands/all-{'0' * 32}", headers=STAFF), 404, "not-found")
    for odd in ("x", "00-xyz", f"{'0' * 9}-{'0' * 32}"):
        problem(await client.get(f"/commands/{odd}", headers=STAFF), 422, "validation")


async def test_a_refusal_is_a_problem_with_what_it_carries(service: Service, client: httpx.AsyncClient):
    service.writer.answer = Answer(409, {"type": "insufficient-points", "available": 3})
    assert problem(await put(client), 409, "insufficient-points")["available"] == 3
    service.writer.answer = Answer(418, None)
    problem(await put(client), 418, "about:blank")


async def test_an_answer_may_be_without_a_body(service: Service, client: httpx.AsyncClient):
    service.writer.answer = Answer(204)
    answer = await put(client)
    assert (answer.status_code, answer.content) == (204, b"")


@pytest.mark.parametrize(
    ("path", "body", "kind", "said"),
    [
        ("/rebuild", {"compare": True}, "Rebuild.v1", {"compare": True}),
        ("/rebuild", None, "Rebuild.v1", {"compare": False}),
        ("/dead-letters/retry", None, "RetryDeadLetters.v1", {}),
    ],
)
async def test_operators_command_every_partition_and_find_the_answers_in_one_place(
    service: Service, client: httpx.AsyncClient, path: str, body: Any, kind: str, said: dict[str, Any]
):
    service.writer.answer = None
    accepted = await client.post(path, json=body, headers=OPS) if body else await client.post(path, headers=OPS)
    assert accepted.status_code == 202
    place = accepted.headers["location"]
    assert [(c["type"], c["partition"]) for c in service.writer.sent.values()] == [(kind, n) for n in range(PARTITIONS)]
    for number, (identity, command) in enumerate(service.writer.sent.items()):
        assert identity.startswith(f"{number:02d}-")
        assert {name: command[name] for name in said} == said
    assert (await client.get(place, headers=OPS)).status_code == 202
    service.writer.settle(Answer(200, {"drift": 0}))
    answer = await client.get(place, headers=OPS)
    assert answer.json() == {"items": [{"partition": n, "status": 200, "drift": 0} for n in range(PARTITIONS)]}
    problem(await client.get(place, headers=bearer("ops", sub="s-2")), 403, "forbidden")


async def test_an_operators_command_sent_again_is_the_same(service: Service, client: httpx.AsyncClient):
    again = {**OPS, "Idempotency-Key": "k"}
    places = {(await client.post("/rebuild", headers=again)).headers["location"] for _ in range(2)}
    assert (len(places), len(service.writer.sent)) == (1, PARTITIONS)
    problem(await client.post("/rebuild", json={"compare": True}, headers=again), 409, "conflict")


async def test_only_operators_rebuild_and_retry(client: httpx.AsyncClient):
    for path in ("/rebuild", "/dead-letters/retry"):
        problem(await client.post(path, headers=bearer("staff pos customer programme")), 403, "forbidden")
        problem(await client.post(path), 401, "unauthenticated")
    answer = await client.post("/rebuild", json={"compare": "yes"}, headers=OPS)
    assert problem(answer, 422, "validation")["errors"][0]["field"] == "compare"
