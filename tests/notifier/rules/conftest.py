"""Fixtures of the rules' tests."""

import pytest

from tests.notifier.rules.world import Customer, Given, the_programme


@pytest.fixture
def given() -> Given:
    """A customer nobody knows yet."""
    return Given(Customer(the_programme()))
