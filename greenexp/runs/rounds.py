"""What a run took in each round of its block: pure arithmetic on a `Result`."""

from __future__ import annotations

import statistics

from greenexp.quantities import ENERGY, LATENCY
from greenexp.runs.energy import energy_holds, in_use, total_energy_j
from greenexp.runs.result import Result

ROUND, SECONDS = "round", "seconds"
MS_PER_S = 1e3


def rounds_of(result: Result) -> dict[str, list[float]]:
    """Returns the numbers of a run's rounds and, in their order, what it took in each.

    By metric: joules an image, where they were measured in every round, and the median latency of
    a batch; besides the seconds an image took.
    """
    windows = in_use(result).windows
    holds = energy_holds(windows)
    joules = [total_energy_j(window, holds) for window in windows]
    taken: dict[str, list[float]] = {
        ROUND: [float(window.round) for window in windows],
        SECONDS: [window.duration_s / window.images for window in windows],
        LATENCY: [statistics.median(window.latencies_s) * MS_PER_S for window in windows],
    }
    known = [value for value in joules if value is not None]
    if windows and len(known) == len(windows):
        images = [window.images for window in windows]
        taken[ENERGY] = [value / count for value, count in zip(known, images, strict=True)]
    return taken
