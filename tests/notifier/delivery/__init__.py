"""Tests of how the notifier hands messages over."""
