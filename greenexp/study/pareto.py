"""Which cells nothing else is shown to beat: the Pareto front where figures have intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from greenexp.study.estimates import Interval

BoolMatrix = NDArray[np.bool_]


@dataclass(frozen=True)
class Objective:
    """One figure of every point: its value and interval, less being better.

    Attributes:
        values: a point each.
        intervals: likewise; None: nothing is known of its error, so it beats and loses to nothing
            that has another value.
    """

    values: Sequence[float]
    intervals: Sequence[Interval | None]

    def better(self) -> BoolMatrix:
        """Returns (points, points): whether the row's interval lies wholly below the column's."""
        lows = np.array(
            [-np.inf if interval is None else interval.low for interval in self.intervals]
        )
        highs = np.array(
            [np.inf if interval is None else interval.high for interval in self.intervals]
        )
        matrix: BoolMatrix = highs[:, None] < lows[None, :]
        return matrix

    def equal(self) -> BoolMatrix:
        """Returns (points, points): whether both have one value."""
        values = np.asarray(self.values, dtype=np.float64)
        matrix: BoolMatrix = values[:, None] == values[None, :]
        return matrix


def front(objectives: Sequence[tuple[BoolMatrix, BoolMatrix]]) -> list[bool]:
    """Returns for each point whether no other is shown to dominate it.

    A point dominates another where in every objective it is shown to be better, or is equal, and
    in one at least is better. What the intervals leave open dominates nothing.

    Args:
        objectives: of each the matrices (points, points) `better` and `equal`, row to column.
    """
    as_good = np.logical_and.reduce([better | equal for better, equal in objectives])
    ahead = np.logical_or.reduce([better for better, _ in objectives])
    dominated = (as_good & ahead).any(axis=0)
    return [not flag for flag in dominated.tolist()]
