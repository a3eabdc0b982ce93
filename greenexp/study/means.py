"""Figures of a cell: means over blocks, with their intervals."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np

from greenexp.quantities import POSITIVE
from greenexp.stats.intervals import mean, mean_interval, mean_intervals, on_logarithms
from greenexp.study.estimates import Interval, Quantity


def quantity(samples: Sequence[float | None]) -> Quantity | None:
    """Returns the mean over blocks with Student's t interval; None where a block lacks it."""
    known = [value for value in samples if value is not None]
    if not known or len(known) < len(samples):
        return None
    interval = mean_interval(known)
    return Quantity(mean(known), None if interval is None else Interval(*interval))


def above_zero(of: Quantity) -> Quantity:
    """Returns a quantity that can't be 0 or less with an interval that is not either."""
    if of.interval is None or of.value <= 0:
        return of
    ends = on_logarithms(of.value, (of.interval.low, of.interval.high))
    return of if ends is None else Quantity(of.value, Interval(*ends))


def averaged(figures: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Returns the mean of each figure that all runs of a block have."""
    common = set.intersection(*map(set, figures))
    return {
        name: mean([of_run[name] for of_run in figures]) for name in figures[0] if name in common
    }


def quantities(figures: Sequence[Mapping[str, float]]) -> dict[str, Quantity]:
    """Returns the `quantity` of each figure over the blocks that have it.

    The interval of a figure that is always above 0 has no end at 0 or less.

    Args:
        figures: by name, of each block.
    """
    samples: dict[str, list[float]] = defaultdict(list)
    for of_block in figures:
        for name, value in of_block.items():
            samples[name].append(value)
    alike: dict[int, list[str]] = defaultdict(list)
    for name, of_name in samples.items():
        alike[len(of_name)].append(name)
    estimates: dict[str, Quantity] = {}
    for names in alike.values():
        rows = mean_intervals(np.array([samples[name] for name in names], dtype=np.float64))
        estimates |= {
            name: Quantity(value, None if low is None or high is None else Interval(low, high))
            for name, (value, low, high) in zip(names, rows, strict=True)
        }
    return {
        name: above_zero(estimates[name])
        if always_above_zero(name, samples[name])
        else estimates[name]
        for name in samples
    }


def always_above_zero(name: str, samples: Sequence[float]) -> bool:
    """Tells whether a figure can't be 0 or less."""
    return name in POSITIVE and min(samples) > 0
