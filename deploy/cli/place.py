"""Where the system is that a command speaks to: in the environment, else in `.run/env` of this folder or one above."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from deploy.cli.trouble import Trouble
from shared.settings import KafkaSettings

NOWHERE = "no system is running here: start one with `make run` or `make up`, or set {name}"


@dataclass(frozen=True)
class Place:
    """Addresses and logins by name, as `.run/env` lists them. `folder` holds that file, where there is one.

    What belongs together is taken from one source: a password in the file is never sent to a broker that the
    environment names, nor a token to such a service.
    """

    environment: Mapping[str, str]
    file: Mapping[str, str] = field(default_factory=dict[str, str])
    folder: Path | None = None

    def kafka(self) -> dict[str, Any]:
        """What an aiokafka client needs to connect."""
        source = self._source("KAFKA_BOOTSTRAP")
        names = ("SECURITY_PROTOCOL", "SASL_MECHANISM", "USERNAME", "PASSWORD", "CA_FILE")
        given = {f"kafka_{name.lower()}": source.get(f"KAFKA_{name}") for name in names}
        given["kafka_security_protocol"] = given["kafka_security_protocol"] or "PLAINTEXT"
        given["kafka_sasl_mechanism"] = given["kafka_sasl_mechanism"] or "SCRAM-SHA-512"
        try:
            settings = KafkaSettings(kafka_bootstrap=source["KAFKA_BOOTSTRAP"], **given)  # pyright: ignore[reportArgumentType]
        except ValidationError as wrong:
            raise Trouble(_complaint(wrong)) from None
        return settings.aiokafka()

    def service(self, name: str) -> tuple[str, str]:
        """The address of a service, and the token of an operator."""
        variable = f"{name.upper().replace('-', '_')}_URL"
        known = sorted(
            key.removesuffix("_URL").lower() for key in self.file if key.endswith("_URL") and key != "MONGO_URL"
        )
        if known and variable not in self.file and variable not in self.environment:
            raise Trouble(f"no service {name} runs here; there is: {', '.join(known)}")
        source = self._source(variable)
        token = self.environment.get("OPS_TOKEN") or source.get("OPS_TOKEN")
        if not token:
            raise Trouble("set OPS_TOKEN: the token of an operator (scope ops) for that service")
        return source[variable].rstrip("/"), token

    def keys(self) -> tuple[str, str]:
        """The address of the MongoDB that holds customers' keys, as an operator, and where master keys are."""
        source = self._source("MONGO_URL")
        if not source.get("MASTER_KEYS"):
            raise Trouble("set MASTER_KEYS as for profile: file:FOLDER, or aws")
        return source["MONGO_URL"], source["MASTER_KEYS"]

    def _source(self, name: str) -> Mapping[str, str]:
        for source in (self.environment, self.file):
            if source.get(name):
                return source
        raise Trouble(NOWHERE.format(name=name))


def find(start: Path | None = None, environment: Mapping[str, str] | None = None) -> Place:
    """The place that holds for the working directory (or `start`) and this environment."""
    environment = os.environ if environment is None else environment
    here = (start or Path.cwd()).resolve()
    for folder in (here, *here.parents):
        path = folder / ".run" / "env"
        if path.is_file():
            return Place(environment, read(path), path.parent)
    return Place(environment)


def read(path: Path) -> dict[str, str]:
    """The variables of a file with one KEY=value a line; blank lines and comments are skipped."""
    lines = (line.strip() for line in path.read_text().splitlines())
    pairs = (line.partition("=") for line in lines if line and not line.startswith("#"))
    return {key.strip(): value.strip() for key, _, value in pairs}


def _complaint(wrong: ValidationError) -> str:
    parts: list[str] = []
    for error in wrong.errors(include_url=False, include_input=False, include_context=False):
        name = "_".join(str(part) for part in error["loc"]).upper()
        reason = error["msg"].removeprefix("Value error, ").removeprefix("PERKSTREAM_")
        parts.append(f"{name}: {reason}" if name else reason)
    return "; ".join(parts)
