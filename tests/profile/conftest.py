"""Fixtures of the rules' tests."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.profile.world import Customer, Given, programme_of, terms


@pytest.fixture
def under() -> Callable[..., Given]:
    """A customer nobody knows yet, under the given versions of the programme; without any, under the usual one."""

    def start(*documents: dict[str, Any], **changes: Any) -> Given:
        return Given(Customer(programme_of(*(documents or [terms(**changes)]))))

    return start


@pytest.fixture
def given(under: Callable[..., Given]) -> Given:
    """A customer nobody knows yet, under the usual programme."""
    return under()
