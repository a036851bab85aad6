"""Servers that a test may kill services on: nobody waits long for what those leave behind."""

import shutil
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from pymongo import AsyncMongoClient

from deploy.local.stack import Stack

PARTITIONS = 4  # fewer claims, and every partition has something to do


@asynccontextmanager
async def own(folder: Path) -> AsyncGenerator[Stack]:
    """A stack for the length of an `async with`, whose servers are children of this process."""
    async with Stack.start(folder, partitions=PARTITIONS) as stack:
        # A killed owner's open transaction holds its successor up as long; five seconds, as installed, for each kill.
        async with AsyncMongoClient[Any](stack.mongo_url()) as mongo:
            await mongo.admin.command({"setParameter": 1, "transactionLifetimeLimitSeconds": 1})
        yield stack
        await stack.kill()  # faster than a clean stop, and nobody wants the data any more
    shutil.rmtree(folder)
