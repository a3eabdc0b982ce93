"""The fixture that puts a test of tactics in the state of a run."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.modules import as_in_a_run


@pytest.fixture
def in_a_run() -> Iterator[None]:
    """See `as_in_a_run`."""
    with as_in_a_run():
        yield
