"""The log is one object a line for machines, and never holds what an exception had in its hands."""

import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from shared import log


@pytest.fixture(autouse=True)
def as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, str]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_our_records_and_those_of_libraries_have_one_form(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure("turnover", "json")
    log.get("loop").info("claimed", partition=3)
    logging.getLogger("some.library").warning("slow: %d ms", 7)

    ours, theirs = lines(capsys)

    assert (ours["service"], ours["part"], ours["event"], ours["partition"]) == ("turnover", "loop", "claimed", 3)
    assert (theirs["service"], theirs["event"], theirs["level"]) == ("turnover", "slow: 7 ms", "warning")
    assert ours["timestamp"].endswith("Z")


def test_an_exception_shows_where_it_came_from_and_no_values(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure("turnover", "json")
    try:
        email = "someone@example.org"
        {}[len(email)]
    except KeyError:
        log.get("loop").exception("failed")

    (record,) = lines(capsys)

    assert "test_log.py" in record["exception"]
    assert "someone@" not in record["exception"]


def test_what_is_below_the_level_is_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure("turnover", "json", "warning")
    log.get("loop").info("unheard")
    logging.getLogger("some.library").info("unheard")
    log.get("loop").warning("heard")

    assert [record["event"] for record in lines(capsys)] == ["heard"]
