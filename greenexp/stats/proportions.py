"""Paired proportions: images that one of two classifiers alone had right."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from greenexp.stats.intervals import CONFIDENCE, t_quantile
from greenexp.stats.paired import FloatArray


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
    from scipy.special import ndtri

    return float(ndtri((1 + CONFIDENCE) / 2))


@dataclass(frozen=True)
class MeanChange:
    """The mean of a change over models, with what models differ by in its error."""

    mean: float
    low: float
    high: float
    p_value: float


def combined(changes: Sequence[float], variances: Sequence[float]) -> MeanChange | None:
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
    return MeanChange(mean, mean - half, mean + half, p_value)
