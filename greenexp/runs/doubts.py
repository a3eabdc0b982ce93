"""What stands against trusting a run's figures as they are: pure arithmetic on a `Result`."""

from __future__ import annotations

import math
from collections.abc import Sequence

from greenexp.runs import cost as money
from greenexp.runs.energy import energy_holds, in_use, kind, source_gap
from greenexp.runs.result import Phase, Result, Window
from greenexp.settings.hardware import Hardware
from greenexp.settings.workload import Interference

PERCENT = 100.0
# That another attempt would bring again; the others pass, as a busy neighbour does.
LASTING = ("replayed", "constant_predictions")
REPLAY = "replay"  # the meter whose readings were not measured in this run


def validity(result: Result, hardware: Hardware, limits: Interference) -> list[str]:
    """Returns the reasons against trusting the run's figures; none means valid."""
    doubts = list(result.doubts)
    result = in_use(result)
    doubts += [f"busy_at_start:{cause}" for cause in _busy_at_start(result, limits)]
    doubts += disturbances(result.windows, limits)
    doubts += _clock_changes(result.windows, limits)
    gap = source_gap(result.windows)
    if gap is not None and _above(gap * PERCENT, limits.energy_gap_pct):
        doubts.append("energy_sources_disagree")
    if _counter_lost(result):
        doubts.append("energy_counter_lost")
    if any(reading.meter == REPLAY for window in result.windows for reading in window.readings):
        doubts.append("replayed")
    environment = result.environment
    if result.device is not None and not money.matches(
        hardware,
        device=result.device,
        cpu=str(environment.get("cpu", "")),
        gpus=[str(gpu) for gpu in environment.get("gpus", [])],
    ):
        doubts.append("hardware_mismatch")
    return list(dict.fromkeys(doubts))


def constant_predictions(result: Result) -> bool:
    """Tells whether every image is judged to be of one class, though their labels differ."""
    judged = result.predictions
    if judged is None or len(set(judged.targets)) < 2:
        return False
    return len({ranked[0] for ranked in judged.ranked}) == 1


def disturbances(stretches: Sequence[Phase | Window], limits: Interference) -> list[str]:
    """Returns what disturbed some stretches, judged by means over their time together.

    A mean must exceed its limit by more than the clocks behind it can be wrong.
    """
    doubts = []
    for doubt, quantity, limit in (
        ("cpu_steal", "steal_pct", limits.steal_pct),
        ("other_processes", "other_processes_pct", limits.other_processes_pct),
        (
            "involuntary_switches",
            "involuntary_switches_per_s",
            limits.involuntary_switches_per_s,
        ),
    ):
        mean = mean_level(stretches, quantity)
        if mean is not None and _above(mean - _resolution(stretches, quantity), limit):
            doubts.append(doubt)
    for doubt, quantity in (
        ("cpu_throttled", "cpu_throttle_events"),
        ("gpu_throttled", "gpu_throttled_pct"),
        ("gpu_shared", "other_gpu_processes"),
    ):
        if any(r.value > 0 for s in stretches for r in s.readings if r.quantity == quantity):
            doubts.append(doubt)
    return doubts


def mean_level(stretches: Sequence[Phase | Window], quantity: str) -> float | None:
    """Returns a quantity's mean over the stretches that have it, weighted by their time."""
    held = [
        (reading.value, stretch.duration_s)
        for stretch in stretches
        for reading in stretch.readings
        if reading.quantity == quantity
    ]
    total_s = sum(seconds for _, seconds in held)
    return sum(value * seconds for value, seconds in held) / total_s if total_s > 0 else None


def _resolution(stretches: Sequence[Phase | Window], quantity: str) -> float:
    """Returns the error of `mean_level` that the ends of the stretches cause, each anew."""
    errors = [
        ((reading.resolution or 0.0) * stretch.duration_s, stretch.duration_s)
        for stretch in stretches
        for reading in stretch.readings
        if reading.quantity == quantity
    ]
    total_s = sum(seconds for _, seconds in errors)
    return math.hypot(*(error for error, _ in errors)) / total_s if total_s > 0 else 0.0


def _counter_lost(result: Result) -> bool:
    """Tells whether a counter was read in some stretch of the run and not in all its windows."""
    stretches: list[Phase | Window] = [*result.phases, *result.windows]
    counted = {
        reading.component
        for stretch in stretches
        for reading in stretch.readings
        if (reading.quantity, reading.source) == ("energy_j", "counter")
    }
    holds = energy_holds(result.windows)
    return bool(result.windows) and any(holds.get(part) != "counter" for part in counted)


def _busy_at_start(result: Result, limits: Interference) -> list[str]:
    idle = [phase for phase in result.phases if phase.name == "idle"]
    return [
        doubt
        for doubt in disturbances(idle, limits)
        if doubt in ("cpu_steal", "other_processes", "gpu_shared")
    ]


def _clock_changes(windows: Sequence[Window], limits: Interference) -> list[str]:
    clocks: dict[str, list[float]] = {}
    for window in windows:
        for reading in window.readings:
            if reading.quantity == "clock_mhz" and reading.value > 0:
                clocks.setdefault(reading.component, []).append(reading.value)
    return [
        f"{kind(component)}_clock_changed"
        for component, mhz in clocks.items()
        if _above((max(mhz) / min(mhz) - 1) * PERCENT, limits.clock_change_pct)
    ]


def _above(value: float, limit: float | None) -> bool:
    return limit is not None and value > limit
