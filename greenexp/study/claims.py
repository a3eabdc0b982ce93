"""What may be claimed of the tactics that stand together."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

from greenexp.stats.paired import LEVEL, Location
from greenexp.stats.power import detectable, holm, units_needed
from greenexp.study.estimates import Effect, Interval
from greenexp.study.verdicts import Verdict

LARGEST_LOG = 700.0  # whose exponential is still a float


def claims(locations: Mapping[str, Location], noise: Location | None) -> dict[str, Effect]:
    """Returns the effect of each tactic of a family, with what may be claimed of it.

    A tactic is said to take less (or more) where Holm's procedure over the family shows it at 5 %
    and the whole interval lies beyond what two baselines differ by.

    Args:
        locations: by tactic, of the logarithms of the ratios.
        noise: of the logarithms of the A/A ratios; None without any.
    """
    floor = None if noise is None else _reach(noise)
    tested = {
        name: location.p_value
        for name, location in locations.items()
        if location.p_value is not None
    }
    adjusted = dict(zip(tested, holm(list(tested.values())), strict=True))
    return {
        name: effect(location, adjusted.get(name), len(tested), floor)
        for name, location in locations.items()
    }


def effect(
    location: Location, adjusted: float | None, comparisons: int, floor: float | None
) -> Effect:
    """Returns one effect.

    Args:
        location: of the logarithms of the ratios.
        adjusted: its p value by Holm's procedure; None where there is none.
        comparisons: how many tactics are tested together.
        floor: how far from 0 the logarithm of an A/A ratio may lie; None where unknown.
    """
    plain = Effect(
        ratio=math.exp(location.mean),
        units=location.units,
        p_value=location.p_value,
        adjusted_p=adjusted,
        test=location.test,
        floor=None if floor is None else _exp(floor) - 1,
    )
    if location.low is None or location.high is None or location.spread is None or adjusted is None:
        return plain
    smallest = detectable(location.spread, location.units, comparisons)
    if smallest is not None and floor is not None:
        smallest = max(smallest, floor + (detectable(location.spread, location.units) or 0.0))
    return replace(
        plain,
        interval=Interval(_exp(location.low), _exp(location.high)),
        detectable=None if smallest is None else -math.expm1(-smallest),
        verdict=_verdict(
            location.low, location.high, location.units, adjusted, comparisons, floor or 0.0
        ),
    )


def _reach(noise: Location) -> float:
    """Returns how far from 0 the logarithm of an A/A ratio may lie."""
    ends = [noise.mean] if noise.low is None or noise.high is None else [noise.low, noise.high]
    return max(abs(end) for end in ends)


def _exp(logarithm: float) -> float:
    """Returns e to a power; the interval of two wildly different blocks ends beyond any float."""
    return math.exp(min(max(logarithm, -LARGEST_LOG), LARGEST_LOG))


def _verdict(
    low: float, high: float, units: int, adjusted: float, comparisons: int, floor: float
) -> Verdict:
    if adjusted <= LEVEL and high < -floor:
        return Verdict.LOWER
    if adjusted <= LEVEL and low > floor:
        return Verdict.HIGHER
    return Verdict.TOO_FEW if units < units_needed(comparisons) else Verdict.NOT_SHOWN
