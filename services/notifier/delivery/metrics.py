"""What the sender counts. Labels name channels, templates and outcomes, never customers."""

from prometheus_client import Counter, Gauge, Histogram

OUTCOMES = Counter("perkstream_deliveries", "Attempts by what became of them", ["channel", "template", "outcome"])
REPEATS = Counter(
    "perkstream_delivery_repeats",
    "Messages that are sent again because nobody knows whether they were: found half-way, or the answer was lost",
    ["why"],
)
SECONDS = Histogram("perkstream_delivery_seconds", "Duration of handing a message over", ["channel"])
PAUSED = Gauge("perkstream_channel_paused", "1 while the provider of a channel does not take messages", ["channel"])
IN_FLIGHT = Gauge("perkstream_deliveries_in_flight", "Messages that are being handed over", ["channel"])
