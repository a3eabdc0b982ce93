"""Intervals, as pure functions of samples."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

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


def relative_half_width(numerators: Sequence[float], denominators: Sequence[float]) -> float | None:
    """Returns the half-width of `ratio_interval` as a fraction of the ratio; None without one."""
    interval = ratio_interval(numerators, denominators)
    if interval is None or sum(numerators) == 0:
        return None
    low, high = interval
    return abs((high - low) / (high + low))


@dataclass(frozen=True)
class PairedRatio:
    """How many times larger one of two paired quantities is.

    Attributes:
        ratio: geometric mean of the ratios of the pairs.
        low: lower end of its 95 % interval.
        high: upper end.
        p_value: of the sign-flip test that the ratio is 1.
    """

    ratio: float
    low: float
    high: float
    p_value: float


def paired_ratio(values: Sequence[float], others: Sequence[float]) -> PairedRatio | None:
    """Returns the ratio of positive values to others, pair by pair; None for fewer than two pairs.

    All on the logarithms, so that a ratio and its inverse are treated alike. The interval is
    Student's t. The p value is of the paired permutation test: which of a pair came first was drawn
    by lot, so where nothing differs each sign is as likely as the other, whatever the
    distribution. All signs are tried up to 13 pairs, 9,999 draws beyond. With n pairs it is at
    least 2 / 2**n: fewer than 6 pairs can show no difference at 5 %, fewer than 8 none among five
    at 5 % family-wise.
    """
    from scipy import stats

    if len(values) < 2:
        return None
    logs = np.log(np.asarray(values)) - np.log(np.asarray(others))
    mean = float(logs.mean())
    low, high = mean_interval(logs.tolist()) or (mean, mean)
    test = stats.permutation_test(
        (logs,), np.mean, permutation_type="samples", vectorized=True, rng=np.random.default_rng(0)
    )
    return PairedRatio(math.exp(mean), math.exp(low), math.exp(high), float(test.pvalue))


def family_wise(p_values: Sequence[float], level: float = 1 - CONFIDENCE) -> list[bool]:
    """Tells for each p value of a family whether Holm's procedure rejects at the family's level."""
    from statsmodels.stats.multitest import multipletests

    return [bool(rejected) for rejected in multipletests(p_values, level, method="holm")[0]]


def proportion_interval(successes: int, trials: int) -> tuple[float, float] | None:
    """Returns Wilson's score interval of a proportion, None without trials."""
    from statsmodels.stats.proportion import proportion_confint

    if trials == 0:
        return None
    low, high = proportion_confint(successes, trials, alpha=1 - CONFIDENCE, method="wilson")
    proportion = successes / trials  # at 0 and 1 rounding can put a bound beyond it
    return min(float(low), proportion), max(float(high), proportion)
