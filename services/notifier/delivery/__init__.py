"""Delivery: the sender beside the loop, which takes what the rules have queued and reports what became of it."""
