"""Tests of turnover."""
