"""Constants of the runtime, made small for tests."""

from typing import Final

# So that few records go through everything: pages of heads are written, heads leave the cache, stages overlap.
TIGHT: Final[dict[str, float]] = {
    "shared.runtime.chores:FLUSH_AT": 3,
    "shared.runtime.chores:FLUSH_AFTER": 3,
    "shared.runtime.heads:Cache.HEAVIEST": 20_000,
    "shared.runtime.intake:BACKLOG": 5,
    "shared.runtime.loop:BACKLOG": 5,
}
# So that a process soon hears of a rebalance.
ALERT: Final[dict[str, float]] = {"shared.runtime.service:HEARTBEAT_MS": 300}
# So that Kafka soon believes that a process is dead.
SHORT: Final[dict[str, float]] = {
    "shared.runtime.service:SESSION_MS": 1_500,
    "shared.runtime.claims:PATIENCE": 1,
} | ALERT
SMALL: Final = TIGHT | SHORT
