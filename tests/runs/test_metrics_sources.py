"""Which readings count: sources, components, idle power, and what is in no total."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from greenexp.protocols import Reading
from greenexp.runs.energy import energy_source
from greenexp.runs.metrics import cost_holds, evaluate
from greenexp.runs.result import Phase, Result
from greenexp.stats.intervals import mean_interval, on_logarithms, ratio_interval
from tests.support.builders import (
    ANY_MACHINE,
    cpu_run,
    cuda_run,
    energy,
    hardware,
    level,
    phase,
    window,
)
from tests.support.whole_run import PRICED, WHOLE, about, figure, without

IDLE_SLICES = [
    phase("idle", 2.0, energy("cpu:0", 8.0)),
    phase("idle", 4.0, energy("cpu:0", 20.0)),
    phase("idle", 2.0, energy("cpu:0", 12.0)),
]
RESTED = cpu_run(
    window(energy("cpu:0", 100.0), duration_s=4.0, images=10),
    window(energy("cpu:0", 130.0), duration_s=6.0, images=10),
    phases=IDLE_SLICES,
)


def test_idle_power_has_an_interval_over_its_slices() -> None:
    metrics = evaluate(RESTED, ANY_MACHINE)
    assert metrics["power/idle_w"] == pytest.approx(40 / 8)
    interval = metrics["power/idle_w_ci_low"], metrics["power/idle_w_ci_high"]
    about_mean = ratio_interval([8.0, 20.0, 12.0], [2.0, 4.0, 2.0])
    assert interval == pytest.approx(on_logarithms(5.0, about_mean))
    assert interval[1] > interval[0]


def test_net_energy_holds_the_spread_of_the_idle_power_too() -> None:
    metrics = evaluate(RESTED, ANY_MACHINE)
    net_j = [100 - 5.0 * 4, 130 - 5.0 * 6]
    low, high = mean_interval([joules / 10 for joules in net_j]) or (math.nan, math.nan)
    of_idle = ratio_interval([8.0, 20.0, 12.0], [2.0, 4.0, 2.0]) or (math.nan, math.nan)
    idle_half = (of_idle[1] - of_idle[0]) / 2
    half = math.hypot((high - low) / 2, idle_half * 10.0 / 20)  # 10 s over 20 images
    net = metrics["energy/net_per_image_j"]
    assert net == pytest.approx(sum(net_j) / 20)
    interval = metrics["energy/net_per_image_j_ci_low"], metrics["energy/net_per_image_j_ci_high"]
    assert interval == pytest.approx(about(net, half))


def test_net_energy_of_a_block_is_less_what_its_parked_runs_take() -> None:
    parked = [
        phase("parked", 2.0, energy("cpu:0", 14.0)),
        phase("parked", 2.0, energy("cpu:0", 18.0)),
    ]
    metrics = evaluate(replace(RESTED, phases=[*IDLE_SLICES, *parked]), ANY_MACHINE)
    assert metrics["power/idle_w"] == pytest.approx(40 / 8)
    assert metrics["power/parked_w"] == pytest.approx(32 / 4)
    assert metrics["energy/per_image_j"] == pytest.approx(230 / 20)
    assert metrics["energy/net_per_image_j"] == pytest.approx((230 - 8.0 * 10) / 20)


@pytest.mark.parametrize(
    "phases",
    [
        pytest.param([*IDLE_SLICES[:2], phase("idle", 2.0)], id="not measured"),
        pytest.param(
            [*IDLE_SLICES[:2], phase("idle", 2.0, energy("cpu", 9.0, "model"))], id="another source"
        ),
    ],
)
def test_idle_power_needs_every_slice(phases: list[Phase]) -> None:
    metrics = evaluate(replace(RESTED, phases=phases), ANY_MACHINE)
    assert not {"power/idle_w", "energy/net_per_image_j"} & {figure(name) for name in metrics}


@pytest.mark.parametrize(
    "phases",
    [
        pytest.param([*IDLE_SLICES, phase("load", 3.0)], id="a phase not measured"),
        pytest.param(
            [*IDLE_SLICES, phase("load", 3.0, energy("cpu", 9.0, "model"))], id="by another source"
        ),
    ],
)
def test_run_has_no_total_of_what_was_not_all_measured(phases: list[Phase]) -> None:
    result = replace(RESTED, phases=phases, duration_s=30.0)
    metrics = evaluate(result, hardware(price={"usd_per_hour": 1.0, "usd_per_kwh": 0.2}))
    assert metrics["run/time_s"] == 30.0
    assert not {"run/energy_j", "run/cost_usd"} & set(metrics)


def test_run_of_an_old_record_has_no_time() -> None:
    assert not [name for name in evaluate(RESTED, PRICED) if name.startswith("run/")]


@pytest.mark.parametrize(
    ("readings", "joules", "source"),
    [
        pytest.param([energy("cpu", 5.0, "model")], 5.0, "cpu:model", id="the model alone"),
        pytest.param(
            [energy("cpu", 5.0, "model"), energy("cpu:0", 3.0)], 3.0, "cpu:counter", id="counter"
        ),
        pytest.param(
            [energy("cpu", 5.0, "model"), energy("cpu", 4.0, "sampled")],
            4.0,
            "cpu:sampled",
            id="sampled before model",
        ),
        pytest.param(
            [energy("cpu:0", 3.0), energy("cpu:1", 4.0), energy("cpu", 9.0, "model")],
            7.0,
            "cpu:counter",
            id="two packages",
        ),
        pytest.param(
            [energy("cpu", 5.0, "model"), energy("dram:0", 1.0)],
            6.0,
            "cpu:model+dram:counter",
            id="each component by its own source",
        ),
    ],
)
def test_most_direct_source_counts(readings: list[Reading], joules: float, source: str) -> None:
    result = cpu_run(window(*readings, images=1))
    assert evaluate(result, ANY_MACHINE)["energy/per_image_j"] == joules
    assert energy_source(result) == source


def test_two_meters_of_one_source_count_once() -> None:
    """Zeus integrates the power of a GPU without a counter; so does the NVML meter."""
    result = cuda_run(
        window(
            energy("gpu:0", 100.0, "sampled", "zeus"),
            energy("gpu:0", 100.0, "sampled", "nvml"),
            images=1,
        )
    )
    assert evaluate(result, ANY_MACHINE)["energy/gpu_per_image_j"] == pytest.approx(100.0)


def test_several_gpus_add_up() -> None:
    result = cuda_run(
        window(energy("gpu:0", 3.0), energy("gpu:1", 4.0), images=1),
        components=["gpu:0", "gpu:1"],
    )
    assert evaluate(result, ANY_MACHINE)["energy/gpu_per_image_j"] == 7.0


def test_no_gpu_is_left_out_of_the_sum() -> None:
    """A GPU without a counter beside one that has it: 3 J alone would be half the truth."""
    result = cuda_run(
        window(energy("gpu:0", 3.0), energy("gpu:1", 4.0, "sampled"), images=1),
        components=["gpu:0", "gpu:1"],
    )
    assert evaluate(result, ANY_MACHINE).get("energy/gpu_per_image_j") in (None, 7.0)


def beside(result: Result) -> Result:
    """Returns the result of a machine with another GPU, which stood idle."""
    idle = [
        energy("gpu:1", 1e6),
        level("utilization_pct", "gpu:1", 100.0),
        level("memory_mib", "gpu:1", 1e6),
    ]
    return replace(
        result,
        phases=[replace(part, readings=[*part.readings, *idle]) for part in result.phases],
        windows=[replace(part, readings=[*part.readings, *idle]) for part in result.windows],
    )


ON_CPU = without(
    replace(WHOLE, device="cpu", components=["cpu", "dram", "process"]), component="gpu"
)


@pytest.mark.parametrize(
    "result", [pytest.param(WHOLE, id="cuda run"), pytest.param(ON_CPU, id="cpu run")]
)
def test_unused_gpu_changes_nothing(result: Result) -> None:
    assert evaluate(beside(result), PRICED) == evaluate(result, PRICED)
    assert energy_source(beside(result)) == energy_source(result)
    assert cost_holds(beside(result), PRICED) == cost_holds(result, PRICED)


def test_unused_gpu_brings_no_dollars() -> None:
    blind = beside(without(ON_CPU, quantity="energy_j"))
    preset = hardware(price={"usd_per_kwh": 0.2})
    assert not [name for name in evaluate(blind, preset) if name.startswith("cost/")]
    assert cost_holds(blind, preset) is None


def test_net_is_gross_less_idle() -> None:
    metrics = evaluate(WHOLE, PRICED)
    seconds_per_image = 1 / metrics["throughput/images_per_s"]
    assert metrics["energy/net_per_image_j"] == pytest.approx(
        metrics["energy/per_image_j"] - metrics["power/idle_w"] * seconds_per_image
    )


@pytest.mark.parametrize(
    "idle",
    [
        pytest.param(phase("idle", 1.0, energy("cpu:0", 1.0)), id="by another source"),
        pytest.param(phase("idle", 1.0), id="not measured"),
        pytest.param(phase("idle", 0.0, energy("cpu", 0.0, "model")), id="no time"),
    ],
)
def test_idle_that_can_not_be_subtracted(idle: Phase) -> None:
    result = cpu_run(window(energy("cpu", 5.0, "model")), phases=[idle])
    metrics = evaluate(result, ANY_MACHINE)
    assert "energy/per_image_j" in metrics
    assert not {"power/idle_w", "energy/net_per_image_j"} & set(metrics)


DRAM_ONCE = cpu_run(
    window(energy("cpu:0", 10.0), energy("dram:0", 5.0), images=1),
    window(energy("cpu:0", 10.0), images=1),
    phases=[phase("idle", 1.0, energy("cpu:0", 4.0), energy("dram:0", 3.0))],
)


def test_component_missing_in_a_window_is_in_no_total() -> None:
    metrics = evaluate(DRAM_ONCE, hardware(price={"usd_per_kwh": 3.6}))
    assert metrics["energy/per_image_j"] == 10.0
    assert energy_source(DRAM_ONCE) == "cpu:counter"


def test_dollars_hold_the_joules_shown() -> None:
    metrics = evaluate(DRAM_ONCE, hardware(price={"usd_per_kwh": 3.6}, g_per_kwh=3.6))
    joules = metrics["energy/per_image_j"] * 1e6
    assert metrics["cost/electricity_usd_per_million_images"] == pytest.approx(joules * 1e-6)
    assert metrics["carbon/g_per_million_images"] == pytest.approx(joules * 1e-6)


def test_idle_holds_the_components_of_the_total() -> None:
    metrics = evaluate(DRAM_ONCE, ANY_MACHINE)
    assert metrics["power/idle_w"] == 4.0
    assert metrics["energy/net_per_image_j"] == 6.0


def test_sources_do_not_mix_between_windows() -> None:
    """A counter that stood still in one window leaves the estimate; 10 J + 50 J are no total."""
    result = cpu_run(
        window(energy("cpu:0", 10.0), energy("cpu", 40.0, "model"), images=1),
        window(energy("cpu", 50.0, "model"), images=1),
    )
    source = energy_source(result)
    per_image_j = evaluate(result, ANY_MACHINE).get("energy/per_image_j")
    assert (source, per_image_j) in {("cpu:model", 45.0), (None, None)}


def test_memory_is_the_processs_on_a_cpu() -> None:
    assert evaluate(ON_CPU, PRICED)["memory/peak_mib"] == 6000.0
