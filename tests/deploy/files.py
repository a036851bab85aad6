"""The deployment files as tests read them."""

import json
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
SERVICES = sorted(app.parent.name for app in (ROOT / "services").glob("*/app.py"))


def dockerfile() -> list[tuple[str, list[str]]]:
    """The instructions of the Dockerfile, each with its words; those of a JSON array as they are."""
    found: list[tuple[str, list[str]]] = []
    text = "\n".join(line for line in (DEPLOY / "Dockerfile").read_text().splitlines() if not line.startswith("#"))
    for line in filter(None, text.replace("\\\n", " ").splitlines()):
        head, bracket, array = line.partition("[")
        name, *words = head.split()
        found.append((name, words + (json.loads(bracket + array) if bracket else [])))
    return found


def copied(service: str) -> list[Path]:
    """What the images of a service and of the commands take from the project, relative to it."""
    copies = [words for name, words in dockerfile() if name == "COPY" and not words[0].startswith("--from")]
    found: list[Path] = []
    for source in [source for words in copies for source in words[:-1]]:
        matches = sorted(ROOT.glob(source.replace("${SERVICE}", service)))
        assert matches, f"COPY {source}: there is no such thing"
        found += [match.relative_to(ROOT) for match in matches]
    return found


def env_file(folder: Path, name: str) -> dict[str, str]:
    """The variables of the env_file that compose.yaml names for that service."""
    file = folder / Path(COMPOSE["services"][name]["env_file"]).name
    pairs = (line.partition("=") for line in file.read_text().splitlines())
    return {key: value for key, _, value in pairs}
