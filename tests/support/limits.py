"""Limits of interference, and a run judged by them."""

from __future__ import annotations

from greenexp.runs.doubts import validity
from greenexp.runs.result import Result
from greenexp.settings.workload import Interference
from tests.support.builders import ANY_MACHINE, level

LIMITS = Interference(
    steal_pct=4.0,
    other_processes_pct=16.0,
    involuntary_switches_per_s=64.0,
    clock_change_pct=25.0,
    energy_gap_pct=12.5,
)
STOLEN = level("steal_pct", "cpu", 50.0)


def judged(result: Result, limits: Interference = LIMITS) -> list[str]:
    return validity(result, ANY_MACHINE, limits)
