"""The loops that time inference. Nothing but the forward pass stands between the clock's calls."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from greenexp.settings.workload import Workload

if TYPE_CHECKING:
    from torch import Tensor

SETTLING_S = 0.005  # s; a few MiB of caches are refilled in one

Forward = Callable[["Tensor"], object]
"""Runs one batch to its end: the device is synchronized when it returns."""


@dataclass(frozen=True)
class WarmUp:
    """How the warm-up ended: after how many batches, and whether latency had settled."""

    batches: int
    settled: bool


def warm_up(
    forward: Forward,
    inputs: Iterator[Tensor],
    workload: Workload,
    clock: Callable[[], float] = time.perf_counter,
) -> WarmUp:
    """Runs batches until the rolling median of latency is steady.

    Steady means that the medians of the last `steady_batches` and of as many before them differ
    by at most `steady_tolerance`, relatively; not before `warmup_min_seconds`, and at most until
    `warmup_max_seconds`.
    """
    span = workload.steady_batches
    latencies_s: list[float] = []
    start_s = clock()
    while True:
        latencies_s.append(_timed(forward, next(inputs), clock))
        elapsed_s = clock() - start_s
        if elapsed_s >= workload.warmup_min_seconds and len(latencies_s) >= 2 * span:
            recent = statistics.median(latencies_s[-span:])
            earlier = statistics.median(latencies_s[-2 * span : -span])
            if abs(recent - earlier) <= workload.steady_tolerance * earlier:
                return WarmUp(len(latencies_s), settled=True)
        if elapsed_s >= workload.warmup_max_seconds:
            return WarmUp(len(latencies_s), settled=False)


def settle(
    forward: Forward, inputs: Iterator[Tensor], clock: Callable[[], float] = time.perf_counter
) -> None:
    """Runs batches that nobody times: one at least, and for as long as refilling caches takes."""
    start_s = clock()
    while True:
        forward(next(inputs))
        if clock() - start_s >= SETTLING_S:
            return


def measure_window(
    forward: Forward,
    inputs: Iterator[Tensor],
    min_seconds: float,
    min_batches: int,
    clock: Callable[[], float] = time.perf_counter,
) -> list[float]:
    """Returns the latency in seconds of each batch of one window.

    The window lasts at least `min_seconds` and holds at least `min_batches`.
    """
    latencies_s: list[float] = []
    start_s = clock()
    while len(latencies_s) < min_batches or clock() - start_s < min_seconds:
        latencies_s.append(_timed(forward, next(inputs), clock))
    return latencies_s


def _timed(forward: Forward, batch: Tensor, clock: Callable[[], float]) -> float:
    start_s = clock()
    forward(batch)
    return clock() - start_s
