"""The p values by signs and by signed ranks, against counting."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy.stats import norm, rankdata

from greenexp.stats.paired import (
    EXACT_UP_TO,
    SIGN_FLIP,
    WILCOXON,
    FloatArray,
    location,
    paired_ratio,
)


@pytest.mark.parametrize(("units", "test"), [(2, SIGN_FLIP), (13, SIGN_FLIP), (14, WILCOXON)])
def test_location_says_which_test(units: int, test: str) -> None:
    assert location([0.1 * unit for unit in range(units)]).test == test


@pytest.mark.parametrize("units", [2, 3, 6, 9, EXACT_UP_TO])
def test_location_tries_every_sign(units: int) -> None:
    rng = np.random.default_rng(units)
    for shift in (0.0, 0.5, 3.0):
        sample = rng.normal(shift, 1.0, units)
        estimate = location(sample.tolist())
        assert estimate.test == SIGN_FLIP
        assert estimate.p_value == pytest.approx(flips(sample), rel=1e-9)


def flips(sample: FloatArray) -> float:
    """The share of all ways to set signs that bring the sum at least as far from 0."""
    signs = np.array(list(itertools.product((1, -1), repeat=len(sample))))
    return float(np.mean(np.abs(signs @ sample) >= abs(sample.sum()) * (1 - 1e-12)))


def signed_rank(sample: FloatArray) -> float:
    """The exact p value by counting, for each sum, the sets of ranks that have it."""
    ranks = rankdata(np.abs(sample)).astype(int)
    ways = np.zeros(ranks.sum() + 1)
    ways[0] = 1
    for rank in ranks:
        ways[rank:] += ways[:-rank].copy()
    reached = ranks[sample > 0].sum()
    return float(min(1.0, 2 * min(ways[: reached + 1].sum(), ways[reached:].sum()) / ways.sum()))


def signed_rank_by_normal_law(sample: FloatArray) -> float:
    """Hollander and Wolfe, Nonparametric Statistical Methods, section 3.1; zeros left out."""
    moved = sample[sample != 0]
    units = len(moved)
    ranks = rankdata(np.abs(moved))
    ties = np.unique(ranks, return_counts=True)[1]
    variance = units * (units + 1) * (2 * units + 1) / 24 - np.sum(ties**3 - ties) / 48
    standardized = (ranks[moved > 0].sum() - units * (units + 1) / 4) / math.sqrt(variance)
    return float(2 * norm.sf(abs(standardized)))


@pytest.mark.parametrize("units", [EXACT_UP_TO + 1, 25, 42, 50])
@pytest.mark.parametrize("shift", [0.0, 0.3, 3.0])
def test_wilcoxon_agrees_with_counting(units: int, shift: float) -> None:
    sample = np.random.default_rng(units).normal(shift, 1.0, units)
    estimate = location(sample.tolist())
    assert estimate.test == WILCOXON
    assert estimate.p_value == pytest.approx(signed_rank(sample), rel=1e-6)


@pytest.mark.parametrize(
    "sample",
    [
        pytest.param(np.random.default_rng(1).normal(0.2, 1.0, 80), id="over 50 units"),
        pytest.param(np.random.default_rng(2).integers(-3, 5, 20).astype(float), id="ties, zeros"),
    ],
)
def test_wilcoxon_agrees_with_the_normal_law(sample: FloatArray) -> None:
    estimate = location(sample.tolist())
    assert estimate.p_value == pytest.approx(signed_rank_by_normal_law(sample), rel=1e-6)


@pytest.mark.parametrize(("units", "critical"), [(14, 21), (15, 25), (20, 52)])
def test_wilcoxon_known_answers(units: int, critical: int) -> None:
    """The largest sum of the rarer signs' ranks that is significant at 5 %, from tables."""
    for reached, significant in ((critical, True), (critical + 1, False)):
        sample = np.arange(1.0, units + 1)
        left = reached
        for rank in range(units, 0, -1):
            if rank <= left:
                sample[rank - 1], left = -rank, left - rank
        estimate = location(sample.tolist())
        assert estimate.p_value is not None
        assert (estimate.p_value <= 0.05) == significant


@pytest.mark.parametrize("count", [2, 3, 6, 9])
def test_paired_ratio_tries_every_sign(count: int) -> None:
    rng = np.random.default_rng(count)
    for shift in (0.0, 0.5, 3.0):
        values, others = np.exp(rng.normal(0.0, 1.0, (2, count)))
        moved = values * math.exp(shift)
        estimate = paired_ratio(moved.tolist(), others.tolist())
        assert estimate is not None
        assert estimate.p_value == pytest.approx(flips(np.log(moved) - np.log(others)), rel=1e-9)
