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


def proportion_interval(successes: int, trials: int) -> tuple[float, float] | None:
    """Returns Wilson's score interval of a proportion, None without trials."""
    from statsmodels.stats.proportion import proportion_confint

    if trials == 0:
        return None
    low, high = proportion_confint(successes, trials, alpha=1 - CONFIDENCE, method="wilson")
    return float(low), float(high)
