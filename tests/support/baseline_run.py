"""One made-up run of the baseline."""

from __future__ import annotations

from typing import Any

from tests.support.synthetic_runs import Row, rows


def one(**changes: Any) -> Row:
    """A run of the baseline, with changes."""
    return rows(tactics={}, blocks=1, aa=False)[0] | changes
