"""Clients of Kafka for tests."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient


@asynccontextmanager
async def started(client: Any) -> AsyncGenerator[Any, None]:
    """A client of aiokafka for the length of an `async with`; its own leaves one open whose start failed."""
    try:
        await client.start()
        yield client
    finally:
        await (client.close() if isinstance(client, AIOKafkaAdminClient) else client.stop())
