"""Differences between processes: what repeating a run in a fresh process adds to its rounds. Pure.

A layout is a table of (block, arm, value): the value is the logarithm of what a process took,
less that of its block. Arms are tactics; the baseline is an arm that stands several times in each
block.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

Layout = Sequence[tuple[int, str, float]]


@dataclass(frozen=True)
class Spread:
    """The standard deviation of a process about what its arm takes in its block.

    Attributes:
        value: of the logarithm.
        freedom: degrees of freedom that it was estimated with.
    """

    value: float
    freedom: int


def spread(layouts: Iterable[Layout]) -> Spread | None:
    """Returns the spread between processes, pooled over layouts; None where nothing repeats.

    The residuals of the additive model value = block + arm, by least squares in each layout; the
    sums of squares and the degrees of freedom add up (analysis of variance).
    """
    squares, freedom = 0.0, 0
    for layout in layouts:
        of_layout, free = _residual(layout)
        squares, freedom = squares + of_layout, freedom + free
    return Spread(math.sqrt(squares / freedom), freedom) if freedom else None


def _residual(layout: Layout) -> tuple[float, int]:
    blocks = {block: number for number, block in enumerate(dict.fromkeys(b for b, _, _ in layout))}
    arms = {arm: number for number, arm in enumerate(dict.fromkeys(arm for _, arm, _ in layout))}
    design = np.zeros((len(layout), len(blocks) + len(arms)))
    for row, (block, arm, _) in enumerate(layout):
        design[row, blocks[block]] = design[row, len(blocks) + arms[arm]] = 1.0
    values = np.array([value for _, _, value in layout], dtype=np.float64)
    fitted, _, rank, _ = np.linalg.lstsq(design, values)
    residual = values - design @ fitted
    return float(residual @ residual), len(layout) - int(rank)


def contrast_error(spread_: Spread, baselines: Sequence[int]) -> float:
    """Returns the standard error of the mean difference of an arm to its baselines over blocks.

    Args:
        spread_: of a process.
        baselines: how many stand in each block beside the arm.
    """
    variance = sum(1 + 1 / count for count in baselines) / len(baselines) ** 2
    return spread_.value * math.sqrt(variance)
