"""The mean of differences and its interval, against other implementations and in simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import norm, t
from statsmodels.stats.weightstats import DescrStatsW

from greenexp.stats.intervals import CONFIDENCE
from greenexp.stats.paired import (
    BOOTSTRAP_FROM,
    RESAMPLES,
    SIGN_FLIP,
    WILCOXON,
    FloatArray,
    Location,
    location,
    locations,
)

# Hours of sleep gained by one drug less those by the other (Student, 1908, Biometrika 6:1).
SLEEP = [-1.2, -2.4, -1.3, -1.3, 0.0, -1.0, -1.8, -0.8, -4.6, -1.4]
# Crossed less self-fertilized maize, eighths of an inch (Darwin; Fisher, Design of Experiments).
MAIZE = [49.0, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48]


def ends(estimate: Location) -> tuple[float, float]:
    assert estimate.low is not None
    assert estimate.high is not None
    return estimate.low, estimate.high


@pytest.mark.parametrize("units", [2, 3, 10, BOOTSTRAP_FROM - 1])
def test_location_of_few_units_is_students(units: int) -> None:
    sample = np.random.default_rng(units).normal(0.3, 1.0, units)
    estimate = location(sample.tolist())
    expected = DescrStatsW(sample)
    assert (estimate.mean, estimate.spread) == pytest.approx((sample.mean(), sample.std(ddof=1)))
    assert ends(estimate) == pytest.approx(expected.tconfint_mean(1 - CONFIDENCE), rel=1e-9)


def test_location_of_students_sleep() -> None:
    """R: t.test(extra ~ group, sleep, paired = TRUE)."""
    estimate = location(SLEEP)
    assert estimate.mean == pytest.approx(-1.58)
    assert ends(estimate) == pytest.approx((-2.4598858, -0.7001142), abs=5e-8)
    assert estimate.test == SIGN_FLIP
    assert estimate.p_value == pytest.approx(4 / 2**10)  # all agree but one that is 0


def test_location_of_darwins_maize() -> None:
    """R: wilcox.test(differences), V = 96; t.test for the interval."""
    estimate = location(MAIZE)
    assert estimate.test == WILCOXON
    assert estimate.p_value == pytest.approx(0.04126, abs=5e-6)
    assert ends(estimate) == pytest.approx((0.03, 41.83), abs=0.01)


def bca(sample: FloatArray) -> FloatArray:
    """Efron and Tibshirani, An Introduction to the Bootstrap, 1993, equations 14.9 to 14.15.

    Quantiles of t in place of the normal law's, by ExpandProbs of R's resample.
    """
    units = len(sample)
    drawn = np.random.default_rng(0).integers(0, units, (RESAMPLES, units))
    means = sample[drawn].mean(axis=1)
    bias = norm.ppf(np.mean(means < sample.mean()))
    left_out = np.array([np.delete(sample, unit).mean() for unit in range(units)])
    pull = left_out.mean() - left_out
    acceleration = np.sum(pull**3) / (6 * np.sum(pull**2) ** 1.5)
    quantiles = t.ppf([(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2], units - 1)
    reach = bias + quantiles * math.sqrt(units / (units - 1))
    return np.quantile(means, norm.cdf(bias + reach / (1 - acceleration * reach)))


@pytest.mark.parametrize("units", [BOOTSTRAP_FROM, 42, 60])
@pytest.mark.parametrize("law", ["normal", "skewed"])
def test_location_of_many_units_is_the_bootstraps(units: int, law: str) -> None:
    rng = np.random.default_rng(units)
    rows = rng.normal(-0.1, 0.03, (4, units))
    if law == "skewed":
        rows = np.exp(20 * rows)
    for row, estimate in zip(rows, locations(rows.tolist()), strict=True):
        assert ends(estimate) == pytest.approx(tuple(bca(row)), rel=1e-6)


@pytest.mark.parametrize("units", [1, 2, 8, 14, 30])
def test_a_location_does_not_depend_on_its_company(units: int) -> None:
    rng = np.random.default_rng(units)
    rows = rng.normal(0.1, 1.0, (5, units))
    rows[1] = rng.integers(-2, 3, units)  # ties and zeros
    rows[2] = 0.0
    rows[3] = 0.5
    for row, estimate in zip(rows.tolist(), locations(rows.tolist()), strict=True):
        alone = location(row)
        assert (estimate.test, estimate.p_value) == (alone.test, alone.p_value)
        assert estimate.mean == pytest.approx(alone.mean)
        if units > 1:
            assert ends(estimate) == pytest.approx(ends(alone), rel=1e-9)


def test_locations_keep_their_order() -> None:
    samples = [[1.0, 2.0, 3.0], [4.0], [5.0, 6.0, 7.0], [8.0, 9.0]]
    estimates = locations(samples)
    assert [estimate.units for estimate in estimates] == [3, 1, 3, 2]
    assert [estimate.mean for estimate in estimates] == pytest.approx([2.0, 4.0, 6.0, 8.5])
    assert estimates[1] == Location(4.0, 1)
    assert locations([]) == []


def test_no_units_no_location() -> None:
    with pytest.raises(ValueError, match="without units"):
        locations([[1.0], []])


@pytest.mark.parametrize("units", [3, 13, 14, 30])
def test_location_without_spread_is_a_point(units: int) -> None:
    estimate = location([0.25] * units)
    assert ends(estimate) == pytest.approx((0.25, 0.25))
    assert estimate.p_value is not None
    assert (estimate.p_value <= 0.05) == (units > 5)
    assert location([0.0] * units).p_value == 1.0


@pytest.mark.parametrize("units", [8, 14, 30])
def test_location_mirrors(units: int) -> None:
    sample = np.random.default_rng(units).normal(0.4, 1.0, units)
    there, back = location(sample.tolist()), location((-sample).tolist())
    assert back.mean == pytest.approx(-there.mean)
    assert back.p_value == pytest.approx(there.p_value)
    if units < BOOTSTRAP_FROM:  # the bootstrap's ends are those of the resamples, which don't
        assert ends(back) == pytest.approx(tuple(-end for end in reversed(ends(there))))


@pytest.mark.parametrize("units", [8, 10])
def test_location_of_few_units_covers_the_mean(units: int) -> None:
    rows = np.random.default_rng(units).normal(0.02, 0.014, (2000, units))
    held = sum(low <= 0.02 <= high for low, high in map(ends, locations(rows.tolist())))
    assert 0.93 <= held / len(rows) <= 0.97
