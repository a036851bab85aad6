"""A service as a process: everything is wired here, started in order, and stopped within fifteen seconds."""

import asyncio
import gc
import os
import signal
import sys
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, Final, cast

import uvloop
from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.errors import KafkaConnectionError, KafkaError
from fastapi import APIRouter
from faststream import AckPolicy
from faststream.kafka import KafkaBroker
from faststream.security import BaseSecurity, SASLPlaintext, SASLScram256, SASLScram512
from msgspec import Struct

from shared import log as logs
from shared.contracts.topics import PROGRAMME, commands_topic, dead_letters_topic, events_topic
from shared.http.app import guard, make_app
from shared.http.probes import Probes
from shared.http.reads import Reader
from shared.http.server import listen, serve
from shared.masterkeys.kms import GoneError
from shared.mongo import LIFETIME, Mongo, Unavailable
from shared.rulebook.programme import Programme
from shared.runtime.chores import Chores
from shared.runtime.claims import Claims, Listener, MissingRecordsError
from shared.runtime.commands import Commands, Waiting
from shared.runtime.deadletters import DeadLetters
from shared.runtime.health import Health
from shared.runtime.inbox import Inbox
from shared.runtime.keyring import Keyring
from shared.runtime.loader import CorruptError, Loader
from shared.runtime.log import Codec
from shared.runtime.lookout import StalledError
from shared.runtime.loop import Loop
from shared.runtime.programmes import Programmes
from shared.runtime.publisher import Publisher
from shared.runtime.reader import DatabaseReader
from shared.runtime.rebuild import Rebuilder
from shared.runtime.rules import Service
from shared.runtime.source import Source
from shared.runtime.store import Observer, Store
from shared.settings import Settings, load

log = logs.get("service")
SESSION_MS: Final = 10_000
HEARTBEAT_MS: Final = 3_000
STOP_SECONDS: Final = 11  # for what is under way; with twice the next it stays below fifteen
GOODBYE_SECONDS: Final = 1.5  # more for what is beside the loop, and then for Kafka
Routes = Callable[[Reader[Any], Callable[[], Programme]], APIRouter]


class Ground(Struct, frozen=True):
    """What work beside the loop stands on.

    `owned`: the partitions of this process at the moment, with their epochs. `observers`: of what its batches store.
    """

    mongo: Mongo
    commands: Commands
    programme: Callable[[], Programme]
    owned: Callable[[], Mapping[int, int]]
    health: Health
    stop: asyncio.Event
    observers: list[Observer]


Beside = Callable[[Ground], Coroutine[Any, Any, None]]


def run(service: Service, routes: Routes, beside: Beside | None = None) -> None:
    """Run a service until SIGTERM or SIGINT. Exits with a message when it cannot start or must not go on.

    `beside`: work of the same process that is no answer to a record, until `Ground.stop`; what it raises ends the
    process.
    """
    settings = load(Settings)
    logs.configure(service.name, settings.log_format, settings.log_level)
    uvloop.run(_main(service, routes, settings, beside))


async def _main(service: Service, routes: Routes, settings: Settings, beside: Beside | None) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    try:
        clean = await _serve(service, routes, settings, beside, stop)
    except (MissingRecordsError, CorruptError, StalledError, GoneError) as error:
        log.critical("the service stops", reason=str(error))
        raise SystemExit(f"{service.name}: {error}") from None
    if not clean:
        # A thread still waits for a server that does not answer, and Python waits for all threads before it ends.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)


async def _serve(
    service: Service, routes: Routes, settings: Settings, beside: Beside | None, stop: asyncio.Event
) -> bool:
    """Until it is stopped; whether all that was under way has ended."""
    check = guard(settings)
    socket = listen(settings.http_host, settings.http_port)
    options = settings.aiokafka()
    partitions = await _partitions(service, options, stop)
    if partitions is None:
        return True
    mongo = Mongo(settings.mongo_url.get_secret_value(), service.name)
    await _warn_of_lifetime(mongo)
    codec = Codec(service.rules)
    health, waiting, store = Health(), Waiting(mongo), Store(mongo)
    keyring = None if service.forgotten is None else Keyring(mongo, settings.kms(), partitions)
    loader, publisher = Loader(mongo, service.rules, codec, keyring), Publisher(service.name, options, health)
    programmes = Programmes(options)
    commands = Commands(service.name, partitions, mongo, waiting, options)

    def programme() -> Programme:
        if programmes.current is None:
            raise Unavailable("no programme was published yet")
        return programmes.current

    app = make_app(
        service.name,
        check,
        Probes(live=health.live, ready=health.ready),
        [routes(DatabaseReader(partitions, mongo, codec), programme)],
        commands,
        keyring,
    )
    http = asyncio.create_task(serve(app, socket, stop))
    broker: KafkaBroker | None = None
    clean = True
    try:
        await publisher.start()
        await commands.start()
        await programmes.start()
        health.watch()
        while programmes.current is None and not stop.is_set():
            health.turned()
            await asyncio.sleep(0.1)
        health.programme = programmes.current is not None
        if stop.is_set():
            return True
        listener = Listener()
        broker, consumer = await _consumer(service, settings, listener)
        inbox = Inbox(service)
        claims = Claims(inbox.topics, consumer, listener, store, loader, publisher, health)
        waiting.here = claims.owned
        source, rebuilder = Source(options), Rebuilder(mongo, service.rules, codec)
        letters = DeadLetters(service, partitions, options, source)
        chores = Chores(mongo, claims, loader, programmes, rebuilder, letters, health)
        loop = Loop(
            service,
            partitions,
            consumer,
            claims,
            store,
            loader,
            codec,
            publisher,
            programmes,
            chores,
            waiting,
            health,
            source,
            keyring,
        )
        # Nothing here is cyclic garbage by design, so Python searches for some only once more is left than the batches
        # under way hold. Every 20,000 allocations it took a quarter of the time, for what was about to go by itself.
        gc.freeze()
        gc.set_threshold(300_000, 20, 1_000)
        running = asyncio.create_task(loop.run())
        tasks: list[asyncio.Task[Any]] = [running, asyncio.create_task(stop.wait()), http]
        if beside is not None:
            ground = Ground(mongo, commands, programme, claims.epochs, health, stop, store.observers)
            tasks.append(asyncio.create_task(beside(ground)))
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        loop.stop()
        until = asyncio.get_running_loop().time() + STOP_SECONDS
        try:
            async with asyncio.timeout_at(until):
                clean = await running
        except TimeoutError:
            clean = False
            log.warning("stopped in the middle of an outage; the next owner goes on")
        stop.set()
        left = until + GOODBYE_SECONDS - asyncio.get_running_loop().time()
        ended, late = await asyncio.wait(tasks, timeout=max(0, left))
        for task in late - {http}:
            clean = False
            task.cancel()
        await asyncio.gather(*(task for task in ended if not task.cancelled()))
    finally:
        stop.set()
        await http
        try:
            async with asyncio.timeout(GOODBYE_SECONDS):
                if broker is not None:
                    await broker.stop()
                await programmes.stop()
                await commands.stop()
                await publisher.stop()
        except TimeoutError:
            log.warning("Kafka does not hear our goodbye; it will miss us when the session is over")
        await mongo.close()
    return clean


async def _consumer(service: Service, settings: Settings, listener: Listener) -> tuple[KafkaBroker, AIOKafkaConsumer]:
    """A FastStream subscriber without a handler: it carries configuration and consumer, and starts no loop."""
    broker = KafkaBroker(settings.kafka_bootstrap.split(","), security=_security(settings), logger=None)
    subscriber = broker.subscriber(
        *Inbox(service).topics,
        group_id=service.name,
        auto_offset_reset="none",
        ack_policy=AckPolicy.MANUAL,  # otherwise the client commits offsets of records that are not stored yet
        partition_assignment_strategy=(RangePartitionAssignor,),
        session_timeout_ms=SESSION_MS,
        heartbeat_interval_ms=HEARTBEAT_MS,
        rebalance_timeout_ms=SESSION_MS,
        max_poll_interval_ms=5 * 60_000,
        fetch_max_wait_ms=500,
        listener=listener,
    )
    listener.consumer = lambda: cast("AIOKafkaConsumer", subscriber.consumer)
    await broker.start()
    return broker, listener.consumer()


def _security(settings: Settings) -> BaseSecurity:
    options = settings.aiokafka()
    context = options.get("ssl_context")
    if settings.kafka_username is None or settings.kafka_password is None:
        return BaseSecurity(ssl_context=context)
    kinds: Mapping[str, Any] = {"SCRAM-SHA-512": SASLScram512, "SCRAM-SHA-256": SASLScram256, "PLAIN": SASLPlaintext}
    return kinds[settings.kafka_sasl_mechanism](
        username=settings.kafka_username,
        password=settings.kafka_password.get_secret_value(),
        ssl_context=context,
        use_ssl=context is not None,
    )


async def _partitions(service: Service, options: Mapping[str, Any], stop: asyncio.Event) -> int | None:
    """The number of partitions that all topics of a service share; `None` when it was stopped before Kafka answered."""
    names = [*Inbox(service).topics, commands_topic(service.name), events_topic(service.name)]
    names.append(dead_letters_topic(service.name))
    while not stop.is_set():
        admin = AIOKafkaAdminClient(**options)
        try:
            await admin.start()
            found: Sequence[dict[str, Any]] = await admin.describe_topics(sorted({*names, PROGRAMME}))
        except (KafkaConnectionError, KafkaError) as error:
            log.warning("waiting for kafka", error=type(error).__name__)
            await asyncio.sleep(1)
            continue
        finally:
            await admin.close()
        counts = {topic["topic"]: len(topic["partitions"]) for topic in found}
        missing = [name for name in (*names, PROGRAMME) if not counts.get(name)]
        if missing:
            log.warning("waiting for topics", missing=sorted(set(missing)))
            await asyncio.sleep(1)
            continue
        shared = {counts[name] for name in names}
        if len(shared) > 1:
            text = ", ".join(f"{name}: {counts[name]}" for name in sorted(set(names)))
            raise SystemExit(f"{service.name}: all topics but programme need the same number of partitions: {text}")
        return shared.pop()
    return None


async def _warn_of_lifetime(mongo: Mongo) -> None:
    try:
        seconds = await mongo.lifetime()
    except Unavailable:
        return
    if seconds is not None and seconds > LIFETIME:
        log.warning("transactionLifetimeLimitSeconds is high: a dead owner blocks its successor", seconds=seconds)
