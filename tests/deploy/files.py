"""The deployment files as tests read them."""

import shlex
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
SERVICES = sorted(app.parent.name for app in (ROOT / "services").glob("*/app.py"))


def dockerfile() -> list[tuple[str, list[str]]]:
    """The instructions of the Dockerfile with their words; a JSON array is taken apart like a command."""
    text = (DEPLOY / "Dockerfile").read_text().replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [(line.split()[0], shlex.split(line.replace("[", " ").replace("]", " ").replace('", "', '" "'))[1:]) for line in lines]


def copied(service: str) -> list[Path]:
    """What the images of a service and of the commands take from the project, relative to it."""
    sources = [word for name, words in dockerfile() if name == "COPY" and "--from" not in words[0] for word in words[:-1]]
    found: list[Path] = []
    for source in sources:
        matches = sorted(ROOT.glob(source.replace("${SERVICE}", service)))
        assert matches, f"COPY {source}: there is no such thing"
        found += [match.relative_to(ROOT) for match in matches]
    return found


def env_file(folder: Path, name: str) -> dict[str, str]:
    """The variables of an env_file that compose.yaml names for that service."""
    file = folder / Path(COMPOSE["services"][name]["env_file"]).name
    return dict(line.partition("=")[::2] for line in file.read_text().splitlines())
