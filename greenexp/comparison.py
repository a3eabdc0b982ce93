"""Paired comparisons: intervals, tests, effect sizes, power. Pure functions of samples.

A sample here is a row of paired differences, one a unit: logarithms of ratios, or differences of
proportions. Rows of equal length are worked on together, for a study has thousands.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from greenexp.stats import CONFIDENCE, t_quantile

LEVEL = 1 - CONFIDENCE
POWER = 0.8
EXACT_UP_TO = 13  # units: 2**13 signs are tried one by one; beyond, Wilcoxon's test
BOOTSTRAP_FROM = (
    25  # units; with fewer the bootstrap's intervals are too narrow, see docs/report.md
)
RESAMPLES = 9_999
BATCH = 256  # resamples at a time, for memory
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
    found: dict[int, Location] = {}
    by_size: dict[int, list[int]] = {}
    for index, sample in enumerate(samples):
        by_size.setdefault(len(sample), []).append(index)
    for size, indices in by_size.items():
        if size == 0:
            raise ValueError("a sample without units has no location")
        rows = np.asarray([samples[index] for index in indices], dtype=np.float64)
        found |= dict(zip(indices, _of_equal_size(rows), strict=True))
    return [found[index] for index in range(len(samples))]


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
            batch=BATCH,
            rng=np.random.default_rng(0),
        ).confidence_interval
        lows[spread], highs[spread] = interval.low, interval.high
    return lows, highs


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
            batch=BATCH,
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
    found = location((np.log(np.asarray(values)) - np.log(np.asarray(others))).tolist())
    if found.low is None or found.high is None or found.p_value is None:
        return None
    return PairedRatio(
        math.exp(found.mean), math.exp(found.low), math.exp(found.high), found.p_value
    )


def holm(p_values: Sequence[float]) -> list[float]:
    """Returns the p values adjusted by Holm's procedure; below 5 % family-wise is shown.

    Holm, 1979, Scandinavian Journal of Statistics 6:65. statsmodels' collects garbage at each call,
    0.1 s and more, and a report has hundreds of families.
    """
    order = np.argsort(p_values)
    times = np.arange(len(p_values), 0, -1)
    adjusted = np.empty(len(p_values))
    adjusted[order] = np.maximum.accumulate(times * np.asarray(p_values)[order]).clip(max=1.0)
    return [float(p) for p in adjusted]


def family_wise(p_values: Sequence[float], level: float = LEVEL) -> list[bool]:
    """Tells for each p value of a family whether Holm's procedure rejects at the family's level."""
    return [p <= level for p in holm(p_values)]


def units_needed(comparisons: int) -> int:
    """Returns how many units the sign-flip test needs to show anything among several tactics.

    Its smallest p value is 2 / 2**units, which Holm multiplies by the number of comparisons.
    """
    return math.ceil(math.log2(2 * max(comparisons, 1) / LEVEL))


def detectable(spread: float, units: int, comparisons: int = 1) -> float | None:
    """Returns the mean difference shown with 80 % power; None where no size would do.

    That of Student's t test at 5 % over `comparisons` (Bonferroni, Holm's first step), by
    statsmodels' noncentral t; the tests used lose little to it.
    """
    if units < units_needed(comparisons):
        return None
    return _standardized_effect(units, LEVEL / max(comparisons, 1)) * spread


@lru_cache(maxsize=1024)
def _standardized_effect(units: int, level: float) -> float:
    from scipy.optimize import brentq
    from statsmodels.stats.power import TTestPower

    def short(effect: float) -> float:
        power = float(TTestPower().power(effect, units, level))
        return (1.0 if math.isnan(power) else power) - POWER  # scipy's distribution ends near 1

    enough = 1.0
    while short(enough) < 0:
        enough *= 2
    return float(brentq(short, 0.0, enough))  # statsmodels' own solver stops at 5 digits


def cliffs_delta(values: ArrayLike, others: ArrayLike) -> float:
    """Returns how much more often a value exceeds another than the converse, -1 to 1.

    Cliff, 1993, Psychological Bulletin 114:494.
    """
    return float(np.sign(np.subtract.outer(np.asarray(values), np.asarray(others))).mean())


def mcnemar(lost: int, gained: int) -> float:
    """Returns the exact p value that two classifiers are right equally often.

    McNemar, 1947, Psychometrika 12:153; exact by the binomial distribution.

    Args:
        lost: images that only the first had right.
        gained: images that only the second had right.
    """
    from statsmodels.stats.contingency_tables import mcnemar as test

    return float(test([[0, lost], [gained, 0]], exact=True).pvalue)


@dataclass(frozen=True)
class PairedProportion:
    """A difference of two proportions on the same images, with its error."""

    difference: float
    variance: float
    low: float
    high: float


def paired_proportion(lost: int, gained: int, trials: int) -> PairedProportion:
    """Returns the change of a proportion between two classifiers on the same images.

    The interval is Wald's with half an image added to each cell of the table (Agresti and Min,
    2005, Statistics in Medicine 24:729), so that it keeps a width where no image changed.

    Args:
        lost: images that only the first had right.
        gained: images that only the second had right.
        trials: images in all.
    """
    change, variance = _adjusted_change(lost, gained, trials)
    half = _normal_quantile() * math.sqrt(variance)
    return PairedProportion((gained - lost) / trials, variance, change - half, change + half)


def proportions_above(lost: FloatArray, gained: FloatArray, trials: int) -> NDArray[np.bool_]:
    """Tells of each element whether the interval of `paired_proportion` lies above 0."""
    change, variance = _adjusted_change(lost, gained, trials)
    above: NDArray[np.bool_] = change > _normal_quantile() * np.sqrt(variance)
    return above


def _adjusted_change(lost: Any, gained: Any, trials: int) -> tuple[Any, Any]:
    total = trials + 2
    change = (gained - lost) / total
    return change, ((lost + gained + 1) / total - change**2) / total


@lru_cache(maxsize=1)
def _normal_quantile() -> float:
    from scipy import stats

    return float(stats.norm.ppf((1 + CONFIDENCE) / 2))


@dataclass(frozen=True)
class Combined:
    """The mean of a change over models, with what models differ by in its error."""

    mean: float
    low: float
    high: float
    p_value: float


def combined(changes: Sequence[float], variances: Sequence[float]) -> Combined | None:
    """Returns the change over models by a random-effects model; None for fewer than two.

    The spread between models is Paule and Mandel's (1982), the interval Hartung's, Knapp's, Sidik's
    and Jonkman's, never narrower than without their factor (Röver et al., 2015, BMC Medical
    Research Methodology 15:99).
    """
    from scipy import stats
    from scipy.optimize import brentq

    if len(changes) < 2:
        return None
    effects, errors, freedom = np.asarray(changes), np.asarray(variances), len(changes) - 1

    def weighed(between: float) -> tuple[float, float, float]:
        """Returns mean, total weight and weighted squares by freedom, for a spread of models."""
        weights = 1 / (errors + between)
        mean = float(np.average(effects, weights=weights))
        return mean, float(weights.sum()), float(weights @ (effects - mean) ** 2) / freedom

    between = 0.0
    if weighed(0.0)[2] > 1:  # statsmodels' own iteration stops at 5 digits
        most = float(np.ptp(effects)) ** 2  # the variance within a range is at most its quarter
        between = brentq(lambda tried: weighed(tried)[2] - 1, 0.0, most, xtol=1e-18)
    mean, total, squares = weighed(between)
    error = math.sqrt(max(squares, 1.0) / total)
    half = t_quantile(freedom) * error
    p_value = 2 * float(stats.t.sf(abs(mean) / error, freedom))
    return Combined(mean, mean - half, mean + half, p_value)
