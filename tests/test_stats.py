"""Intervals against other implementations, and against what they promise."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from scipy.stats import binomtest, ttest_rel
from statsmodels.stats.weightstats import DescrStatsW

from greenexp.stats import (
    CONFIDENCE,
    family_wise,
    mean_interval,
    paired_ratio,
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


pairs = st.lists(
    st.tuples(st.floats(1e-3, 1e3), st.floats(1e-3, 1e3)), min_size=2, max_size=30
).map(lambda drawn: tuple(map(list, zip(*drawn, strict=True))))


def has_spread(values: list[float], others: list[float]) -> bool:
    """Whether rounding is far below what sets the pairs apart."""
    return float(np.std(np.log(values) - np.log(others))) > 1e-6


@given(pairs)
def test_paired_ratio_agrees_with_scipy(both: tuple[list[float], list[float]]) -> None:
    assume(has_spread(*both))
    found = paired_ratio(*both)
    test = ttest_rel(*map(np.log, both))
    low, high = np.exp(test.confidence_interval(CONFIDENCE))
    assert found is not None
    assert (found.low, found.high) == pytest.approx((low, high), rel=1e-6)


def flips(values: list[float], others: list[float]) -> float:
    """The share of all ways to swap within pairs that set the sum at least as far from 0."""
    logs = np.log(values) - np.log(others)
    signs = np.array(list(itertools.product((1, -1), repeat=len(logs))))
    reached = np.abs(signs @ logs)
    return float(np.mean(reached >= abs(logs.sum()) * (1 - 1e-12)))


@pytest.mark.parametrize("count", [2, 3, 6, 9])
def test_paired_ratio_tries_every_sign(count: int) -> None:
    rng = np.random.default_rng(count)
    for shift in (0.0, 0.5, 3.0):
        values, others = np.exp(rng.normal(0.0, 1.0, (2, count))).tolist()
        moved = [value * math.exp(shift) for value in values]
        found = paired_ratio(moved, others)
        assert found is not None
        assert found.p_value == pytest.approx(flips(moved, others), rel=1e-9)


@given(pairs)
def test_paired_ratio_of_the_inverse_is_the_inverse(
    both: tuple[list[float], list[float]],
) -> None:
    assume(has_spread(*both))
    values, others = both
    there, back = paired_ratio(values, others), paired_ratio(others, values)
    assert there is not None
    assert back is not None
    assert back.ratio == pytest.approx(1 / there.ratio, rel=1e-9)
    assert (back.low, back.high) == pytest.approx((1 / there.high, 1 / there.low), rel=1e-6)
    assert back.p_value == pytest.approx(there.p_value, abs=0.03)  # 9,999 draws beyond 13 pairs


def test_paired_ratio_known_answer() -> None:
    # Logarithms 0 and ln 4: mean ln 2, standard error ln 2, t(0.975, 1) = 12.706.
    found = paired_ratio([1.0, 4.0], [1.0, 1.0])
    assert found is not None
    assert found.ratio == pytest.approx(2.0)
    reach = 2.0**12.706204736174694
    assert (found.low, found.high) == pytest.approx((2 / reach, 2 * reach), rel=1e-9)
    assert found.p_value == 1.0  # of the four ways to swap, all set the sum as far from 0


@pytest.mark.parametrize(
    ("values", "others", "expected"),
    [
        pytest.param([3.0, 7.0], [3.0, 7.0], (1.0, 1.0, 1.0, 1.0), id="alike"),
        pytest.param([4.0, 4.0], [2.0, 2.0], (2.0, 2.0, 2.0, 0.5), id="twice, without spread"),
    ],
)
def test_paired_ratio_without_spread(
    values: list[float], others: list[float], expected: tuple[float, ...]
) -> None:
    found = paired_ratio(values, others)
    assert found is not None
    assert (found.ratio, found.low, found.high, found.p_value) == pytest.approx(expected)


@pytest.mark.parametrize("values", [[], [2.0]], ids=["no pair", "one pair"])
def test_paired_ratio_needs_two_pairs(values: list[float]) -> None:
    assert paired_ratio(values, values) is None


@pytest.mark.parametrize("kind", ["normal", "two speeds"])
def test_paired_ratio_of_equals_is_seldom_found_different(kind: str) -> None:
    """Eight A/A blocks. Noise as a normal law has it, and as a machine of two speeds."""
    rng = np.random.default_rng(11)
    rejected = 0
    for _ in range(1000):
        if kind == "normal":
            values, others = np.exp(rng.normal(0.0, 0.01, size=(2, 8)))
        else:
            values, others = np.exp(0.2 * (rng.random((2, 8)) < 0.03) + rng.normal(0, 1e-3, (2, 8)))
        found = paired_ratio(values.tolist(), others.tolist())
        assert found is not None
        rejected += found.p_value < 1 - CONFIDENCE
    assert 0.02 <= rejected / 1000 <= 0.065


def holm(p_values: list[float], level: float) -> list[bool]:
    """Holm 1979: from the least on, p of rank i is held against level / (m - i), to the first."""
    rejected = [False] * len(p_values)
    ranked = sorted(range(len(p_values)), key=p_values.__getitem__)
    for rank, index in enumerate(ranked):
        if p_values[index] > level / (len(p_values) - rank):
            break
        rejected[index] = True
    return rejected


@given(st.lists(st.floats(0, 1), unique=True, max_size=12), st.sampled_from([0.01, 0.05, 0.2]))
def test_family_wise_is_holms_procedure(p_values: list[float], level: float) -> None:
    for rank in range(1, len(p_values) + 1):
        assume(not any(math.isclose(p, level / rank, rel_tol=1e-6) for p in p_values))
    assert family_wise(p_values, level) == holm(p_values, level)


@pytest.mark.parametrize(
    ("p_values", "rejected"),
    [
        pytest.param([], [], id="no family"),
        pytest.param([0.04], [True], id="alone"),
        pytest.param([0.04, 0.9], [False, False], id="not among two"),
        pytest.param([0.01, 0.04, 0.03], [True, False, False], id="the least of three"),
        pytest.param([0.04, 0.01, 0.02], [True, True, True], id="step by step down"),
    ],
)
def test_family_wise_known_answers(p_values: list[float], rejected: list[bool]) -> None:
    assert family_wise(p_values) == rejected


def test_proportion_interval_without_trials() -> None:
    assert proportion_interval(0, 0) is None
