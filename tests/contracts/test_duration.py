"""Durations of ISO 8601."""

import pytest
from hypothesis import given
from hypothesis import strategies as some

from shared.contracts.duration import Duration


@pytest.mark.parametrize(
    ("text", "duration"),
    [
        ("P2Y", Duration(months=24)),
        ("P12M", Duration(months=12)),
        ("P14D", Duration(days=14)),
        ("P2W", Duration(days=14)),
        ("PT15M", Duration(seconds=900)),
        ("PT36H", Duration(seconds=129_600)),
        ("P1Y2M10DT2H30M5S", Duration(months=14, days=10, seconds=9005)),
        ("P0D", Duration()),
        ("PT0S", Duration()),
    ],
)
def test_a_duration_is_read(text: str, duration: Duration):
    assert Duration.parse(text) == duration


@pytest.mark.parametrize(
    "text",
    [
        "",
        "P",
        "PT",
        "P1",
        "1D",
        "P1H",
        "PT1D",
        "P1DT",
        "P1.5D",
        "PT1,5H",
        "p1d",
        " P1D",
        "P1D\n",
        "P1M1Y",
        "P٣D",
        "+P1D",
    ],
)
def test_what_is_no_duration_is_refused(text: str):
    with pytest.raises(ValueError, match="is no duration of ISO 8601"):
        Duration.parse(text)


@pytest.mark.parametrize("text", ["-P1D", "P-1D", "PT-5M"])
def test_a_duration_below_zero_is_refused_as_that(text: str):
    with pytest.raises(ValueError, match="is below zero"):
        Duration.parse(text)


@pytest.mark.parametrize("text", ["P101Y", "P9999Y", "P36526D", "P9999W", "PT999999H"])
def test_a_duration_beyond_a_century_is_refused(text: str):
    with pytest.raises(ValueError, match="is longer than a century"):
        Duration.parse(text)


@given(some.builds(Duration, some.integers(0, 1200), some.integers(0, 36525), some.integers(0, 10**8)))
def test_its_text_says_the_same_duration(duration: Duration):
    assert Duration.parse(str(duration)) == duration


def test_only_nothing_is_no_time():
    assert not Duration()
    assert all([Duration(months=1), Duration(days=1), Duration(seconds=1)])
