"""What the report may be asked."""

from __future__ import annotations

import math

import pytest

import greenexp
from greenexp.errors import BadInput
from greenexp.settings.report import Report


@pytest.mark.parametrize("drop", [1.0, 0.21, 100.0, -0.01, math.nan])
def test_points_given_for_a_fraction_are_refused(drop: float) -> None:
    with pytest.raises(BadInput, match=r"from 0 to 0\.2; one point is 0\.01") as refused:
        Report(max_top1_drop=drop)
    assert f"report.max_top1_drop={drop:g} " in str(refused.value)


@pytest.mark.parametrize("drop", [0.0, 0.01, 0.2])
def test_fractions_of_top1_are_taken(drop: float) -> None:
    assert Report(max_top1_drop=drop).max_top1_drop == drop


def test_points_are_refused_from_python_as_well() -> None:
    with pytest.raises(BadInput, match=r"one point is 0\.01"):
        greenexp.compare([], max_top1_drop=1)
