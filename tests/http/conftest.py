"""The sample service, with keys in a file."""

from collections.abc import AsyncIterator, Iterator, MutableMapping
from pathlib import Path
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs

from shared.http.tokens import Keys
from tests.http.stand import KEY, Service, write_keys


@pytest.fixture(autouse=True)
def said() -> Iterator[list[MutableMapping[str, Any]]]:
    """What was logged."""
    with capture_logs() as records:
        yield records


@pytest.fixture
def service(tmp_path: Path) -> Service:
    return Service(Keys(write_keys(tmp_path / "jwks.json", KEY)))


@pytest.fixture
async def client(service: Service) -> AsyncIterator[httpx.AsyncClient]:
    async with service.client() as opened:
        yield opened
