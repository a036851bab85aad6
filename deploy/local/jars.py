"""Apache Kafka's own jars: exactly those that jars.txt names, fetched once and checked every time."""

import fcntl
import hashlib
import os
import sys
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from deploy.local.errors import StackError

CACHE = Path(os.environ.get("M2_REPO", Path.home() / ".m2" / "repository"))
LIST = Path(__file__).with_name("jars.txt")
# slf4j-simple: with a log4j binding beside it, Maven's rules pick a kafka-clients that this broker cannot use.
ROOTS = "org.apache.kafka:kafka_2.13:4.4.0+org.slf4j:slf4j-simple:1.7.36"


def missing() -> bool:
    """Whether the class path takes a download."""
    return not all(_path(coordinates).exists() for _, coordinates in _wanted())


def classpath() -> str:
    """The class path of Kafka; downloads with a progress bar what is not in the Maven cache of this user."""
    wanted = _wanted()
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "perkstream.lock").open("w") as one_at_a_time, _bar() as bar, ThreadPoolExecutor(8) as pool:
        fcntl.flock(one_at_a_time, fcntl.LOCK_EX)
        task = bar.add_task("", total=len(wanted))
        futures = {pool.submit(_fetch, digest, coordinates): coordinates for digest, coordinates in wanted}
        for future in as_completed(futures):
            if problem := future.exception():
                pool.shutdown(cancel_futures=True)
                raise StackError(
                    f"Apache Kafka: {futures[future]} could not be fetched from Maven Central "
                    f"({type(problem).__name__}: {problem}).\nCheck the network and try again; what is there is kept."
                ) from problem
            bar.advance(task)
    return ":".join(str(_path(coordinates)) for _, coordinates in wanted)


def _wanted() -> list[list[str]]:
    """Pairs of digest and coordinates."""
    return [line.split() for line in LIST.read_text().splitlines()[1:]]


def _bar() -> Progress:
    columns = TextColumn("Downloading Apache Kafka"), BarColumn(), MofNCompleteColumn()
    return Progress(*columns, console=Console(stderr=True), transient=True, disable=not missing())


def _path(coordinates: str) -> Path:
    group, artifact, version = coordinates.split(":")
    return CACHE.joinpath(*group.split("."), artifact, version, f"{artifact}-{version}.jar")


def _fetch(digest: str, coordinates: str) -> None:
    path = _path(coordinates)
    if path.exists() and _digest(path) == digest:
        return
    path.unlink(missing_ok=True)  # half a file of a download that was cut off
    from jgo.maven import MavenContext  # noqa: PLC0415  takes half a second, and only Linux on x86-64 has it

    group, artifact, version = coordinates.split(":")
    MavenContext(repo_cache=CACHE).project(group, artifact).at_version(version).artifact().resolve()
    if _digest(path) != digest:
        raise ValueError("its content is not what jars.txt locks")


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def lock() -> None:
    """Write jars.txt anew from what Maven resolves for ROOTS today."""
    import jgo  # noqa: PLC0415

    head = LIST.read_text().splitlines()[0]
    found = [(_digest(jar.resolve()), f"{jar.groupId}:{jar.artifactId}:{jar.version}") for jar in jgo.resolve(ROOTS)]
    lines = [head, *("  ".join(pair) for pair in found)]
    LIST.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    sys.exit(lock())
