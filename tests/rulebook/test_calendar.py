"""Days, months and years in a time zone: gaps, folds, month ends, midnights that come twice or never."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given
from hypothesis import strategies as some

from shared.contracts.duration import Duration
from shared.rulebook.calendar import add_months, calendar

BERLIN = calendar("Europe/Berlin")
# Among them: changes at midnight, over midnight and of a whole day, half hours, and a year that begins twice as late.
ZONES = some.sampled_from(
    [
        "Europe/Berlin",
        "UTC",
        "America/Sao_Paulo",
        "America/St_Johns",
        "America/Havana",
        "Pacific/Apia",
        "Pacific/Kiritimati",
        "Asia/Beirut",
        "Australia/Lord_Howe",
        "Africa/Casablanca",
    ]
)
MOMENTS = some.datetimes(datetime(1900, 1, 2), datetime(2199, 12, 31), timezones=some.just(UTC))  # noqa: DTZ001
DAYS = some.dates(date(1900, 1, 2), date(2199, 12, 30))
DURATIONS = some.builds(Duration, some.integers(0, 1200), some.integers(0, 1000), some.integers(0, 10**6))


def local(text: str, zone: str = "Europe/Berlin") -> datetime:
    """A local time in UTC; with an offset in the text, that one."""
    at = datetime.fromisoformat(text)
    return (at if at.tzinfo else at.replace(tzinfo=ZoneInfo(zone))).astimezone(UTC)


def test_a_year_is_cut_at_local_midnight():
    assert BERLIN.year(local("2010-12-31T23:59:59.999999")) == 2010
    assert BERLIN.year(local("2011-01-01T00:00:00")) == 2011
    assert BERLIN.start_of_year(2011) == datetime(2010, 12, 31, 23, tzinfo=UTC)


def test_a_day_is_cut_at_local_midnight():
    assert BERLIN.day(datetime(2010, 6, 30, 21, 59, 59, tzinfo=UTC)) == date(2010, 6, 30)
    assert BERLIN.day(datetime(2010, 6, 30, 22, tzinfo=UTC)) == date(2010, 7, 1)
    assert BERLIN.start_of_day(date(2010, 7, 1)) == datetime(2010, 6, 30, 22, tzinfo=UTC)


@pytest.mark.parametrize(
    ("at", "duration", "then"),
    [
        ("2011-03-20T23:30:00", "P14D", "2011-04-03T23:30:00"),  # over the change to summer time
        ("2011-01-31T12:00:00", "P1M", "2011-02-28T12:00:00"),
        ("2012-02-29T12:00:00", "P12M", "2013-02-28T12:00:00"),
        ("2012-02-29T12:00:00", "P4Y", "2016-02-29T12:00:00"),
        ("2011-01-31T12:00:00", "P1M1D", "2011-03-01T12:00:00"),  # months first, then days
        ("2011-03-26T02:30:00", "P1D", "2011-03-27T03:30:00+02:00"),  # a gap moves forward
        ("2011-10-29T02:30:00", "P1D", "2011-10-30T02:30:00+02:00"),  # a fold takes the first
        ("2011-03-27T01:30:00", "PT1H", "2011-03-27T03:30:00+02:00"),  # hours pass, whatever clocks do
        ("2011-10-30T02:30:00+01:00", "PT15M", "2011-10-30T02:45:00+01:00"),
        ("2011-10-30T02:30:00+01:00", "P0D", "2011-10-30T02:30:00+01:00"),
        ("2011-03-26T02:30:00", "P1DT1H", "2011-03-27T04:30:00+02:00"),
    ],
)
def test_a_duration_is_added_on_the_local_clock(at: str, duration: str, then: str):
    assert BERLIN.add(local(at), Duration.parse(duration)) == local(then)


def test_a_day_without_midnight_begins_when_its_clock_does():
    assert calendar("Asia/Beirut").start_of_day(date(2010, 3, 28)) == local("2010-03-28T01:00:00", "Asia/Beirut")


def test_a_day_that_a_zone_skipped_begins_with_the_next():
    apia = calendar("Pacific/Apia")
    assert apia.start_of_day(date(2011, 12, 30)) == apia.start_of_day(date(2011, 12, 31))
    assert apia.day(apia.start_of_day(date(2011, 12, 30))) == date(2011, 12, 31)


def test_a_new_day_does_not_end_again_when_clocks_turn_back_over_midnight():
    st_johns = calendar("America/St_Johns")
    begins = st_johns.start_of_day(date(2010, 11, 7))
    assert begins == datetime(2010, 11, 7, 2, 30, tzinfo=UTC)
    assert [st_johns.day(begins + timedelta(minutes=minutes)) for minutes in (-1, 0, 1, 30, 61)] == [
        date(2010, 11, 6),
        *[date(2010, 11, 7)] * 4,
    ]


@given(ZONES, MOMENTS)
def test_an_instant_lies_in_its_day_and_its_year(zone: str, at: datetime):
    cut = calendar(zone)
    day, year = cut.day(at), cut.year(at)
    assert cut.start_of_day(day) <= at < cut.start_of_day(day + timedelta(days=1))
    assert cut.start_of_year(year) <= at < cut.next_year(at) == cut.start_of_year(year + 1)
    assert year == day.year


@given(ZONES, MOMENTS)
def test_a_day_is_what_a_local_clock_shows_but_where_it_turns_back_over_midnight(zone: str, at: datetime):
    shown = at.astimezone(ZoneInfo(zone))
    assume(not shown.fold)
    assert calendar(zone).day(at) == shown.date()


@given(ZONES, DAYS)
def test_days_begin_in_their_order(zone: str, day: date):
    cut = calendar(zone)
    begins, ends = cut.start_of_day(day), cut.start_of_day(day + timedelta(days=1))
    assert begins <= ends
    assert begins.tzinfo is UTC
    if begins < ends:  # a zone that crosses the date line skips a day
        assert cut.day(begins) == day
        assert cut.day(begins - timedelta(microseconds=1)) < day


@given(ZONES, MOMENTS, DURATIONS)
def test_adding_keeps_the_local_clock_or_moves_it_out_of_a_gap(zone: str, at: datetime, duration: Duration):
    zoned = ZoneInfo(zone)
    start = at.astimezone(zoned).replace(tzinfo=None)
    whole = Duration(duration.months, duration.days)
    wanted = datetime.combine(add_months(start.date(), whole.months) + timedelta(days=whole.days), start.time())
    got = calendar(zone).add(at, whole)
    shown = got.astimezone(zoned)
    assert got.tzinfo is UTC
    assert calendar(zone).add(at, duration) == got + timedelta(seconds=duration.seconds)
    if whole:
        assert not shown.fold
        assert timedelta() <= shown.replace(tzinfo=None) - wanted <= timedelta(days=1)


@given(DAYS, some.integers(-1200, 1200))
def test_months_move_the_month_and_clip_the_day(day: date, months: int):
    moved = add_months(day, months)
    assert (moved.year - day.year) * 12 + moved.month - day.month == months
    assert moved.day == day.day or (moved.day < day.day and (moved + timedelta(days=1)).day == 1)
