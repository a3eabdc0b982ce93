"""Power over time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np


def total_power(series: Mapping[str, Sequence[tuple[float, float]]]) -> list[tuple[float, float]]:
    """Returns the power of all components together over time, (s, W).

    At the times of the component sampled most often, the others linear between their samples, for
    as long as all were sampled.
    """
    sampled = [points for points in series.values() if points]
    if not sampled:
        return []
    start = max(points[0][0] for points in sampled)
    end = min(points[-1][0] for points in sampled)
    times = [t for t, _ in max(sampled, key=len) if start <= t <= end]
    total = np.zeros(len(times))
    for points in sampled:
        total += np.interp(times, [t for t, _ in points], [power_w for _, power_w in points])
    return list(zip(times, total.tolist(), strict=True))
