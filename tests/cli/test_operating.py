"""The clock, the programme and the dead letters, as an operator handles them."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiokafka import AIOKafkaProducer

from deploy.cli import clock, deadletters, kafka, programme
from deploy.cli.clock import moment
from deploy.cli.trouble import Trouble
from deploy.local.stack import Stack
from deploy.local.system import PROGRAMME

NEW_YEAR = datetime(2011, 1, 1, tzinfo=UTC)


@pytest.fixture
def version(tmp_path: Path) -> Any:
    """A file with the default programme and these changes."""

    def make(**changes: Any) -> Path:
        document = yaml.safe_load(PROGRAMME.read_text()) | changes
        file = tmp_path / f"version-{document['version']}.yaml"
        file.write_text(yaml.safe_dump(document, allow_unicode=True))
        return file

    return make


async def test_a_tick_reaches_every_partition(stack: Stack, own_topics: dict[str, str]) -> None:
    options = stack.kafka_options()
    assert await clock.newest_tick(options) is None

    assert await clock.tick(options, NEW_YEAR) == 3

    found = [
        (record.partition, record.key, json.loads(record.value or b""))
        async for record in kafka.read(options, own_topics["clock"])
    ]
    tick = {"type": "Tick.v1", "now": "2011-01-01T00:00:00Z"}
    assert found == [(0, None, tick), (1, None, tick), (2, None, tick)]


async def test_an_earlier_tick_is_sent_with_a_note_and_the_clock_stays(
    stack: Stack, own_topics: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    options = stack.kafka_options()
    await clock.tick(options, NEW_YEAR)

    await clock.tick(options, NEW_YEAR.replace(year=2010))

    assert "the clock already stands at 2011-01-01T00:00:00Z" in capsys.readouterr().err
    assert await clock.newest_tick(options) == NEW_YEAR
    assert len([record async for record in kafka.read(options, own_topics["clock"])]) == 6


@pytest.mark.parametrize("text", ["2011-01-01", "2011-01-01T00:00:00", "tomorrow", ""])
def test_a_time_without_an_offset_is_none(text: str) -> None:
    with pytest.raises(Trouble, match="2011-01-01T00:00:00Z"):
        moment(text)


async def test_a_version_is_published_once(stack: Stack, own_topics: dict[str, str], version: Any) -> None:
    options, file = stack.kafka_options(), version()

    assert "is published, in force from 2009-12-31T23:00:00Z" in await programme.publish(options, file)
    assert "is published already" in await programme.publish(options, file)

    (record,) = [record async for record in kafka.read(options, own_topics["programme"])]
    assert record.key == b"1"
    assert json.loads(record.value or b"")["tiers"][1]["label"]["ru"] == "Серебро"


async def test_the_first_version_may_begin_before_the_clock_and_no_other(
    stack: Stack, own_topics: dict[str, str], version: Any
) -> None:
    options = stack.kafka_options()
    await clock.tick(options, NEW_YEAR)
    await programme.publish(options, version())

    with pytest.raises(Trouble, match="effective_from: is not later than the newest tick, 2011-01-01T00:00:00Z"):
        await programme.publish(options, version(version=2, effective_from="2011-01-01"))
    assert "version 2 is published" in await programme.publish(options, version(version=2, effective_from="2011-01-02"))

    assert [one.version for one in await programme.published(options)] == [1, 2]


async def test_every_fault_of_a_version_is_told_and_nothing_is_published(
    stack: Stack, own_topics: dict[str, str], version: Any
) -> None:
    options = stack.kafka_options()
    await programme.publish(options, version())

    with pytest.raises(Trouble) as refused:
        await programme.publish(
            options, version(version=2, currency="USD", time_zone="UTC", effective_from="2009-01-01")
        )

    for field in ("2 faults|3 faults", "currency: never changes", "time_zone: never changes", "effective_from: "):
        refused.match(field)
    assert [one.version for one in await programme.published(options)] == [1]


def test_every_fault_of_a_file_is_told(version: Any) -> None:
    with pytest.raises(Trouble) as refused:
        programme.load(version(currency="EURO", time_zone="Berlin", reminders={"every": "P7D", "at": 600}))

    for field in ("3 faults", "currency: ", "time_zone: ", "reminders.at: "):
        refused.match(field)


@pytest.mark.parametrize(
    ("content", "reason"), [(b"a: [", "no YAML"), (b"\xff\xfe\xfa", "not UTF-8|no YAML"), (b"[]", "object")]
)
def test_a_file_that_is_no_programme_is_told_so(tmp_path: Path, content: bytes, reason: str) -> None:
    file = tmp_path / "programme.yaml"
    file.write_bytes(content)

    with pytest.raises(Trouble, match=reason):
        programme.load(file)


async def test_dead_letters_are_listed_with_reason_and_origin_and_without_content(
    stack: Stack, own_topics: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    options = stack.kafka_options()
    headers = [
        ("reason", b"total_minor: is missing"),
        ("topic", b"pos.purchases"),
        ("partition", b"7"),
        ("offset", b"42"),
    ]
    async with AIOKafkaProducer(**options) as producer:
        await producer.send_and_wait(own_topics["dead-letters"], b"secret", key=b"c-1", headers=headers)
        await producer.send_and_wait(
            own_topics["dead-letters"], b"secret", key=b"c-1", headers=[("reason", b"\xff [b]")]
        )

    await deadletters.listing(options, "turnover", as_json=True)
    listed = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    await deadletters.listing(options, "turnover", as_json=False)
    table = capsys.readouterr().out

    assert listed == [
        {"reason": "total_minor: is missing", "topic": "pos.purchases", "partition": 7, "offset": 42},
        {"reason": "\ufffd [b]", "topic": "?", "partition": "?", "offset": "?"},
    ]
    assert "secret" not in table
    assert "[b]" in table
    assert "2 dead letters" in table


async def test_dead_letters_of_an_unknown_service_are_refused() -> None:
    with pytest.raises(Trouble, match="no service till; there is: profile, turnover"):
        await deadletters.listing({}, "till", as_json=False)
