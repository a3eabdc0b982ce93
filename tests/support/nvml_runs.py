"""Runs on a machine with NVIDIA GPUs: how to keep them short, and what their records hold."""

from __future__ import annotations

import pynvml
import pytest

from greenexp.runs import metrics
from greenexp.runs.doubts import validity
from greenexp.runs.journal import Record
from greenexp.runs.result import Phase, Window
from greenexp.settings.build import typed
from greenexp.settings.hardware import Hardware
from greenexp.settings.workload import Interference
from tests.support.nvml_machine import compiler

NEEDS_COMPILER = pytest.mark.skipif(
    compiler() is None, reason="needs a C compiler, cc or $CC, for the library that answers NVML"
)

QUICK = [
    "workload.batch_size=32",
    "workload.idle_seconds=1",
    "workload.warmup_min_seconds=0.1",
    "workload.min_seconds=1",
    "workload.min_windows=12",
    "workload.max_windows=12",
]
HEAT = pynvml.nvmlClocksThrottleReasonHwThermalSlowdown


def levels(stretch: Phase | Window, component: str) -> dict[str, float]:
    """Returns what NVML tells of a GPU besides its joules."""
    readings = [r for r in stretch.readings if r.component == component]
    assert {r.source for r in readings if r.quantity != "energy_j"} <= {"sampled"}
    return {r.quantity: r.value for r in readings if r.quantity != "energy_j"}


def figures(record: Record) -> dict[str, float]:
    return dict(metrics.evaluate(record.result, typed(record.configuration, "hardware", Hardware)))


def doubts(record: Record) -> list[str]:
    hardware = typed(record.configuration, "hardware", Hardware)
    return validity(
        record.result, hardware, typed(record.configuration, "interference", Interference)
    )
