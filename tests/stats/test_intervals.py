"""Intervals against other implementations, and against what they promise."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.typing import NDArray
from scipy.stats import binomtest
from statsmodels.stats.weightstats import DescrStatsW

from greenexp.stats.intervals import (
    CONFIDENCE,
    mean,
    mean_interval,
    mean_intervals,
    on_logarithms,
    proportion_interval,
    ratio_interval,
    relative_half_width,
)

samples = st.lists(st.floats(1e-6, 1e6), min_size=2, max_size=30)


@st.composite
def proportions(draw: st.DrawFn) -> tuple[int, int]:
    trials = draw(st.integers(1, 100_000))
    return draw(st.integers(0, trials)), trials


@given(samples)
def test_mean_interval_agrees_with_statsmodels(values: list[float]) -> None:
    spread = float(np.std(values))
    assume(spread == 0.0 or spread > 1e-6 * max(values))  # cancellation is not what is compared
    expected = DescrStatsW(values).tconfint_mean(alpha=1 - CONFIDENCE)
    assert mean_interval(values) == pytest.approx(expected, rel=1e-9, abs=1e-9)


@given(
    arrays(
        np.float64, array_shapes(min_dims=2, max_dims=2, max_side=40), elements=st.floats(-1e6, 1e6)
    )
)
def test_intervals_of_many_rows_are_those_of_each(rows: NDArray[np.float64]) -> None:
    for row, (centre, *ends) in zip(rows, mean_intervals(rows), strict=True):
        assert centre == mean(row.tolist())
        assert tuple(ends) == (mean_interval(row.tolist()) or (None, None))


def test_mean_interval_known_answer() -> None:
    # With 2 degrees of freedom Student's quantile has a closed form, 4.3027 at p = 0.975.
    p = (1 + CONFIDENCE) / 2
    quantile = (2 * p - 1) * math.sqrt(2 / (4 * p * (1 - p)))
    low, high = mean_interval([1.0, 2.0, 3.0]) or (math.nan, math.nan)
    half = quantile / math.sqrt(3)
    assert (low, high) == pytest.approx((2 - half, 2 + half), rel=1e-12)


@given(samples, st.floats(0.1, 10.0), st.floats(0.0, 100.0))
def test_mean_interval_moves_with_its_samples(
    values: list[float], factor: float, shift: float
) -> None:
    interval = mean_interval(values)
    moved = mean_interval([factor * value + shift for value in values])
    assert interval is not None
    assert moved == pytest.approx(
        [factor * bound + shift for bound in interval], rel=1e-6, abs=1e-6 * max(values)
    )


@pytest.mark.parametrize(
    ("values", "interval"),
    [
        pytest.param([], None, id="no sample"),
        pytest.param([1.5], None, id="one sample"),
        pytest.param([1.5, 1.5], (1.5, 1.5), id="two alike"),
        pytest.param([0.0, 0.0, 0.0], (0.0, 0.0), id="zeros"),
    ],
)
def test_mean_interval_edges(values: list[float], interval: tuple[float, float] | None) -> None:
    assert mean_interval(values) == interval


@pytest.mark.parametrize("count", [3, 10])
def test_mean_interval_covers_the_mean(count: int) -> None:
    generator = np.random.default_rng(20_260_101)
    trials = generator.normal(loc=5.0, scale=2.0, size=(1_500, count))
    intervals = [mean_interval(list(trial)) or (math.nan, math.nan) for trial in trials]
    covered = sum(low <= 5.0 <= high for low, high in intervals)
    assert 0.93 <= covered / len(trials) <= 0.97


@given(proportions())
@example((0, 1))
@example((1, 1))
@example((0, 360))
@example((360, 360))
def test_proportion_interval_agrees_with_scipy(counts: tuple[int, int]) -> None:
    expected = binomtest(*counts).proportion_ci(CONFIDENCE, method="wilson")
    assert proportion_interval(*counts) == pytest.approx(expected, rel=1e-9, abs=1e-9)


@given(proportions())
@example((0, 7))
@example((7, 7))
def test_proportion_interval_stays_between_0_and_1(counts: tuple[int, int]) -> None:
    low, high = proportion_interval(*counts) or (math.nan, math.nan)
    assert 0.0 <= low <= counts[0] / counts[1] <= high <= 1.0


def test_proportion_interval_known_answer() -> None:
    # Newcombe 1998 (Statistics in Medicine 17:857), table I: Wilson for 81 of 263.
    low, high = proportion_interval(81, 263) or (math.nan, math.nan)
    assert (round(low, 4), round(high, 4)) == (0.2553, 0.3662)


def test_proportion_interval_narrows_with_trials() -> None:
    widths = [
        high - low
        for trials in (10, 100, 1_000, 10_000)
        for low, high in [proportion_interval(trials // 2, trials) or (math.nan, math.nan)]
    ]
    assert widths == sorted(widths, reverse=True)


@pytest.mark.parametrize("count", [2, 3, 10])
def test_ratio_interval_of_equal_shares_is_that_of_the_mean(count: int) -> None:
    samples = [float(number**2) for number in range(count)]
    expected = mean_interval([sample / 4 for sample in samples])
    assert ratio_interval(samples, [4.0] * count) == pytest.approx(expected, rel=1e-9)


def test_ratio_interval_covers_the_ratio() -> None:
    """Windows of unequal length, 3 J an image with noise: about 95 of 100 intervals hold 3."""
    rng = np.random.default_rng(7)
    covered = 0
    for _ in range(2000):
        images = rng.integers(80, 120, size=10).astype(float)
        joules = 3.0 * images + rng.normal(0.0, 5.0, size=10)
        low, high = ratio_interval(joules.tolist(), images.tolist()) or (math.nan, math.nan)
        covered += low <= 3.0 <= high
    assert 0.93 <= covered / 2000 <= 0.97


def test_ratio_interval_of_one_pair_is_absent() -> None:
    assert ratio_interval([1.0], [2.0]) is None


def test_relative_half_width_is_that_of_the_ratio_interval() -> None:
    joules, images = [30.0, 33.0, 29.0], [10.0, 11.0, 9.0]
    low, high = ratio_interval(joules, images) or (math.nan, math.nan)
    ratio = 92 / 30
    assert relative_half_width(joules, images) == pytest.approx((high - ratio) / ratio, rel=1e-9)
    assert relative_half_width(joules, images) == pytest.approx((ratio - low) / ratio, rel=1e-9)


@given(samples, st.floats(1e-3, 1e3))
def test_relative_half_width_has_no_unit(values: list[float], factor: float) -> None:
    ones = [1.0] * len(values)
    scaled = relative_half_width([factor * value for value in values], ones)
    assert scaled == pytest.approx(relative_half_width(values, ones), rel=1e-6, abs=1e-9)


@pytest.mark.parametrize(
    ("numerators", "denominators", "half_width"),
    [
        pytest.param([], [], None, id="none"),
        pytest.param([3.0], [2.0], None, id="one"),
        pytest.param([0.0, 0.0], [1.0, 1.0], None, id="nothing to be relative to"),
        pytest.param([3.0, 3.0], [2.0, 2.0], 0.0, id="two alike"),
        pytest.param([3.0, 6.0], [2.0, 4.0], 0.0, id="one rate over unequal windows"),
    ],
)
def test_relative_half_width_edges(
    numerators: list[float], denominators: list[float], half_width: float | None
) -> None:
    assert relative_half_width(numerators, denominators) == half_width


def test_proportion_interval_without_trials() -> None:
    assert proportion_interval(0, 0) is None


@given(st.floats(1e-6, 1e6), st.floats(0.0, 1e6))
def test_interval_on_logarithms_is_above_zero_and_holds_its_mean(value: float, half: float) -> None:
    low, high = on_logarithms(value, (value - half, value + half)) or (math.nan, math.nan)
    assert 0 < low <= value <= high < math.inf
    assert low * high == pytest.approx(value * value, rel=1e-9)


def test_without_an_interval_there_is_none_on_logarithms() -> None:
    assert on_logarithms(3.0, None) is None
