"""Intervals of metrics: what is known about each figure, and how the parts of one add up."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from greenexp.runs.metrics import evaluate
from greenexp.runs.result import Result
from greenexp.stats.intervals import mean_interval, proportion_interval
from tests.support.builders import ANY_MACHINE, cpu_run, energy, window
from tests.support.whole_run import KNOWN, PRICED, WHOLE, about

T1 = 12.706204736174694  # Student's t at 0.975 with 1 degree of freedom, from tables


def times(factor: float, interval: tuple[float, float] | None) -> tuple[float, float]:
    assert interval is not None
    return factor * interval[0], factor * interval[1]


def above_zero(interval: tuple[float, float] | None) -> tuple[float, float]:
    """The interval about a mean, of what can't be 0 or less, as Student's t on the logarithm."""
    assert interval is not None
    middle = (interval[0] + interval[1]) / 2
    factor = math.exp((interval[1] - interval[0]) / 2 / middle)
    return middle / factor, middle * factor


USD_PER_S = 2 / 3600  # half of the instance, half of the hours
USD_PER_J = 0.3 / 3.6e6
ABOUT_THE_MEAN = {
    "accuracy/top1": proportion_interval(2, 4),
    "accuracy/top5": proportion_interval(3, 4),
    "energy/net_per_image_j": mean_interval([(124 - 50) / 8, (196 - 75) / 8]),
}
ON_LOGARITHMS = {
    "latency/mean_ms": mean_interval([25.0, 30.0]),
    "latency/p50_ms": mean_interval([25.0, 25.0]),
    "latency/p90_ms": about(46.0, 7.0 * T1),  # 37 and 51 in the windows
    "latency/p99_ms": about(58.6, 9.7 * T1),  # 39.7 and 59.1
    # By hand: 3.2 images/s, residuals 8 - 3.2 x 2 and 8 - 3.2 x 3.
    "throughput/images_per_s": about(3.2, 0.64 * T1),
    "energy/per_image_j": mean_interval([124 / 8, 196 / 8]),
    "energy/gpu_per_image_j": mean_interval([100 / 8, 160 / 8]),
    "energy/cpu_per_image_j": mean_interval([20 / 8, 30 / 8]),
    "power/mean_w": about(64.0, 1.6 * T1),  # residuals 124 - 64 x 2 and 196 - 64 x 3
    "utilization/gpu_pct": about(68.0, 14.4 * T1),  # residuals 50 x 2 - 68 x 2 and 80 x 3 - 68 x 3
    "utilization/cpu_pct": about(16.0, 4.8 * T1),
    "cost/usd_per_million_images": times(
        1e6,
        mean_interval(
            [(2 * USD_PER_S + 124 * USD_PER_J) / 8, (3 * USD_PER_S + 196 * USD_PER_J) / 8]
        ),
    ),
    "cost/machine_usd_per_million_images": times(1e6 * USD_PER_S, mean_interval([2 / 8, 3 / 8])),
    "cost/electricity_usd_per_million_images": times(
        1e6 * USD_PER_J, mean_interval([124 / 8, 196 / 8])
    ),
    "carbon/g_per_million_images": times(
        1e6 / 3.6e6 * 1.2 * 400, mean_interval([124 / 8, 196 / 8])
    ),
}
INTERVALS = ABOUT_THE_MEAN | {name: above_zero(ends) for name, ends in ON_LOGARITHMS.items()}
COMBINED = {f"energy/per_image_j_combined_{end}" for end in ("low", "high")}


@pytest.mark.parametrize("name", INTERVALS)
def test_known_interval(name: str) -> None:
    metrics = evaluate(WHOLE, PRICED)
    interval = metrics[f"{name}_ci_low"], metrics[f"{name}_ci_high"]
    assert interval == pytest.approx(INTERVALS[name], rel=1e-9)
    assert interval[0] > 0 or name in ABOUT_THE_MEAN


def test_no_name_that_the_design_does_not_fix() -> None:
    bounds = {f"{name}_ci_{end}" for name in INTERVALS for end in ("low", "high")}
    assert set(evaluate(WHOLE, PRICED)) == set(KNOWN) | bounds | COMBINED


def test_combined_interval_adds_spread_scale_and_ends_in_squares() -> None:
    metrics = evaluate(WHOLE, PRICED)
    low, high = mean_interval([124 / 8, 196 / 8]) or (math.nan, math.nan)
    spread = (high - low) / 2
    scale = 0.05 * 260 + 0.1 * 50 + 0.1 * 10  # one sided error in all windows: J add up
    ends = math.hypot(3.0, 4.0)  # of each window anew: J add up in squares
    half = math.sqrt(spread**2 + (scale / 16) ** 2 + (ends / 16) ** 2)
    combined = (
        metrics["energy/per_image_j_combined_low"],
        metrics["energy/per_image_j_combined_high"],
    )
    assert combined == pytest.approx(above_zero(about(20.0, half)), rel=1e-9)


@pytest.mark.parametrize(
    "result",
    [
        pytest.param(replace(WHOLE, windows=WHOLE.windows[:1]), id="one window"),
        pytest.param(
            cpu_run(
                window(energy("cpu:0", 3.0, relative_error=0.1), energy("dram:0", 1.0)),
                window(energy("cpu:0", 4.0, relative_error=0.1), energy("dram:0", 1.0)),
            ),
            id="a meter that states no error",
        ),
    ],
)
def test_combined_interval_is_absent_where_a_part_is_not_known(result: Result) -> None:
    metrics = evaluate(result, PRICED)
    assert metrics["energy/per_image_j"] > 0
    assert not COMBINED & set(metrics)


def test_error_of_a_meter_that_does_not_count_is_not_asked_for() -> None:
    result = cpu_run(
        *[
            window(energy("cpu:0", j, relative_error=0.0), energy("cpu", 9.0, "model"))
            for j in (3, 4)
        ]
    )
    metrics = evaluate(result, ANY_MACHINE)
    assert metrics["energy/per_image_j_combined_low"] == pytest.approx(
        metrics["energy/per_image_j_ci_low"]
    )


def test_one_window_has_no_spread_over_windows() -> None:
    metrics = evaluate(replace(WHOLE, windows=WHOLE.windows[:1]), PRICED)
    spread = {name.partition("_ci_")[0] for name in metrics if "_ci_" in name}
    assert spread == {"accuracy/top1", "accuracy/top5"}


def test_figure_lies_within_its_interval() -> None:
    """One window of ten was ten times faster, and so holds ten times as many batches."""
    slow = [window(duration_s=1.0, images=10, latencies_s=[0.1] * 10)] * 9
    fast = [window(duration_s=1.0, images=100, latencies_s=[0.01] * 100)]
    metrics = evaluate(cpu_run(*slow, *fast), ANY_MACHINE)
    outside = [
        name
        for name, value in metrics.items()
        if f"{name}_ci_low" in metrics
        and not metrics[f"{name}_ci_low"] <= value <= metrics[f"{name}_ci_high"]
    ]
    assert outside == []
