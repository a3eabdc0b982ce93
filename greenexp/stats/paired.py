"""Paired comparisons: intervals, tests, effect sizes, power. Pure functions of samples.

A sample here is a row of paired differences, one a unit: logarithms of ratios, or differences of
proportions. Rows of equal length are worked on together, for a study has thousands.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from greenexp.stats.intervals import CONFIDENCE, t_quantile

LEVEL = 1 - CONFIDENCE
EXACT_UP_TO = 13  # units: 2**13 signs are tried one by one; beyond, Wilcoxon's test
BOOTSTRAP_FROM = (
    25  # units; with fewer the bootstrap's intervals are too narrow, see docs/report.md
)
RESAMPLES = 9_999
VALUES = 2**18  # resampled at a time: few enough for the cache of a processor
SIGN_FLIP = "sign-flip permutation"
WILCOXON = "Wilcoxon signed-rank"

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Location:
    """Where the mean of paired differences lies.

    Attributes:
        mean: of the sample.
        units: its size.
        spread: standard deviation over units; None for one unit.
        low: lower end of the mean's 95 % interval; None for one unit.
        high: upper end.
        p_value: that the differences lie about 0; None for one unit.
        test: which test said so.
    """

    mean: float
    units: int
    spread: float | None = None
    low: float | None = None
    high: float | None = None
    p_value: float | None = None
    test: str | None = None


def locations(samples: Sequence[Sequence[float]]) -> list[Location]:
    """Returns the location of each sample.

    The interval is the bias-corrected and accelerated bootstrap's (Efron, 1987, JASA 82:171) from
    `BOOTSTRAP_FROM` units on, at the level of `_widened`; Student's t with fewer. The test is the
    exact sign-flip permutation test of the mean up to `EXACT_UP_TO` units, Wilcoxon's signed-rank
    test beyond.
    """
    by_index: dict[int, Location] = {}
    by_size: dict[int, list[int]] = {}
    for index, sample in enumerate(samples):
        by_size.setdefault(len(sample), []).append(index)
    for size, indices in by_size.items():
        if size == 0:
            raise ValueError("a sample without units has no location")
        rows = np.asarray([samples[index] for index in indices], dtype=np.float64)
        by_index |= dict(zip(indices, _of_equal_size(rows), strict=True))
    return [by_index[index] for index in range(len(samples))]


def location(sample: Sequence[float]) -> Location:
    """Returns the location of one sample, see `locations`."""
    return locations([sample])[0]


def _of_equal_size(rows: FloatArray) -> list[Location]:
    units = rows.shape[1]
    means = rows.mean(axis=1)
    if units == 1:
        return [Location(float(mean), 1) for mean in means]
    spreads = rows.std(axis=1, ddof=1)
    lows, highs = _intervals(rows, means, spreads)
    p_values = _p_values(rows)
    test = SIGN_FLIP if units <= EXACT_UP_TO else WILCOXON
    columns = (means, spreads, lows, highs, p_values)
    return [
        Location(mean, units, spread, low, high, p_value, test)
        for mean, spread, low, high, p_value in np.stack(columns, axis=1).tolist()
    ]


def _intervals(
    rows: FloatArray, means: FloatArray, spreads: FloatArray
) -> tuple[FloatArray, FloatArray]:
    from scipy import stats

    units = rows.shape[1]
    if units < BOOTSTRAP_FROM:
        half = t_quantile(units - 1) * spreads / math.sqrt(units)
        return means - half, means + half
    lows, highs = means.copy(), means.copy()
    spread = np.ptp(rows, axis=1) > 0  # where all units agree there is nothing to resample
    if spread.any():
        interval = stats.bootstrap(
            (rows[spread],),
            np.mean,
            axis=-1,
            confidence_level=_widened(units),
            method="BCa",
            n_resamples=RESAMPLES,
            batch=_batch(rows),
            rng=np.random.default_rng(0),
        ).confidence_interval
        lows[spread], highs[spread] = interval.low, interval.high
    return lows, highs


def _batch(rows: FloatArray) -> int:
    """Returns how many resamples of all rows are made at a time; the results don't depend on it."""
    return max(1, VALUES // rows.size)


def _widened(units: int) -> float:
    """Returns the level at which the bootstrap's interval of a mean holds it as often as asked.

    Resamples spread less than samples do, by (n - 1) / n, and a normal law reaches less far than
    Student's. The level is that of the interval which makes up for both (Hesterberg, 2015, The
    American Statistician 69:371, "expanded percentile"; so does `CI.bca` of R's `resample`).
    """
    from scipy import stats

    reach = t_quantile(units - 1) * math.sqrt(units / (units - 1))
    return 1 - 2 * float(stats.norm.sf(reach))


def _p_values(rows: FloatArray) -> FloatArray:
    from scipy import stats

    result = np.ones(len(rows))
    moved = rows.any(axis=1)  # where nothing differs there is nothing to test
    if not moved.any():
        return result
    if rows.shape[1] <= EXACT_UP_TO:
        result[moved] = stats.permutation_test(
            (rows[moved],),
            np.mean,
            permutation_type="samples",
            vectorized=True,
            n_resamples=np.inf,
            batch=_batch(rows),
            axis=-1,
        ).pvalue
    else:
        # One by one: of rows together one with ties or zeros would make scipy approximate them all.
        result[moved] = [stats.wilcoxon(row).pvalue for row in rows[moved]]
    return result


@dataclass(frozen=True)
class PairedRatio:
    """How many times larger one of two paired quantities is.

    Attributes:
        ratio: geometric mean of the ratios of the pairs.
        low: lower end of its 95 % interval.
        high: upper end.
        p_value: of the test that the ratio is 1, see `locations`.
    """

    ratio: float
    low: float
    high: float
    p_value: float


def paired_ratio(values: Sequence[float], others: Sequence[float]) -> PairedRatio | None:
    """Returns the ratio of positive values to others, pair by pair; None for fewer than two pairs.

    All on the logarithms, so that a ratio and its inverse are treated alike. Which of a pair came
    first was drawn by lot, so where nothing differs each sign is as likely as the other, whatever
    the distribution. With n pairs the p value is at least 2 / 2**n: fewer than 6 pairs can show no
    difference at 5 %, fewer than 8 none among five at 5 % family-wise.
    """
    if len(values) < 2:
        return None
    log_ratio = location((np.log(np.asarray(values)) - np.log(np.asarray(others))).tolist())
    if log_ratio.low is None or log_ratio.high is None or log_ratio.p_value is None:
        return None
    return PairedRatio(
        math.exp(log_ratio.mean),
        math.exp(log_ratio.low),
        math.exp(log_ratio.high),
        log_ratio.p_value,
    )


def cliffs_delta(values: ArrayLike, others: ArrayLike) -> float:
    """Returns how much more often a value exceeds another than the converse, -1 to 1.

    Cliff, 1993, Psychological Bulletin 114:494.
    """
    return float(np.sign(np.subtract.outer(np.asarray(values), np.asarray(others))).mean())
