"""The event-sourcing runtime: exactly-once effect in MongoDB, at-least-once versioned events on Kafka."""
