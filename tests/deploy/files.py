"""The deployment files as tests read them."""

import json
from pathlib import Path
from typing import Any

import yaml
from pydantic_settings import BaseSettings

from services.ledger.app import CouponSettings
from services.notifier.delivery.settings import DeliverySettings
from services.notifier.settings import ChannelSettings
from services.portal.settings import PortalSettings

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
SERVICES = sorted(app.parent.name for app in (ROOT / "services").glob("*/app.py"))
OWN_SETTINGS: dict[str, list[type[BaseSettings]]] = {
    "ledger": [CouponSettings],
    "notifier": [DeliverySettings, ChannelSettings],
    "portal": [PortalSettings],
}
"""What a service reads from its environment beside what every service does."""


def dockerfile() -> list[tuple[str, list[str]]]:
    """The instructions of the Dockerfile, each with its words; those of a JSON array as they are."""
    found: list[tuple[str, list[str]]] = []
    text = "\n".join(line for line in (DEPLOY / "Dockerfile").read_text().splitlines() if not line.startswith("#"))
    for line in filter(None, text.replace("\\\n", " ").splitlines()):
        head, bracket, array = line.partition("[")
        name, *words = head.split()
        found.append((name, words + (json.loads(bracket + array) if bracket else [])))
    return found


def copied(stage: str, service: str = SERVICES[0]) -> list[Path]:
    """What a stage of the Dockerfile, and those that it stands on, take from the project, relative to it."""
    parents: dict[str, str] = {}
    copies: dict[str, list[str]] = {}
    for name, words in dockerfile():
        if name == "FROM":
            parents[words[-1]] = words[0]
        elif name == "COPY" and not words[0].startswith("--from"):
            copies.setdefault([*parents][-1], []).extend(words[:-1])
    found: list[Path] = []
    while stage in parents:
        for source in copies.get(stage, []):
            matches = sorted(ROOT.glob(source.replace("${SERVICE}", service)))
            assert matches, f"COPY {source}: there is no such thing"
            found += [match.relative_to(ROOT) for match in matches]
        stage = parents[stage]
    return found


def env_file(folder: Path, name: str) -> dict[str, str]:
    """The variables of the files that compose.yaml names for that service, which lie in that folder."""
    named: str | list[str] = COMPOSE["services"][name]["env_file"]
    found: dict[str, str] = {}
    for file in [named] if isinstance(named, str) else named:
        lines = (folder / Path(file).name).read_text().splitlines()
        pairs = (line.partition("=") for line in lines if line and not line.startswith("#"))
        found |= {key: value for key, _, value in pairs}
    return found


def environment(folder: Path, name: str) -> dict[str, str]:
    """All variables that compose.yaml gives to that service."""
    return env_file(folder, name) | COMPOSE["services"][name].get("environment", {})
