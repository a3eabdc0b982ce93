"""Ratios of pairs, and Cliff's delta, against other implementations and what they promise."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.stats import mannwhitneyu, ttest_rel

from greenexp.stats.intervals import CONFIDENCE
from greenexp.stats.paired import BOOTSTRAP_FROM, cliffs_delta, paired_ratio

pairs = st.lists(
    st.tuples(st.floats(1e-3, 1e3), st.floats(1e-3, 1e3)), min_size=2, max_size=BOOTSTRAP_FROM - 1
).map(lambda drawn: tuple(map(list, zip(*drawn, strict=True))))


def has_spread(values: list[float], others: list[float]) -> bool:
    """Whether rounding is far below what sets the pairs apart."""
    return float(np.std(np.log(values) - np.log(others))) > 1e-6


@given(pairs)
def test_paired_ratio_agrees_with_scipy(both: tuple[list[float], list[float]]) -> None:
    assume(has_spread(*both))
    estimate = paired_ratio(*both)
    test = ttest_rel(*map(np.log, both))
    low, high = np.exp(test.confidence_interval(CONFIDENCE))
    assert estimate is not None
    assert (estimate.low, estimate.high) == pytest.approx((low, high), rel=1e-6)


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
    assert back.p_value == pytest.approx(there.p_value, rel=1e-6)


def test_paired_ratio_known_answer() -> None:
    # Logarithms 0 and ln 4: mean ln 2, standard error ln 2, t(0.975, 1) = 12.706.
    estimate = paired_ratio([1.0, 4.0], [1.0, 1.0])
    assert estimate is not None
    assert estimate.ratio == pytest.approx(2.0)
    reach = 2.0**12.706204736174694
    assert (estimate.low, estimate.high) == pytest.approx((2 / reach, 2 * reach), rel=1e-9)
    assert estimate.p_value == 1.0  # of the four ways to swap, all set the sum as far from 0


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
    estimate = paired_ratio(values, others)
    assert estimate is not None
    assert (estimate.ratio, estimate.low, estimate.high, estimate.p_value) == pytest.approx(
        expected
    )


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
        estimate = paired_ratio(values.tolist(), others.tolist())
        assert estimate is not None
        rejected += estimate.p_value < 1 - CONFIDENCE
    assert 0.02 <= rejected / 1000 <= 0.065


values = st.lists(st.integers(-5, 5), min_size=1, max_size=12)


@given(values, values)
def test_cliffs_delta_agrees_with_mann_whitney(own: list[int], others: list[int]) -> None:
    expected = 2 * mannwhitneyu(own, others).statistic / (len(own) * len(others)) - 1
    assert cliffs_delta(own, others) == pytest.approx(expected, abs=1e-9)
    assert cliffs_delta(others, own) == pytest.approx(-expected, abs=1e-9)


@pytest.mark.parametrize(
    ("own", "others", "delta"),
    [
        pytest.param([1, 2], [3, 4], -1.0, id="all below"),
        pytest.param([3, 4], [1, 2], 1.0, id="all above"),
        pytest.param([1, 2], [1, 2], 0.0, id="alike"),
        pytest.param([1, 3], [2], 0.0, id="one each way"),
        pytest.param([1, 1, 3], [2], -1 / 3, id="two below, one above"),
    ],
)
def test_cliffs_delta_known_answers(own: list[int], others: list[int], delta: float) -> None:
    assert cliffs_delta(own, others) == pytest.approx(delta)
