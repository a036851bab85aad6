"""No request changes to a thread: FastAPI runs there what is no coroutine, a class or a plain function alike."""

import inspect
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.dependencies.models import Dependant
from fastapi.routing import iter_route_contexts

from services.ledger import api as ledger
from services.notifier import api as notifier
from services.profile import api as profile
from services.turnover import api as turnover
from tests.http.stand import LOCAL, Service

NOBODY: Any = None  # is asked only once a request comes
ROUTERS = {
    "turnover": turnover.routes(NOBODY, NOBODY),
    "profile": profile.routes(NOBODY, NOBODY),
    "ledger": ledger.routes(NOBODY, NOBODY, NOBODY),
    "notifier": notifier.routes_with(NOBODY, NOBODY)(NOBODY, NOBODY),
    "every service": Service(LOCAL).app.router,
}


@pytest.mark.parametrize("name", ROUTERS)
def test_every_route_and_whatever_it_depends_on_is_a_coroutine(name: str):
    routes = [route for route in iter_route_contexts(ROUTERS[name].routes) if hasattr(route, "dependant")]
    called = [call for route in routes for call in calls(route.dependant)]
    assert called
    assert [call for call in called if not is_coroutine(call)] == []


def calls(dependant: Dependant) -> Iterator[Any]:
    yield dependant.call
    for each in dependant.dependencies:
        yield from calls(each)


def is_coroutine(call: Any) -> bool:
    return inspect.iscoroutinefunction(call) or (
        not inspect.isclass(call) and inspect.iscoroutinefunction(type(call).__call__)
    )
