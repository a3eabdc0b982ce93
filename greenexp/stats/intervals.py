"""Intervals, as pure functions of samples."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

CONFIDENCE = 0.95
LARGEST_LOG = 300.0  # of a ratio that is still a float times any quantity
FloatArray = NDArray[np.float64]


def mean_interval(samples: Sequence[float]) -> tuple[float, float] | None:
    """Returns Student's t interval of the mean, None for fewer than two samples."""
    count = len(samples)
    if count < 2:
        return None
    centre = mean(samples)
    deviations = np.asarray(samples, dtype=np.float64) - centre
    spread = math.sqrt(float(np.add.reduce(deviations * deviations)) / (count - 1))
    half_width = t_quantile(count - 1) * spread / math.sqrt(count)
    return centre - half_width, centre + half_width


def mean_intervals(rows: FloatArray) -> list[tuple[float, float | None, float | None]]:
    """Returns the mean of each row and the ends of `mean_interval`, the same to the last digit.

    Args:
        rows: (rows, samples), float64.
    """
    count = rows.shape[1]
    centres = np.add.reduce(rows, axis=1) / count
    if count < 2:
        return [(centre, None, None) for centre in centres.tolist()]
    deviations = rows - centres[:, None]
    spreads = np.sqrt(np.add.reduce(deviations * deviations, axis=1) / (count - 1))
    half_widths = t_quantile(count - 1) * spreads / math.sqrt(count)
    ends = centres - half_widths, centres + half_widths
    return list(zip(*(column.tolist() for column in (centres, *ends)), strict=True))


def on_logarithms(value: float, interval: tuple[float, float] | None) -> tuple[float, float] | None:
    """Returns the interval of a quantity that can't be 0 or less, from that of its mean.

    Student's t on the logarithm: the error of a logarithm is that of the quantity as a fraction of
    it (the delta method). Where the interval is narrow, it is the same to the second order.

    Args:
        value: the mean, above 0.
        interval: centred on it; None where it has none.
    """
    if interval is None:
        return None
    reach = min((interval[1] - interval[0]) / 2 / value, LARGEST_LOG)
    return value * math.exp(-reach), value * math.exp(reach)


def mean(samples: Sequence[float]) -> float:
    """Returns the mean, to the last digit numpy's, without its checks: a report has thousands."""
    return float(np.add.reduce(np.asarray(samples, dtype=np.float64))) / len(samples)


@lru_cache(maxsize=256)
def t_quantile(freedom: float) -> float:
    """Returns how many standard errors the two-sided 95 % interval of Student's t reaches."""
    from scipy.special import stdtrit  # tab completion starts Python each time

    return float(stdtrit(freedom, (1 + CONFIDENCE) / 2))


def ratio_interval(
    numerators: Sequence[float], denominators: Sequence[float]
) -> tuple[float, float] | None:
    """Returns the interval of the ratio of totals, None for fewer than two pairs.

    Student's t on the linearized residuals of the ratio estimator (Cochran, Sampling Techniques,
    3rd ed., section 6.3), so that the interval is centred on total by total.
    """
    count = len(numerators)
    if count < 2:
        return None
    y, x = np.asarray(numerators), np.asarray(denominators)
    ratio = float(y.sum() / x.sum())
    error = float(np.std(y - ratio * x, ddof=1) / np.sqrt(count) / x.mean())
    half_width = t_quantile(count - 1) * error
    return ratio - half_width, ratio + half_width


def relative_half_width(numerators: Sequence[float], denominators: Sequence[float]) -> float | None:
    """Returns the half-width of `ratio_interval` as a fraction of the ratio; None without one."""
    interval = ratio_interval(numerators, denominators)
    if interval is None or sum(numerators) == 0:
        return None
    low, high = interval
    return abs((high - low) / (high + low))


def proportion_interval(successes: int, trials: int) -> tuple[float, float] | None:
    """Returns Wilson's score interval of a proportion, None without trials."""
    from statsmodels.stats.proportion import proportion_confint

    if trials == 0:
        return None
    low, high = proportion_confint(successes, trials, alpha=1 - CONFIDENCE, method="wilson")
    proportion = successes / trials  # at 0 and 1 rounding can put a bound beyond it
    return min(float(low), proportion), max(float(high), proportion)
