"""Kafka and MongoDB in containers, where a Docker daemon answers.

NOT RUN where it was written: that machine has no Docker. The servers get the same settings, folders and ports as the
child processes of `servers.py`, so that little is left here that could differ.
"""

import os
from pathlib import Path
from typing import Any

from deploy.local import mongo
from deploy.local.errors import StackError

KAFKA_IMAGE = "apache/kafka:4.1.1"
MONGO_IMAGE = "mongo:7"

KAFKA_SCRIPT = "exec /opt/kafka/bin/kafka-server-start.sh {properties}"
# Only somebody inside the container counts as local, and may make the first user.
MONGO_SCRIPT = """
mongod {arguments} & mongod=$!
trap 'kill $mongod; wait $mongod' TERM
until mongosh --quiet --port {port} --eval '
  try {{ rs.initiate({{_id: "{set}", members: [{{_id: 0, host: "127.0.0.1:{port}"}}]}}) }} catch (e) {{}}
  while (!db.hello().isWritablePrimary) sleep(100)
  try {{ db.getSiblingDB("admin").createUser({{user: "ops", pwd: process.env.OPS_PASSWORD, roles: ["root"]}}) }}
  catch (e) {{}}'; do sleep 0.2; done
wait $mongod
"""


def available() -> bool:
    """Whether a Docker daemon answers here."""
    if not os.environ.get("DOCKER_HOST") and not Path("/var/run/docker.sock").exists():
        return False
    import docker  # noqa: PLC0415  takes a while to load, and is not needed where there is no daemon

    try:
        docker.from_env(timeout=3).ping()  # pyright: ignore[reportUnknownMemberType]
    except Exception:  # noqa: BLE001  docker raises errors of several libraries, and each means no
        return False
    return True


class Container:
    """A server in a container, with what `Child` offers."""

    def __init__(self, name: str, image: str, script: str, folder: Path, ports: list[int], env: dict[str, str]) -> None:
        from testcontainers.core.container import DockerContainer  # noqa: PLC0415  half a second, for Docker alone

        self.name = name
        self._container = (
            DockerContainer(image, user=f"{os.getuid()}:{os.getgid()}", entrypoint=["bash", "-c"])
            .with_command([script])
            .with_volume_mapping(str(folder), str(folder), "rw")
        )
        for port in ports:
            self._container.with_bind_ports(port, port)
        for key, value in env.items():
            self._container.with_env(key, value)

    @property
    def running(self) -> bool:
        """Whether it has been started and has not ended."""
        container = self._docker()
        if container is not None:
            container.reload()
        return container is not None and container.status in {"created", "running", "paused"}

    def start(self) -> None:
        """Start it; pulls the image the first time."""
        container = self._docker()
        if container is None:
            self._container.start()
        else:
            container.start()

    async def stop(self, patience: float = 5) -> None:
        """Ask it to end; it is killed when `patience` seconds were not enough."""
        if (container := self._docker()) is not None:
            container.stop(timeout=int(patience))
            self._container.stop()

    async def kill(self) -> None:
        """End it at once, as a crash would."""
        if (container := self._docker()) is not None:
            container.kill()

    def freeze(self) -> None:
        """Stop it from running."""
        if (container := self._docker()) is not None:
            container.pause()

    def thaw(self) -> None:
        """Let a frozen one go on."""
        if (container := self._docker()) is not None:
            container.unpause()

    def last_words(self, lines: int = 15) -> str:
        """The end of what it has written."""
        container = self._docker()
        return "" if container is None else container.logs(tail=lines).decode(errors="replace")

    def _docker(self) -> Any:
        return self._container.get_wrapped_container()


def broker(properties: Path, ports: list[int]) -> Container:
    """One Kafka broker with these settings. `ports`: its own and the controller's."""
    return Container("kafka-1", KAFKA_IMAGE, KAFKA_SCRIPT.format(properties=properties), properties.parent, ports, {})


def member(folder: Path, data: Path, key: Path, port: int, password: str) -> Container:
    """A replica set of one, with its operator."""
    arguments = " ".join(mongo.arguments(data, key, port, host="0.0.0.0"))  # noqa: S104  inside its container
    script = MONGO_SCRIPT.format(arguments=arguments, port=port, set=mongo.REPLICA_SET)
    return Container("mongod-1", MONGO_IMAGE, script, folder, [port], {"OPS_PASSWORD": password})


def check(brokers: int, nodes: int) -> None:
    """Refuse what needs servers that reach each other: containers on ports of the host do not."""
    if (brokers, nodes) != (1, 1):
        raise StackError("Several brokers or MongoDB members run as child processes only; stop Docker for that.")
