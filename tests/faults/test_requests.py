"""Requests over HTTP while the processes that answer them are killed: whoever asks until there is an answer gets one,
and what was asked for happens once.
"""

import asyncio
import json
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
import pytest

from deploy.local.stack import Stack
from tests.faults import truth
from tests.faults.launch import Fault
from tests.faults.limits import SMALL
from tests.faults.process import Process, nursery
from tests.faults.profile import PROFILE
from tests.faults.world import World, opened

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.chaos]

CUSTOMERS = 6
STEPS = ("prepared", "written", "committed", "publishing", "published")


async def test_what_customers_ask_for_while_processes_die_happens_once(own_stack: Stack, tmp_path: Path) -> None:
    with nursery(PROFILE.module) as its:
        async with opened(PROFILE, own_stack, its, tmp_path) as world:
            crm = PROFILE.traffic("asked")
            await world.send([crm.one(f"asked-{number}") for number in range(CUSTOMERS)])
            process = world.process(Fault(limits=SMALL))
            await process.ready()
            await world.quiet()
            for turn, step in enumerate(STEPS):
                await process.stop()
                dying = world.process(Fault(step, limits=SMALL), armed=False)
                await dying.ready()
                dying.arm()
                asking = asyncio.create_task(_ask(world, turn))
                await dying.killed()
                process = world.process(Fault(limits=SMALL))
                cards = await asking
                assert len(set(cards)) == CUSTOMERS, "two requests got one card"
            await world.quiet()
            await world.no_drift(process)
            await world.quiet()
            await _check(world)


async def _ask(world: World, turn: int) -> list[str]:
    """Everybody asks for a card and edits their profile at once; the ids of the cards."""
    names = [f"asked-{number}" for number in range(CUSTOMERS)]
    edits = (_insist(world, "PATCH", f"/customers/{name}/profile", {"locale": "ru"}, f"{turn}") for name in names)
    cards = (_insist(world, "POST", f"/customers/{name}/cards", None, f"{turn}") for name in names)
    found = await asyncio.gather(*edits, *cards)
    return [each["card_id"] for each in found[CUSTOMERS:]]


async def _insist(world: World, method: str, path: str, body: Any, key: str) -> dict[str, Any]:
    """Ask whoever runs, with one key, until somebody answers."""
    headers = {"Authorization": f"Bearer {world.stack.token('staff')}", "Idempotency-Key": key}
    async with asyncio.timeout(90), httpx.AsyncClient(timeout=10, verify=False) as http:  # it speaks plain HTTP
        while True:
            process: Process = world.processes[-1]
            try:
                answer = await http.request(method, process.url + path, json=body, headers=headers)
                while answer.status_code == 202:
                    await asyncio.sleep(0.2)
                    answer = await http.get(process.url + answer.headers["Location"], headers=headers)
                if answer.is_success:
                    return answer.json()
                assert answer.status_code == 503, answer.text
            except httpx.HTTPError:
                pass
            await asyncio.sleep(0.2)


async def _check(world: World) -> None:
    """A card for each request and no other; each edit once; the log and Kafka hold the same."""
    published = await world.read("profile.events")
    await truth.log(world.database, published)
    events = {dict(record.headers)["ce_id"]: json.loads(record.value or b"") for record in published}
    cards = Counter(event["customer_id"] for event in events.values() if event["type"] == "CardIssued.v1")
    assert cards == {f"asked-{number}": len(STEPS) for number in range(CUSTOMERS)}
    causes = Counter(event["cause"]["id"] for event in events.values() if event["type"] == "CardIssued.v1")
    assert set(causes.values()) == {1}
    assert await world.database["cards"].count_documents({}) == CUSTOMERS * len(STEPS)
    assert await world.database["answers"].count_documents({"status": 200}) >= CUSTOMERS * len(STEPS)
