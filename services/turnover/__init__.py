"""Turnover: what customers spend in a year, and the tier it brings them."""
