"""A run with two windows in which everything was read, and by hand what its metrics are."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from greenexp.protocols import Reading
from greenexp.runs.result import Complexity, Predictions, Result
from tests.support.builders import cuda_run, energy, hardware, level, phase, window

# Two devices of the instance are priced and the run holds one; half of the paid hours serve.
PRICED = hardware(
    price={
        "usd_per_hour": 2.0,
        "utilization": 0.5,
        "usd_per_kwh": 0.25,
        "pue": 1.2,
    },
    g_per_kwh=400.0,
    gpu="T4",
    gpu_count=2,
)
# Bounds of 5 % and 10 % of the scale; the GPU's counter is late by up to 3 J and 4 J.
WHOLE = cuda_run(
    window(
        energy("gpu:0", 100.0, relative_error=0.05, resolution=3.0),
        energy("gpu:0", 120.0, "sampled", "nvml", relative_error=0.5),
        energy("cpu:0", 20.0, relative_error=0.1),
        energy("cpu", 50.0, "model"),
        energy("dram:0", 4.0, relative_error=0.1),
        level("utilization_pct", "gpu:0", 50.0),
        level("utilization_pct", "cpu", 10.0),
        level("steal_pct", "cpu", 1.0),
        level("other_processes_pct", "cpu", 40.0),
        level("involuntary_switches_per_s", "process", 100.0),
        level("memory_mib", "gpu:0", 1200.0),
        level("memory_mib", "process", 5000.0),
        duration_s=2.0,
        images=8,
        latencies_s=[0.010, 0.020, 0.030, 0.040],
    ),
    window(
        energy("gpu:0", 160.0, relative_error=0.05, resolution=4.0),
        energy("gpu:0", 190.0, "sampled", "nvml", relative_error=0.5),
        energy("cpu:0", 30.0, relative_error=0.1),
        energy("cpu", 70.0, "model"),
        energy("dram:0", 6.0, relative_error=0.1),
        level("utilization_pct", "gpu:0", 80.0),
        level("utilization_pct", "cpu", 20.0),
        level("steal_pct", "cpu", 2.0),
        level("other_processes_pct", "cpu", 0.0),
        level("involuntary_switches_per_s", "process", 50.0),
        level("memory_mib", "gpu:0", 1000.0),
        level("memory_mib", "process", 6000.0),
        duration_s=3.0,
        images=8,
        latencies_s=[0.010, 0.020, 0.030, 0.060],
    ),
    phases=[
        phase("idle", 10.0, energy("gpu:0", 200.0), energy("cpu:0", 40.0), energy("dram:0", 10.0)),
        phase("load", 5.0, energy("gpu:0", 999.0), energy("cpu:0", 5.0), energy("dram:0", 1.0)),
        phase(
            "optimize",
            36.0,
            energy("gpu:0", 2900.0),
            energy("cpu:0", 600.0),
            energy("dram:0", 100.0),
        ),
    ],
    predictions=Predictions(
        identifiers=["a", "b", "c", "d"],
        targets=[0, 1, 2, 3],
        ranked=[[0, 1, 2, 3, 4], [1, 0, 2, 3, 4], [0, 1, 3, 4, 2], [0, 1, 2, 4, 5]],
    ),
    before=Complexity(parameters=2000, macs=9000, weights_mib=8.0, sparsity=0.0),
    after=Complexity(
        parameters=1000, macs=5000, weights_mib=2.5, sparsity=0.25, weights_in_memory_mib=2.25
    ),
    discarded_windows=1,
    duration_s=77.0,
)
# The names that the design fixes, with what WHOLE gives for each.
KNOWN = {
    "accuracy/top1": 2 / 4,
    "accuracy/top5": 3 / 4,
    "latency/mean_ms": 27.5,
    "latency/p50_ms": 25.0,
    "latency/p90_ms": 46.0,
    "latency/p99_ms": 58.6,
    "throughput/images_per_s": 16 / 5,
    "energy/per_image_j": (260 + 50 + 10) / 16,
    "energy/net_per_image_j": (260 + 50 + 10 - 25 * 5) / 16,
    "energy/gpu_per_image_j": 260 / 16,
    "energy/cpu_per_image_j": 50 / 16,
    "power/mean_w": 320 / 5,
    "power/idle_w": 250 / 10,
    "utilization/gpu_pct": (50 * 2 + 80 * 3) / 5,
    "utilization/cpu_pct": (10 * 2 + 20 * 3) / 5,
    "memory/peak_mib": 1200.0,
    "complexity/parameters": 1000,
    "complexity/macs": 5000,
    "complexity/weights_mib": 2.5,
    "complexity/weights_in_memory_mib": 2.25,
    "complexity/sparsity": 0.25,
    "optimization/time_s": 36.0,
    "optimization/energy_j": 3600.0,
    "optimization/cost_usd": 0.02 + 0.0003,  # 36 s at 2 USD/h; 1 Wh at 0.25 USD/kWh and PUE 1.2
    "cost/usd_per_million_images": 312_500 / 3600 * 2 + 20 / 3.6 * 0.3,
    "cost/machine_usd_per_million_images": 312_500 / 3600 * 2,
    "cost/electricity_usd_per_million_images": 20 / 3.6 * 0.3,
    "carbon/g_per_million_images": 20 / 3.6 * 1.2 * 400,
    "run/time_s": 77.0,
    "run/energy_j": 250 + 1005 + 3600 + 320,
    # 56 s of timed stretches at 2 USD/h; their joules at 0.25 USD/kWh and PUE 1.2
    "run/cost_usd": 56 / 1800 + 5175 / 3.6e6 * 0.3,
    "windows/measured": 2,
    "windows/discarded": 1,
    "interference/steal_pct": (1 * 2 + 2 * 3) / 5,
    "interference/other_processes_pct": (40 * 2 + 0 * 3) / 5,
    "interference/involuntary_switches_per_s": (100 * 2 + 50 * 3) / 5,
}


def about(figure: float, half_width: float) -> tuple[float, float]:
    return figure - half_width, figure + half_width


def figure(name: str) -> str:
    """Returns the name of the figure that a name's interval belongs to."""
    return name.partition("_ci_")[0].partition("_combined_")[0]


def without(result: Result, *, component: str = "", quantity: str = "") -> Result:
    """Returns the result as if a kind of component, or a quantity, had not been read."""

    def kept(readings: Any) -> list[Reading]:
        return [
            reading
            for reading in readings
            if reading.component.partition(":")[0] != component and reading.quantity != quantity
        ]

    return replace(
        result,
        phases=[replace(part, readings=kept(part.readings)) for part in result.phases],
        windows=[replace(part, readings=kept(part.readings)) for part in result.windows],
    )
