"""Ratios of totals over windows, with their intervals, as metrics. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from greenexp.stats.intervals import ratio_interval

Interval = tuple[float, float]


def with_interval(name: str, value: float, interval: Interval | None) -> dict[str, float]:
    """Returns a metric, with the ends of its interval where it has one."""
    if interval is None:
        return {name: value}
    return {name: value, f"{name}_ci_low": interval[0], f"{name}_ci_high": interval[1]}


def ratio(
    name: str, numerators: Sequence[float], denominators: Sequence[float], scale: float = 1.0
) -> dict[str, float]:
    """Returns total by total, times `scale`, with its interval over the windows."""
    interval = ratio_interval(numerators, denominators)
    if interval is not None:
        interval = interval[0] * scale, interval[1] * scale
    return with_interval(name, sum(numerators) / sum(denominators) * scale, interval)
