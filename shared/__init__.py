"""What the services share: contracts, the event-sourcing runtime, and the edges to the outside."""
