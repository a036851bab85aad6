"""What an operator asks of a service, over HTTP: what every service serves, with a writer that stands in."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from deploy.cli import deadletters, rebuilding
from deploy.cli.asking import ask
from deploy.cli.trouble import Trouble
from shared.http import server
from shared.http.commands import Answer
from tests.http.stand import LOCAL, Service, token


@pytest.fixture
def service() -> Service:
    return Service(LOCAL)


@pytest.fixture
async def url(service: Service) -> AsyncIterator[str]:
    at, stop = server.listen("127.0.0.1", 0), asyncio.Event()
    serving = asyncio.create_task(server.serve(service.app, at, stop))
    yield f"http://127.0.0.1:{at.getsockname()[1]}"
    stop.set()
    await serving


def answering(service: Service, **body: Any) -> None:
    service.writer.answer = Answer(200, body)


async def test_a_rebuild_tells_what_all_partitions_did(
    url: str, service: Service, capsys: pytest.CaptureFixture[str]
) -> None:
    answering(service, compare=False, customers=1000, drifted=0, examples=[])

    assert await rebuilding.rebuild(url, token("ops"), compare=False)

    assert capsys.readouterr().out == "rebuilt: 3,000 customers, 0 drifted, 3 partitions\n"
    assert [(one["type"], one["compare"]) for one in service.writer.sent.values()] == [("Rebuild.v1", False)] * 3


async def test_a_comparison_without_drift_says_so(
    url: str, service: Service, capsys: pytest.CaptureFixture[str]
) -> None:
    answering(service, compare=True, customers=2, drifted=0, examples=[])

    assert await rebuilding.rebuild(url, token("ops"), compare=True)

    assert capsys.readouterr().out == "compared: 6 customers, 0 drifted, 3 partitions\n"
    assert all(one["compare"] for one in service.writer.sent.values())


async def test_drift_is_shown_as_a_table_and_fails(
    url: str, service: Service, capsys: pytest.CaptureFixture[str]
) -> None:
    examples = [{"customer_id": "c-1", "differs": ["state.years", "version"]}]
    answering(service, compare=True, customers=9, drifted=1, examples=examples)

    assert not await rebuilding.rebuild(url, token("ops"), compare=True)

    told = capsys.readouterr().out
    assert "compared: 27 customers, 3 drifted, 3 partitions" in told
    assert "c-1" in told
    assert "state.years, version" in told


async def test_an_answer_is_waited_for(url: str, service: Service) -> None:
    service.writer.answer = None
    asked = asyncio.create_task(ask(url, token("ops"), "/rebuild", {"compare": False}))
    while len(service.writer.sent) < 3:
        await asyncio.sleep(0.01)

    service.writer.settle(Answer(200, {"customers": 5}))

    assert [part["customers"] for part in await asked] == [5, 5, 5]


async def test_a_partition_that_fails_is_told(url: str, service: Service) -> None:
    service.writer.answer = Answer(503, {"type": "unavailable", "detail": "its log is out of reach"})

    with pytest.raises(Trouble, match="partition 0: unavailable its log is out of reach"):
        await rebuilding.rebuild(url, token("ops"), compare=False)


async def test_dead_letters_are_retried(url: str, service: Service, capsys: pytest.CaptureFixture[str]) -> None:
    answering(service, retried=2)

    await deadletters.retry(url, token("ops"))

    assert capsys.readouterr().out == "6 retried, 3 partitions\n"


async def test_a_refusal_is_told_with_its_type(url: str) -> None:
    for who, reason in (("not a token", "401 unauthenticated"), (token("staff"), "403 forbidden")):
        with pytest.raises(Trouble, match=reason):
            await ask(url, who, "/rebuild")


async def test_a_service_that_does_not_answer_is_named() -> None:
    with pytest.raises(Trouble, match=r"http://127\.0\.0\.1:9 does not answer"):
        await ask("http://127.0.0.1:9", "x", "/rebuild")
