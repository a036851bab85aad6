"""Every error is a problem, and none gives anything away."""

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from starlette.types import Message

from shared.http import shell
from tests.http.stand import Service, bearer, problem

MINE = "/customers/c-1/thing"
STAFF = bearer("staff")


@pytest.mark.parametrize("path", ["/", "/nothing", "/customers", "/docs", "/customers/c-1/thing/", "/commands/"])
async def test_an_unknown_path_is_not_found(client: httpx.AsyncClient, path: str):
    problem(await client.get(path), 404, "not-found")


async def test_another_method_is_not_allowed_and_the_right_ones_are_named(client: httpx.AsyncClient):
    answer = await client.delete("/rebuild")
    assert problem(answer, 405, "about:blank")["title"] == "Method Not Allowed"
    assert answer.headers["allow"] == "POST"
    assert (await client.delete(MINE)).headers["allow"] == "GET, PUT"


@pytest.mark.parametrize(
    ("content", "field", "reason"),
    [
        (b"", "body", "Field required"),
        (b'{"name": "Mrs Smith"', "body", "is not JSON"),
        (b"\xff\xfe", "body", "is not JSON"),
        (b"[" * 200_000, "body", "is not JSON"),
        (b'"Mrs Smith"', "body", "Input should be a valid dictionary or object to extract fields from"),
        (b'{"points": 1}', "name", "Field required"),
        (b'{"name": "Mrs Smith", "points": "Mrs Smith"}', "points", "Input should be a valid integer"),
        (b'{"name": "Mrs Smith", "age": 7}', "age", "Extra inputs are not permitted"),
    ],
)
async def test_a_bad_body_names_field_and_reason_and_never_the_value(
    client: httpx.AsyncClient, content: bytes, field: str, reason: str
):
    answer = await client.put(MINE, content=content, headers={**STAFF, "Content-Type": "application/json"})
    assert problem(answer, 422, "validation")["errors"] == [{"field": field, "reason": reason}]
    assert "Smith" not in answer.text


@pytest.mark.parametrize("content", [b'"\\ud800"', b'{"points": ' + b"9" * 5000 + b"}", b"NaN", b"null"])
async def test_what_no_parser_likes_is_not_valid(client: httpx.AsyncClient, content: bytes):
    answer = await client.put(MINE, content=content, headers={**STAFF, "Content-Type": "application/json"})
    problem(answer, 422, "validation")


@pytest.mark.parametrize("identity", ["a b", "x" * 65, "ümlaut", "a%00b", "c-1%0A", "$where"])
async def test_an_impossible_customer_is_not_valid(client: httpx.AsyncClient, identity: str):
    answer = await client.get(f"/customers/{identity}/thing", headers=STAFF)
    assert problem(answer, 422, "validation")["errors"][0]["field"] == "customer_id"


async def test_who_may_not_enter_does_not_learn_what_is_wrong_with_the_request(client: httpx.AsyncClient):
    problem(await client.put(MINE, json={"wrong": 1}), 401, "unauthenticated")
    problem(await client.get("/customers/a b/thing"), 401, "unauthenticated")


async def test_a_bug_answers_500_without_a_word_about_it_and_is_logged(client: httpx.AsyncClient, said: Any):
    answer = await client.get("/bug")
    assert [(record["event"], record["route"]) for record in said] == [("request failed", "/bug")]
    assert problem(answer, 500, "about:blank") == {
        "type": "about:blank",
        "title": "Internal Server Error",
        "status": 500,
    }


async def test_an_outage_of_the_database_says_when_to_come_back(client: httpx.AsyncClient):
    answer = await client.get("/outage")
    problem(answer, 503, "unavailable")
    assert int(answer.headers["retry-after"]) >= 1
    assert "secret" not in answer.text


async def test_a_request_that_takes_too_long_is_given_up(client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(shell, "LONGEST", 0.01)
    answer = await client.get("/slow")
    problem(answer, 503, "unavailable")
    assert answer.headers["retry-after"]


async def test_too_many_requests_at_once_are_sent_away_but_probes_are_not(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(shell, "AT_ONCE", 0)
    problem(await client.get(MINE, headers=STAFF), 503, "unavailable")
    assert (await client.get("/livez")).status_code == 200


async def test_a_body_above_the_limit_is_too_large_whether_it_says_so_or_not(client: httpx.AsyncClient):
    async def stream() -> AsyncIterator[bytes]:
        for _ in range(shell.LARGEST // 1024 + 1):
            yield b" " * 1024

    for content in (b" " * (shell.LARGEST + 1), stream()):
        answer = await client.put(MINE, content=content, headers={**STAFF, "Content-Type": "application/json"})
        problem(answer, 413, "about:blank")


async def test_a_body_at_the_limit_is_read(client: httpx.AsyncClient):
    content = json.dumps({"name": "x"}).encode().ljust(shell.LARGEST)
    answer = await client.put(MINE, content=content, headers={**STAFF, "Content-Type": "application/json"})
    assert answer.status_code == 200


@pytest.mark.parametrize("path", ["/livez", "/nothing", "/bug", "/openapi.json", MINE])
async def test_every_response_carries_the_headers_of_a_careful_server(client: httpx.AsyncClient, path: str):
    headers = (await client.get(path)).headers
    for name in shell.HEADERS:
        assert name in headers


async def test_requests_are_counted_by_route_and_never_by_customer(client: httpx.AsyncClient):
    await client.get("/customers/c-secret/thing", headers=STAFF)
    await client.request("BREW", "/customers/c-secret/thing")
    await client.get("/nowhere/c-secret")
    text = (await client.get("/metrics")).text
    route = "/customers/{customer_id}/thing"
    assert f'perkstream_http_requests_total{{method="GET",route="{route}",status="200"}}' in text
    assert 'method="other",route=' in text
    assert 'route="none",status="404"' in text
    assert "c-secret" not in text
    assert "BREW" not in text


async def test_a_response_that_broke_off_is_not_passed_off_as_whole():
    sent: list[Message] = []

    async def half(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise RuntimeError

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    with pytest.raises(RuntimeError):
        await shell.Shell(half)({"type": "http", "method": "GET", "path": "/", "headers": []}, receive, send)
    assert [message["type"] for message in sent] == ["http.response.start"]


async def test_probes_answer_with_details_and_need_no_token(service: Service, client: httpx.AsyncClient):
    assert (await client.get("/livez")).json() == {"status": "ok", "details": {}}
    assert (await client.get("/readyz")).json() == {"status": "ok", "details": {"assigned": [0, 1]}}
    service.ready = False
    answer = await client.get("/readyz")
    assert problem(answer, 503, "unavailable")["details"] == {"assigned": [0, 1]}
    assert answer.headers["retry-after"]
    metrics = await client.get("/metrics")
    assert metrics.headers["content-type"].startswith("text/plain")
    assert "perkstream_http_request_seconds" in metrics.text


def operations(app: FastAPI) -> dict[tuple[str, str], Any]:
    return {(m, path): each for path, methods in app.openapi()["paths"].items() for m, each in methods.items()}


async def test_the_description_names_problems_scopes_and_headers(service: Service, client: httpx.AsyncClient):
    document = (await client.get("/openapi.json")).json()
    assert document["components"]["securitySchemes"]["token"]["scheme"] == "bearer"
    assert not {"HTTPValidationError", "ValidationError"} & document["components"]["schemas"].keys()
    put = document["paths"]["/customers/{customer_id}/thing"]["put"]
    assert put["security"] == [{"token": ["customer"]}, {"token": ["staff"]}]
    assert put["responses"]["422"]["content"].keys() == {"application/problem+json"}
    assert "Idempotency-Key" in [each["name"].title() for each in put["parameters"]]
    assert "security" not in document["paths"]["/livez"]["get"]
    assert document["paths"]["/commands/{command_id}"]["get"]["security"] == [{"token": []}]
    assert {"401", "403", "503"} <= document["paths"]["/rebuild"]["post"]["responses"].keys()
