from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenexp.report.figures.axes import TICKS, linear_axis, log_axis, log_ticks, short
from greenexp.study.estimates import Interval


@given(
    st.floats(1e-9, 1e9),
    st.floats(1.001, 1e12),
)
def test_log_ticks_lie_within_and_are_few(low: float, times: float) -> None:
    ticks = log_ticks(low, low * times)
    assert len(ticks) <= TICKS
    assert ticks == sorted(set(ticks))
    assert all(low * (1 - 1e-5) <= tick <= low * times * (1 + 1e-5) for tick in ticks)


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        pytest.param(0.35, 1.45, [0.5, 0.75, 1.0, 1.25], id="no room for both 1.2 and 1.4"),
        pytest.param(0.4, 1.2, [0.4, 0.6, 0.8, 1.0, 1.2], id="ends count"),
        pytest.param(0.97, 1.03, [0.98, 1.0, 1.02], id="narrow"),
        pytest.param(0.07, 0.9, [0.1, 0.2, 0.5], id="1-2-5"),
        pytest.param(0.05, 15, [0.1, 0.3, 1.0, 3.0, 10.0], id="1-3"),
        pytest.param(1e-3, 1e9, [1e-3, 1.0, 1e3, 1e6, 1e9], id="every third decade"),
    ],
)
def test_log_ticks_are_round_and_keep_apart(low: float, high: float, ticks: list[float]) -> None:
    assert log_ticks(low, high) == ticks


@given(st.floats(1e-9, 1e9), st.floats(1.5, 1e12))
def test_log_axes_have_a_tick(low: float, times: float) -> None:
    assert log_ticks(low, low * times)


@given(
    st.lists(st.floats(1e-6, 1e6), min_size=1),
    st.lists(st.tuples(st.floats(-1e3, 1e3), st.floats(0, math.inf)), max_size=5),
)
def test_axes_hold_their_values_whatever_the_bars(
    values: list[float], bars: list[tuple[float, float]]
) -> None:
    intervals = [Interval(low, low + length) for low, length in bars]
    for axis in (linear_axis("x (J)", values, intervals), log_axis("x (J)", values, intervals)):
        start, end = axis.ends
        assert start < min(values)
        assert max(values) < end
        assert math.isfinite(start)
        assert math.isfinite(end)
        assert not axis.log or start > 0


def test_axis_is_not_stretched_by_one_wild_bar() -> None:
    bars = [Interval(0.9, 1.1), Interval(0.8, 1.0), Interval(1e-300, 1e300)]
    axis = log_axis("ratio (J)", [1.0, 0.9, 1.2], bars)
    assert axis.ends[0] > 0.5
    assert axis.ends[1] < 2
    assert axis.within(bars[-1]) == Interval(*axis.ends)


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.02, "0.02"), (1.0, "1"), (20e3, "20k"), (1.5e6, "1.5M"), (3e9, "3B"), (1e-6, "1e-06")],
)
def test_ticks_are_short(value: float, text: str) -> None:
    assert short(value) == text
