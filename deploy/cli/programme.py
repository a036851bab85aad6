"""`perkstream programme`: check and publish versions of the programme."""

from pathlib import Path
from typing import Any

import yaml

from deploy.cli import kafka
from deploy.cli.clock import newest_tick, written
from deploy.cli.trouble import Trouble
from shared.contracts.coherence import ProgrammeError, conflicts, parse_programme, read_programme
from shared.contracts.programme import ProgrammeVersion
from shared.contracts.records import canonical
from shared.contracts.topics import PROGRAMME
from shared.rulebook.calendar import Calendar


def load(file: Path) -> ProgrammeVersion:
    """The version in a YAML file, or every fault of it."""
    try:
        document: object = yaml.safe_load(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise Trouble(f"{file}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise Trouble(f"{file}: not UTF-8") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise Trouble(f"{file}: no YAML: {' '.join(str(error).split())}") from None
    try:
        return parse_programme(document)
    except ProgrammeError as error:
        raise _refused(file, error.faults) from None


async def publish(options: dict[str, Any], file: Path) -> str:
    """Publish a version and say so. One that is published already is left alone; one that does not fit is refused."""
    version = load(file)
    existing = await published(options)
    if version in existing:
        return f"version {version.version} is published already"
    faults = conflicts(existing, version)
    begins = Calendar(version.time_zone).start_of_day(version.effective_from)
    # What was decided before a tick stays decided: a version may only speak of what is to come.
    tick = await newest_tick(options) if existing else None
    if tick is not None and begins <= tick:
        faults.append(f"effective_from: is not later than the newest tick, {written(tick)}")
    if faults:
        raise _refused(file, faults)
    async with kafka.publisher(options) as publisher:
        await publisher.send(PROGRAMME, str(version.version).encode(), canonical(version), partition=0)
    return f"version {version.version} is published, in force from {written(begins)}"


async def published(options: dict[str, Any]) -> list[ProgrammeVersion]:
    """All versions on the topic, in order of their numbers. What is no programme is passed over, as services do."""
    versions: dict[int, ProgrammeVersion] = {}
    async for record in kafka.read(options, PROGRAMME):
        try:
            version = read_programme(record.value)
        except ProgrammeError:
            continue
        versions[version.version] = version
    return [versions[number] for number in sorted(versions)]


def _refused(file: Path, faults: list[str]) -> Trouble:
    count = "a fault" if len(faults) == 1 else f"{len(faults)} faults"
    return Trouble("\n  ".join([f"{file} is refused for {count}:", *faults]))
