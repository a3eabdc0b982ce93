"""Several tests together, and what a number of units can show."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from greenexp.stats.paired import LEVEL

POWER = 0.8


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
