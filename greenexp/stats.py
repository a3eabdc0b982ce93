"""Intervals, as pure functions of samples."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

CONFIDENCE = 0.95


def mean_interval(samples: Sequence[float]) -> tuple[float, float] | None:
    """Returns Student's t interval of the mean, None for fewer than two samples."""
    from scipy import stats  # 1.7 s to import, and tab completion starts Python each time

    if len(samples) < 2:
        return None
    mean = float(np.mean(samples))
    error = float(stats.sem(samples))
    if error == 0.0:
        return mean, mean
    low, high = stats.t.interval(CONFIDENCE, df=len(samples) - 1, loc=mean, scale=error)
    return float(low), float(high)


def ratio_interval(
    numerators: Sequence[float], denominators: Sequence[float]
) -> tuple[float, float] | None:
    """Returns the interval of the ratio of totals, None for fewer than two pairs.

    Student's t on the linearized residuals of the ratio estimator (Cochran, Sampling Techniques,
    3rd ed., section 6.3), so that the interval is centred on total by total.
    """
    from scipy import stats

    count = len(numerators)
    if count < 2:
        return None
    y, x = np.asarray(numerators), np.asarray(denominators)
    ratio = float(y.sum() / x.sum())
    error = float(np.std(y - ratio * x, ddof=1) / np.sqrt(count) / x.mean())
    half_width = float(stats.t.ppf((1 + CONFIDENCE) / 2, df=count - 1)) * error
    return ratio - half_width, ratio + half_width


def proportion_interval(successes: int, trials: int) -> tuple[float, float] | None:
    """Returns Wilson's score interval of a proportion, None without trials."""
    from statsmodels.stats.proportion import proportion_confint

    if trials == 0:
        return None
    low, high = proportion_confint(successes, trials, alpha=1 - CONFIDENCE, method="wilson")
    proportion = successes / trials  # at 0 and 1 rounding can put a bound beyond it
    return min(float(low), proportion), max(float(high), proportion)
