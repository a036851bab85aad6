"""Publishes what is committed: events in the order of their log, dead letters and strays beside them."""

# aiokafka's types are partial.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

import asyncio
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from shared import log as logs
from shared.contracts.topics import events_topic
from shared.runtime.batch import Letter
from shared.runtime.health import Health
from shared.runtime.log import Event, rfc3339, trace_for

log = logs.get("publisher")
BATCH_BYTES: Final = 1_000_000  # Kafka takes 1 MiB
_PAUSE: Final = 1.0  # seconds before a new producer tries again
Share = tuple[int, Sequence[Event], Sequence[Letter]]  # of a partition


class Publisher:
    """An idempotent producer; when it breaks for good, a new one sends everything again."""

    def __init__(self, service: str, options: Mapping[str, Any], health: Health) -> None:
        self._service, self._options = service, dict(options)
        self._health = health
        self._topic = events_topic(service)
        self._source = f"perkstream/{service}".encode()
        self._producer: AIOKafkaProducer | None = None

    async def start(self) -> None:
        """Connect; raises what aiokafka raises when no broker answers."""
        producer = AIOKafkaProducer(
            **self._options,
            enable_idempotence=True,
            acks="all",
            linger_ms=0,
            max_batch_size=BATCH_BYTES,
            max_request_size=2 * BATCH_BYTES,
            request_timeout_ms=15_000,
        )
        try:
            await producer.start()
        except BaseException:
            await producer.stop()
            raise
        self._producer = producer

    async def stop(self) -> None:
        """Disconnect."""
        if self._producer is not None:
            await self._producer.stop()
            self._producer = None

    async def publish(self, shares: Iterable[Share]) -> None:
        """Return when all of it is on Kafka. While the broker is away it waits and tries again."""
        kept = list(shares)
        while True:
            try:
                if self._producer is None:
                    await self.start()
                await self._send(kept)
                return
            except KafkaError as error:
                # Whatever it was, a new producer has no sequence that could be broken; readers drop what they have.
                log.warning("publishing again with a new producer", error=type(error).__name__)
                self._health.turned()  # an outage is no hang
                self._health.outage = "kafka"
                await self._discard()
                await asyncio.sleep(_PAUSE)

    async def _discard(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            try:
                async with asyncio.timeout(5):
                    await producer.stop()
            except (KafkaError, TimeoutError):
                pass

    async def _send(self, shares: Sequence[Share]) -> None:
        producer = self._producer
        assert producer is not None
        sent: list[asyncio.Future[Any]] = []
        try:
            for partition, events, letters in shares:
                builder = producer.create_batch()
                now = int(time.time() * 1000)
                for event in events:
                    key, headers = event.customer_id.encode(), self._headers(event)
                    if builder.append(timestamp=now, key=key, value=event.value, headers=headers) is None:
                        sent.append(await producer.send_batch(builder, self._topic, partition=partition))
                        builder = producer.create_batch()
                        builder.append(timestamp=now, key=key, value=event.value, headers=headers)
                if builder.record_count():
                    sent.append(await producer.send_batch(builder, self._topic, partition=partition))
                for letter in letters:
                    headers = list(letter.headers)
                    sent.append(
                        await producer.send(
                            letter.topic, letter.value, letter.key, partition=letter.partition, headers=headers
                        )
                    )
        finally:
            results = await asyncio.gather(*sent, return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result

    def _headers(self, event: Event) -> list[tuple[str, bytes]]:
        """The attributes of CloudEvents 1.0 in binary mode, and the trace."""
        identity = f"{self._service}/{event.customer_id}/{event.version}"
        return [
            ("ce_specversion", b"1.0"),
            ("ce_id", identity.encode()),
            ("ce_type", event.type.encode()),
            ("ce_source", self._source),
            ("ce_time", rfc3339(event.occurred_at).encode()),
            ("ce_subject", event.customer_id.encode()),
            ("content-type", b"application/json"),
            ("traceparent", (event.trace or trace_for(identity)).encode()),
        ]
