"""What tests of the command line are built on."""

from __future__ import annotations

import pytest

from greenexp.cli.compose import register


@pytest.fixture
def schema() -> None:
    register()
