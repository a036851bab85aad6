"""What a service counts. Labels name topics and outcomes, never customers."""

from prometheus_client import Counter, Gauge, Histogram

_LATENCY = (0.005, 0.01, 0.02, 0.03, 0.04, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 1, 2.5, 5, 15, 60)

RECORDS = Counter("perkstream_records", "Records by what became of them", ["topic", "outcome"])
EVENTS = Counter("perkstream_events_published", "Events published")
DEAD_LETTERS = Counter("perkstream_dead_letters", "Records that became dead letters", ["topic"])
STRAYS = Counter("perkstream_strays", "Records that came on another partition than their customer's", ["topic"])
BATCH = Histogram(
    "perkstream_batch_records", "Records in a batch", buckets=(1, 5, 20, 50, 100, 200, 500, 1000, 2000, 5000)
)
COMMIT = Histogram("perkstream_commit_seconds", "Duration of a transaction", buckets=_LATENCY)
PROJECTION = Histogram(
    "perkstream_projection_seconds",
    "From the broker's time of the oldest record of a partition's share of a batch until it is stored",
    buckets=_LATENCY,
)
PUBLISHED = Histogram("perkstream_published_seconds", "The same until its events are on Kafka", buckets=_LATENCY)
LAG = Gauge("perkstream_lag_records", "Records that wait", ["topic"])
UNPUBLISHED = Gauge("perkstream_unpublished_batches", "Batches stored, but not on Kafka yet")
FENCES = Counter("perkstream_fences", "Partitions that another process had claimed when this one committed")
OWNED = Gauge("perkstream_partitions_owned", "Partitions that this process has claimed")
LAST_COMMIT = Gauge("perkstream_last_commit_timestamp_seconds", "When a batch was last stored")
DRIFT = Gauge(
    "perkstream_drift_customers", "Customers whose state differed from their log when last compared", ["partition"]
)
BLOCKED = Gauge("perkstream_blocked_partitions", "Partitions that wait for an event which is missing or unreadable")
