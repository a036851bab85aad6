"""The outcome of a demonstration is counted from events and metrics."""

import pytest

from deploy.cli.outcome import Event, Outcome, buckets, count, quantile, samples
from deploy.cli.outcome import _Standing as Standing

METRICS = """\
# TYPE perkstream_records_total counter
perkstream_records_total{outcome="counted",topic="pos.purchases"} 5.0
perkstream_records_total{outcome="duplicate",topic="pos.purchases"} 2.0
# TYPE perkstream_projection_seconds histogram
perkstream_projection_seconds_bucket{le="0.01"} 90.0
perkstream_projection_seconds_bucket{le="0.02"} 190.0
perkstream_projection_seconds_bucket{le="+Inf"} 200.0
perkstream_projection_seconds_count 200.0
perkstream_projection_seconds_sum 1.0
"""
NEVER = dict.fromkeys((0.01, 0.02, float("inf")), 0.0)


def test_a_customer_is_in_the_tier_that_the_newest_event_tells() -> None:
    found = count(
        [
            Event("TurnoverRecorded.v1", "c-1", 1, standing=Standing("silver")),
            Event("TurnoverRecorded.v1", "c-2", 1, standing=Standing("gold")),
            Event("TierChanged.v1", "c-1", 2, standing=Standing("gold")),
            Event("YearTurned.v1", "c-2", 2, standing=Standing("bronze")),
        ]
    )

    assert found.tiers == {"gold": 1, "bronze": 1}
    assert found.purchases == 2


def test_a_return_that_is_counted_in_part_is_one_that_settled() -> None:
    found = count(
        [
            Event("TurnoverRecorded.v1", "c-1", 1),
            Event("TurnoverReduced.v1", "c-1", 2, return_id="r-1"),
            Event("ReturnRefused.v1", "c-1", 3, return_id="r-1", reason="exceeds"),
            Event("ReturnRefused.v1", "c-1", 4, return_id="r-2", reason="window"),
        ]
    )

    assert (found.returned, found.refused, found.waiting) == (1, {"exceeds": 1, "window": 1}, -3)
    assert count([]) == Outcome()


def test_metrics_are_read_by_name_and_labels() -> None:
    assert samples(METRICS, "perkstream_records_total") == [
        ({"outcome": "counted", "topic": "pos.purchases"}, 5.0),
        ({"outcome": "duplicate", "topic": "pos.purchases"}, 2.0),
    ]
    assert buckets(METRICS, "perkstream_projection_seconds") == {0.01: 90, 0.02: 190, float("inf"): 200}


@pytest.mark.parametrize(
    ("share", "seconds"), [(0.45, 0.01), (0.7, 0.015), (0.95, 0.02), (0.99, float("inf")), (0.225, 0.005)]
)
def test_a_quantile_is_interpolated_within_its_bucket(share: float, seconds: float) -> None:
    assert quantile(NEVER, buckets(METRICS, "perkstream_projection_seconds"), share) == pytest.approx(seconds)


def test_a_quantile_is_of_what_came_between_two_readings() -> None:
    before = {0.01: 0.0, 0.02: 100.0, float("inf"): 110.0}

    assert quantile(before, {0.01: 50.0, 0.02: 150.0, float("inf"): 160.0}, 0.99) == pytest.approx(0.0099)
    assert quantile(before, before, 0.99) is None
    assert quantile({}, {}, 0.99) is None
