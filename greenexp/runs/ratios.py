"""Ratios of totals over windows, with their intervals, as metrics. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from greenexp.stats.intervals import on_logarithms, ratio_interval

Interval = tuple[float, float]


def with_interval(name: str, value: float, interval: Interval | None) -> dict[str, float]:
    """Returns a metric, with the ends of its interval where it has one."""
    if interval is None:
        return {name: value}
    return {name: value, f"{name}_ci_low": interval[0], f"{name}_ci_high": interval[1]}


def ratio(
    name: str, numerators: Sequence[float], denominators: Sequence[float], scale: float = 1.0
) -> dict[str, float]:
    """Returns total by total, times `scale`, with its interval over the windows.

    Where no total is below 0 and not all are 0, neither is an end of the interval 0 or less.
    """
    value = sum(numerators) / sum(denominators)
    interval = ratio_interval(numerators, denominators)
    if value > 0 and min(numerators) >= 0:
        interval = on_logarithms(value, interval)
    if interval is not None:
        interval = interval[0] * scale, interval[1] * scale
    return with_interval(name, value * scale, interval)
