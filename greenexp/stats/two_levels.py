"""Differences between processes: what repeating a run in a fresh process adds to its rounds. Pure.

A layout is a table of (block, arm, value): the value is the logarithm of what a process took,
less that of its block. Arms are tactics; the baseline is an arm that stands several times in each
block.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

FEWEST_GROUPS = 3  # that tell by how much groups differ
DIFFERENT = 0.01  # p of the test that groups have one variance
LEAST_VARIANCE = 1e-5  # of the pooled one; its logarithm is not -inf
MOST_FREEDOM = 1e4  # of a prior; more of it is none

Layout = Sequence[tuple[int, str, float]]


@dataclass(frozen=True)
class Spread:
    """The standard deviation of a process about what its arm takes in its block.

    Attributes:
        value: of the logarithm.
        freedom: degrees of freedom that it was estimated with.
    """

    value: float
    freedom: float


def spreads(layouts: Mapping[str, Sequence[Layout]]) -> dict[str, Spread]:
    """Returns the spread between processes for each group of layouts; empty where nothing repeats.

    It is pooled over the groups, as few processes of each are known. Where Bartlett's test tells
    that groups differ, each has its own, moderated by the others: the law of the groups' variances
    counts as so many degrees of freedom (Smyth, 2004, Statistical Applications in Genetics and
    Molecular Biology 3:3).

    Args:
        layouts: by group, those of a model, say.
    """
    pooled = spread(layout for of_group in layouts.values() for layout in of_group)
    if pooled is None:
        return {}
    own = {group: spread(of_group) for group, of_group in layouts.items()}
    known = {group: estimate for group, estimate in own.items() if estimate is not None}
    prior = _prior(list(known.values()), pooled)
    if prior is None:
        return dict.fromkeys(layouts, pooled)
    return {group: _moderated(known.get(group), prior, pooled) for group in layouts}


def _prior(known: Sequence[Spread], pooled: Spread) -> Spread | None:
    """Returns what the variances of groups are drawn about; None where one spread explains all."""
    from scipy import optimize, special, stats

    if len(known) < FEWEST_GROUPS or pooled.value == 0:
        return None
    freedom = np.array([estimate.freedom for estimate in known])
    squares = np.array([estimate.value**2 for estimate in known])
    logs = np.log(np.maximum(squares, LEAST_VARIANCE * pooled.value**2))
    parts = len(known) - 1
    statistic = pooled.freedom * math.log(pooled.value**2) - freedom @ logs
    statistic /= 1 + (np.sum(1 / freedom) - 1 / pooled.freedom) / (3 * parts)  # Bartlett, 1937
    if stats.chi2.sf(statistic, parts) > DIFFERENT:
        return None
    # Of the logarithm of a variance the law is known: moments tell the prior (Smyth, section 6.2).
    centred = logs - special.digamma(freedom / 2) + np.log(freedom / 2)
    excess = float(np.var(centred, ddof=1) - np.mean(special.polygamma(1, freedom / 2)))
    if excess <= special.polygamma(1, MOST_FREEDOM / 2):
        return None
    prior = 2 * optimize.brentq(
        lambda half: special.polygamma(1, half) - excess, 1e-3, MOST_FREEDOM
    )
    value = math.exp((float(centred.mean()) + special.digamma(prior / 2) - math.log(prior / 2)) / 2)
    return Spread(value, prior)


def _moderated(own: Spread | None, prior: Spread, pooled: Spread) -> Spread:
    if own is None:  # with less than one degree of freedom an interval has no end
        return Spread(prior.value, max(1.0, prior.freedom))
    freedom = own.freedom + prior.freedom
    squares = own.freedom * own.value**2 + prior.freedom * prior.value**2
    return Spread(math.sqrt(squares / freedom), min(freedom, pooled.freedom))


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


def contrast_error(spread_: Spread, sizes: Sequence[tuple[int, int]]) -> float:
    """Returns the standard error of the mean difference of an arm to its baselines over blocks.

    Args:
        spread_: of a process.
        sizes: how many processes of the arm, and how many baselines, each block has.
    """
    variance = sum(1 / own + 1 / baselines for own, baselines in sizes) / len(sizes) ** 2
    return spread_.value * math.sqrt(variance)
