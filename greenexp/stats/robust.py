"""Centres that a few disturbed batches or rounds do not move. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from greenexp.stats.intervals import t_quantile

TRIMMED = 0.35  # of the sample, at each end: on shared machines a third of it is disturbed
FEWEST = 5  # of a sample whose error can be told


@dataclass(frozen=True)
class Center:
    """The trimmed mean of a sample in its order of time.

    Attributes:
        value: of the centre.
        error: its standard error.
        freedom: degrees of freedom of the error.
    """

    value: float
    error: float
    freedom: int

    @property
    def half_width(self) -> float:
        """Half of its 95 % interval."""
        return t_quantile(self.freedom) * self.error


def center(sample: Sequence[float]) -> Center | None:
    """Returns the 35 % trimmed mean of a sample; None for fewer than five values.

    Its error is that of the winsorized sample (Tukey and McLaughlin, 1963, Sankhya A 25:331),
    widened by as much as neighbours in time are alike: by the root of the autocorrelation time of
    the winsorized sample, summed while pairs of lags are positive (Geyer, 1992, Statistical
    Science 7:473).
    """
    count = len(sample)
    if count < FEWEST:
        return None
    values = np.asarray(sample, dtype=np.float64)
    cut = int(TRIMMED * count)
    ordered = np.sort(values)
    kept = count - 2 * cut
    winsorized = np.clip(values, ordered[cut], ordered[count - cut - 1])
    spread = float(np.std(winsorized, ddof=1))
    error = spread / ((1 - 2 * TRIMMED) * math.sqrt(count))
    error *= math.sqrt(autocorrelation_time(winsorized))
    return Center(float(ordered[cut : count - cut].mean()), error, kept - 1)


def lower_quartile(sample: Sequence[float]) -> float:
    """Returns the lower quartile of a sample: what a batch takes that nothing disturbed.

    A disturbance only ever adds time, so that the low end of a sample is the steady one (Chen and
    Revels, 2016, arXiv 1608.04295). Nearly unbiased in the median, whatever the size from three on
    (Hyndman and Fan, 1996, The American Statistician 50:361, definition 8), so that a run with
    fewer batches in a window is not held to be slower.
    """
    return float(np.quantile(sample, 0.25, method="median_unbiased"))


def autocorrelation_time(sample: NDArray[np.float64]) -> float:
    """Returns how many values of a sample tell as much as one independent one; at least 1."""
    centred = sample - sample.mean()
    count = len(centred)
    variance = float(centred @ centred)
    if variance == 0:
        return 1.0
    time = 1.0
    for lag in range(1, count // 2, 2):
        pair = sum(float(centred[:-k] @ centred[k:]) for k in (lag, lag + 1)) / variance
        if pair <= 0:
            break
        time += 2 * pair
    return time
