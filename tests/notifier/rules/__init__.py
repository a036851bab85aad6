"""Tests of what the notifier decides."""
