"""The versions of a programme on one line of time."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from shared.contracts.coherence import ProgrammeError, parse_programme
from shared.contracts.programme import ProgrammeVersion
from shared.rulebook.programme import Programme

DEFAULT = Path(__file__).parents[2] / "deploy" / "programme.yaml"
TICK = timedelta(microseconds=1)


def terms(version: int, effective_from: str, **changes: Any) -> ProgrammeVersion:
    return parse_programme(
        yaml.safe_load(DEFAULT.read_text()) | {"version": version, "effective_from": effective_from} | changes
    )


FIRST = terms(1, "2010-01-01")
SECOND = terms(2, "2011-01-01")
THIRD = terms(3, "2011-07-01")
STARTS = [
    datetime(2009, 12, 31, 23, tzinfo=UTC),
    datetime(2010, 12, 31, 23, tzinfo=UTC),
    datetime(2011, 6, 30, 22, tzinfo=UTC),
]


def numbers(programme: Programme, *moments: datetime) -> list[int | None]:
    return [version.number if (version := programme.in_force(at)) else None for at in moments]


def test_a_version_is_in_force_from_its_first_local_midnight():
    programme = Programme([THIRD, FIRST, SECOND])
    assert [version.starts for version in programme.versions] == STARTS
    assert numbers(programme, *STARTS) == [1, 2, 3]
    assert numbers(programme, *(at - TICK for at in STARTS)) == [None, 1, 2]


def test_what_comes_into_force_between_two_moments_is_listed_with_the_later_one():
    programme = Programme([FIRST, SECOND, THIRD])
    assert [v.number for v in programme.starting(STARTS[0], STARTS[2])] == [2, 3]
    assert [v.number for v in programme.starting(STARTS[0] - TICK, STARTS[2] - TICK)] == [1, 2]
    assert programme.starting(STARTS[2], STARTS[2] + timedelta(days=999)) == ()


def test_of_versions_that_start_on_one_day_the_highest_number_is_in_force():
    programme = Programme([FIRST, terms(3, "2011-01-01"), SECOND])
    assert [version.number for version in programme.versions] == [1, 3]
    assert programme.starting(STARTS[0], STARTS[1])[0].number == 3


def test_a_turnover_reaches_the_highest_tier_that_starts_at_or_below_it():
    version = Programme([FIRST]).versions[0]
    reached = [version.tiers[version.tier_reached(minor)] for minor in (0, 49_999, 50_000, 199_999, 200_000, 10**15)]
    assert reached == ["bronze", "bronze", "silver", "silver", "gold", "gold"]


def test_what_never_changes_is_said_once():
    programme = Programme([FIRST])
    assert (programme.currency, programme.rolling, programme.net) == ("EUR", False, False)
    rolling = terms(
        1, "2010-01-01", turnover={"window": "rolling_12_months", "status_validity": "none", "basis": "net"}
    )
    assert (Programme([rolling]).rolling, Programme([rolling]).net) == (True, True)


@pytest.mark.parametrize(
    ("versions", "fault"),
    [
        ([], "there is no version"),
        ([FIRST, terms(2, "2011-01-01", currency="CHF")], "currency: never changes"),
        ([FIRST, terms(1, "2011-01-01")], "version: 1 exists with other content"),
        ([SECOND, terms(1, "2012-01-01")], "effective_from: is out of order"),
    ],
)
def test_versions_that_do_not_go_together_make_no_programme(versions: list[ProgrammeVersion], fault: str):
    with pytest.raises(ProgrammeError, match=fault):
        Programme(versions)


def test_the_same_version_twice_is_one():
    assert len(Programme([FIRST, FIRST]).versions) == 1
