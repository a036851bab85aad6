"""A customer of whom nothing is known, under the programme of the worked examples."""

import pytest

from tests.ledger.world import Customer, Given, programme_of, terms


@pytest.fixture
def given() -> Given:
    return Given(Customer(programme_of(terms())))
