"""docs/run-it.md says what the code says: settings, topics and rights, metrics, readiness."""

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from prometheus_client import REGISTRY
from pydantic_core import PydanticUndefined

import services.notifier.delivery.metrics
import shared.http.shell
import shared.runtime.metrics  # all three register what they count
from deploy.local.provision import LOOKS, OUTSIDE
from shared.contracts.topics import SERVICES, TOPICS, Topic
from shared.runtime.health import Health
from shared.settings import PREFIX, Settings
from tests.deploy.files import OWN_SETTINGS, ROOT

assert services.notifier.delivery.metrics
assert shared.http.shell
assert shared.runtime.metrics
TEXT = (ROOT / "docs" / "run-it.md").read_text()


def table(head: str) -> Iterator[list[str]]:
    """The rows of the table whose head begins like that."""
    lines = iter(TEXT.splitlines())
    for line in lines:
        if line.startswith(f"| {head} |"):
            break
    else:
        raise AssertionError(f"no table {head}")
    next(lines)
    for line in lines:
        if not line.startswith("|"):
            return
        yield [cell.strip() for cell in line.strip("|").split("|")]


def names(head: str) -> list[str]:
    """What its first column names."""
    return [name.strip().strip("`") for row in table(head) for name in row[0].split(",")]


@pytest.mark.parametrize("service", [None, *OWN_SETTINGS])
def test_every_setting_is_named_with_its_default(service: str | None) -> None:
    def default(value: Any) -> str:
        if value is PydanticUndefined or value is None:
            return "none" if value is None else "required"
        return f"`{json.dumps(value) if isinstance(value, dict | tuple) else value}`"

    kinds = [Settings] if service is None else OWN_SETTINGS[service]
    fields = {name: field for kind in kinds for name, field in kind.model_fields.items()}
    head = "variable" if service is None else f"{service}'s variable"
    assert [row[:2] for row in table(head)] == [
        [f"`{PREFIX}{name.upper()}`", default(field.default)] for name, field in fields.items()
    ]


def test_every_topic_is_there_with_who_writes_and_reads_it() -> None:
    def kept(topic: Topic) -> str:
        if topic.compacted:
            return "compacted"
        return "for ever" if topic.retention_ms is None else f"{timedelta(milliseconds=topic.retention_ms).days} days"

    def readers(topic: Topic) -> list[str]:
        return [*topic.readers, *(who for name, who in LOOKS if name == topic.name)]

    assert list(table("topic")) == [
        [f"`{topic.name}`", ", ".join(topic.writers), ", ".join(readers(topic)), kept(topic)] for topic in TOPICS
    ]


def test_every_principal_is_there() -> None:
    assert set(names("principal")) == {name.strip("`") for name in ("ops", *SERVICES, *OUTSIDE)}


def test_every_metric_is_explained() -> None:
    counted = {
        f"{metric.name}_total" if metric.type == "counter" else metric.name
        for metric in REGISTRY.collect()
        if metric.name.startswith("perkstream_")
    }

    assert set(names("metric")) == counted


def test_every_detail_of_readiness_is_explained() -> None:
    assert set(names("detail")) == Health().ready()[1].keys() | {"channels"}
