"""Servers for a test, or some, that nobody wants afterwards."""

import shutil
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from pymongo import AsyncMongoClient

from deploy.local.stack import Stack

PARTITIONS = 4  # fewer claims, and every partition has something to do


@asynccontextmanager
async def passing(folder: Path, **options: Any) -> AsyncGenerator[Stack]:
    """Servers for the length of an `async with`, children of this process; nothing is left of them."""
    async with Stack.start(folder, **options) as stack:
        try:
            yield stack
        finally:
            await stack.kill()  # faster than a clean stop, and nobody wants the data any more
    shutil.rmtree(folder)


@asynccontextmanager
async def own(folder: Path) -> AsyncGenerator[Stack]:
    """The same, where a killed owner's open transaction holds its successor up for a second, not five."""
    async with passing(folder, partitions=PARTITIONS) as stack:
        async with AsyncMongoClient[Any](stack.mongo_url()) as mongo:
            await mongo.admin.command({"setParameter": 1, "transactionLifetimeLimitSeconds": 1})
        yield stack
