"""What a FastStream handler does that takes one record at a time; `python -m tests.bench.plain GROUP` is one.

It reads a record with the same model, adds it to its customer's total (majority, journalled) and publishes an event. It
is as fast as it gets: no logger, offsets committed before the work (which may lose records), no validation beside the
model's, uvloop. It recognises no duplicate and keeps no order between database and topic.
"""

import asyncio
import signal
import sys
import time
from typing import Any, Final

import uvloop
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from faststream import AckPolicy
from faststream.kafka import KafkaBroker
from faststream.security import SASLScram512

from deploy.local.child import Child
from deploy.local.errors import StackError
from shared.contracts.pos import POS, PurchaseCompleted
from shared.contracts.records import read
from shared.mongo import Mongo
from shared.settings import Settings, load
from tests.bench.figures import PLAIN, Run
from tests.bench.ground import POLL_S, STUCK_S, Ground
from tests.bench.meter import Meter
from tests.bench.purchases import PARTITIONS

SOURCE: Final = "bench.purchases"
TARGET: Final = "bench.events"
DATABASE: Final = "bench_plain"
RECORDS: Final = 20_000  # more than it reads in any round


async def prepare(ground: Ground, customers: int) -> None:
    """Make its topics, and fill the one that it reads; each round reads it from the beginning."""
    admin = AIOKafkaAdminClient(**ground.stack.kafka_options())
    await admin.start()
    try:
        await admin.create_topics([NewTopic(name, PARTITIONS, 1) for name in (SOURCE, TARGET)])
    finally:
        await admin.close()
    await ground.till.send(ground.till.load(ground.till.drawn(RECORDS, customers)), SOURCE)


async def measure(ground: Ground, number: int, seconds: float) -> Run:
    """Let it run for so long, from its first event on."""
    ground.mongo.drop_database(DATABASE)
    command = [sys.executable, "-m", "tests.bench.plain", f"bench-plain-{number}"]
    child = Child("plain", command, ground.stack.folder / "logs" / "plain.log", ground.environment("ops"))
    first = await _count(ground)
    child.start()
    try:
        waiting = time.monotonic()
        while await _count(ground) == first:
            if not child.running or time.monotonic() - waiting > STUCK_S:
                raise StackError(f"the plain handler does nothing. What it said last:\n{child.last_words()}")
            await asyncio.sleep(POLL_S)
        meter = Meter({"service": [child.pid or 0], **ground.servers})
        begun, began = await _count(ground), time.monotonic()
        await asyncio.sleep(seconds)
        done, ended = await _count(ground), time.monotonic()
        return Run.of(PLAIN, done - begun, ended - began, meter.read())
    finally:
        await child.stop()
        ground.mongo.drop_database(DATABASE)


async def _count(ground: Ground) -> int:
    return sum((await ground.ends(TARGET)).values())


async def _serve(settings: Settings, group: str) -> None:
    assert settings.kafka_username is not None
    assert settings.kafka_password is not None
    mongo = Mongo(settings.mongo_url.get_secret_value(), DATABASE)
    totals = mongo.collection("totals")
    security = SASLScram512(
        username=settings.kafka_username, password=settings.kafka_password.get_secret_value(), use_ssl=False
    )
    broker = KafkaBroker(
        settings.kafka_bootstrap.split(","), security=security, logger=None, apply_types=False, decoder=_decode
    )

    @broker.subscriber(SOURCE, group_id=group, auto_offset_reset="earliest", ack_policy=AckPolicy.ACK_FIRST)
    async def handle(purchase: PurchaseCompleted) -> None:  # pyright: ignore[reportUnusedFunction]
        customer = purchase.customer_id
        change = {"$inc": {"total_minor": purchase.total_minor, "purchases": 1}}
        await totals.update_one({"_id": customer}, change, upsert=True)
        event = (
            f'{{"type":"TurnoverRecorded.v1","customer_id":"{customer}","purchase_id":"{purchase.purchase_id}",'
            f'"store_id":"{purchase.store_id}","amount_minor":{purchase.total_minor}}}'
        )
        await broker.publish(event.encode(), TARGET, key=customer.encode())

    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await broker.start()
    await stop.wait()
    await broker.stop()
    await mongo.close()


async def _decode(message: Any) -> Any:
    return read(POS, message.body)


if __name__ == "__main__":
    uvloop.run(_serve(load(Settings), sys.argv[1]))
