"""What a run took in each round of its block: pure arithmetic on a `Result`.

On a shared machine some batches of a window take much longer than others of it. Runs are compared
by the batches that nothing disturbed.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from greenexp.protocols import Reading
from greenexp.quantities import ENERGY, LATENCY
from greenexp.runs.energy import energy_holds, energy_readings, in_use
from greenexp.runs.result import Result, Window
from greenexp.stats.robust import lower_quartile

ROUND, SECONDS = "round", "seconds"
MS_PER_S = 1e3


def rounds_of(result: Result) -> dict[str, list[float]]:
    """Returns the numbers of a run's rounds and, in their order, what it took in each.

    By metric: joules an image, where they were measured in every round, and the latency of a
    batch; besides the seconds an image took.
    """
    windows = in_use(result).windows
    taken: dict[str, list[float]] = {
        ROUND: [float(window.round) for window in windows],
        SECONDS: [seconds_per_image(window) for window in windows],
        LATENCY: [undisturbed_s(window) * MS_PER_S for window in windows],
    }
    joules = _energy_per_image_j(windows)
    return taken if joules is None else {**taken, ENERGY: joules}


def undisturbed_s(window: Window) -> float:
    """Returns the latency in seconds of a batch of the window: the lower quartile."""
    return lower_quartile(window.latencies_s)


def seconds_per_image(window: Window) -> float:
    """Returns the seconds an image of an undisturbed batch of the window took."""
    return undisturbed_s(window) * len(window.latencies_s) / window.images


def _energy_per_image_j(windows: Sequence[Window]) -> list[float] | None:
    """Returns joules an image in each window; None where they are not known of all.

    Joules that a meter read are those of the whole window. An estimate is its power times time and
    nothing else: the median power of the run's windows times the seconds of undisturbed batches.
    """
    holds = energy_holds(windows)
    readings = [energy_readings(window, holds) for window in windows]
    known = [of_window for of_window in readings if of_window is not None]
    if not known or len(known) < len(windows):
        return None
    pairs = list(zip(windows, known, strict=True))
    power_w = statistics.median(
        _joules(each, estimated=True) / window.duration_s for window, each in pairs
    )
    return [
        _joules(each, estimated=False) / window.images + power_w * seconds_per_image(window)
        for window, each in pairs
    ]


def _joules(readings: Sequence[Reading], *, estimated: bool) -> float:
    return sum(r.value for r in readings if (r.source == "model") is estimated)
