"""Metrics of built results: known answers, what is absent stays absent, sources don't mix."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
from builders import ANY_MACHINE, cpu_run, cuda_run, energy, hardware, level, phase, window
from hypothesis import given
from hypothesis import strategies as st

from greenexp.energy import energy_source
from greenexp.metrics import cost_holds, evaluate
from greenexp.protocols import Reading
from greenexp.result import OUTCOMES, Complexity, Phase, Predictions, Result, Window
from greenexp.schema import Hardware, Interference
from greenexp.stats import mean_interval, proportion_interval, ratio_interval
from greenexp.validity import validity

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
T1 = 12.706204736174694  # Student's t at 0.975 with 1 degree of freedom, from tables


def about(figure: float, half_width: float) -> tuple[float, float]:
    return figure - half_width, figure + half_width


def times(factor: float, interval: tuple[float, float] | None) -> tuple[float, float]:
    assert interval is not None
    return factor * interval[0], factor * interval[1]


USD_PER_S = 2 / 3600  # half of the instance, half of the hours
USD_PER_J = 0.3 / 3.6e6
INTERVALS = {
    "accuracy/top1": proportion_interval(2, 4),
    "accuracy/top5": proportion_interval(3, 4),
    "latency/mean_ms": mean_interval([25.0, 30.0]),
    "latency/p50_ms": mean_interval([25.0, 25.0]),
    "latency/p90_ms": about(46.0, 7.0 * T1),  # 37 and 51 in the windows
    "latency/p99_ms": about(58.6, 9.7 * T1),  # 39.7 and 59.1
    # By hand: 3.2 images/s, residuals 8 - 3.2 x 2 and 8 - 3.2 x 3.
    "throughput/images_per_s": about(3.2, 0.64 * T1),
    "energy/per_image_j": mean_interval([124 / 8, 196 / 8]),
    "energy/net_per_image_j": mean_interval([(124 - 50) / 8, (196 - 75) / 8]),
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
COMBINED = {f"energy/per_image_j_combined_{end}" for end in ("low", "high")}


@pytest.mark.parametrize("name", KNOWN)
def test_known_answer(name: str) -> None:
    assert evaluate(WHOLE, PRICED)[name] == pytest.approx(KNOWN[name], rel=1e-12)


@pytest.mark.parametrize("name", INTERVALS)
def test_known_interval(name: str) -> None:
    metrics = evaluate(WHOLE, PRICED)
    interval = metrics[f"{name}_ci_low"], metrics[f"{name}_ci_high"]
    assert interval == pytest.approx(INTERVALS[name], rel=1e-12)


def test_no_name_that_the_design_does_not_fix() -> None:
    bounds = {f"{name}_ci_{end}" for name in INTERVALS for end in ("low", "high")}
    assert set(evaluate(WHOLE, PRICED)) == set(KNOWN) | bounds | COMBINED


def figure(name: str) -> str:
    """Returns the name of the figure that a name's interval belongs to."""
    return name.partition("_ci_")[0].partition("_combined_")[0]


def test_combined_interval_adds_spread_scale_and_ends_in_squares() -> None:
    metrics = evaluate(WHOLE, PRICED)
    spread = (metrics["energy/per_image_j_ci_high"] - metrics["energy/per_image_j_ci_low"]) / 2
    scale = 0.05 * 260 + 0.1 * 50 + 0.1 * 10  # one sided error in all windows: J add up
    ends = math.hypot(3.0, 4.0)  # of each window anew: J add up in squares
    half = math.sqrt(spread**2 + (scale / 16) ** 2 + (ends / 16) ** 2)
    combined = (
        metrics["energy/per_image_j_combined_low"],
        metrics["energy/per_image_j_combined_high"],
    )
    assert combined == pytest.approx(about(20.0, half), rel=1e-12)


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
    assert interval == pytest.approx(ratio_interval([8.0, 20.0, 12.0], [2.0, 4.0, 2.0]))
    assert interval[1] > interval[0]


def test_net_energy_holds_the_spread_of_the_idle_power_too() -> None:
    metrics = evaluate(RESTED, ANY_MACHINE)
    net_j = [100 - 5.0 * 4, 130 - 5.0 * 6]
    low, high = mean_interval([joules / 10 for joules in net_j]) or (math.nan, math.nan)
    idle_half = (metrics["power/idle_w_ci_high"] - metrics["power/idle_w_ci_low"]) / 2
    half = math.hypot((high - low) / 2, idle_half * 10.0 / 20)  # 10 s over 20 images
    net = metrics["energy/net_per_image_j"]
    assert net == pytest.approx(sum(net_j) / 20)
    interval = metrics["energy/net_per_image_j_ci_low"], metrics["energy/net_per_image_j_ci_high"]
    assert interval == pytest.approx(about(net, half))


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


ENERGY = {name for name in KNOWN if name.startswith(("energy/", "power/", "carbon/"))}


@pytest.mark.parametrize(
    ("result", "preset", "absent"),
    [
        pytest.param(
            without(WHOLE, quantity="energy_j"),
            PRICED,
            ENERGY
            | {
                "cost/electricity_usd_per_million_images",
                "optimization/energy_j",
                "run/energy_j",
            },
            id="no energy",
        ),
        pytest.param(
            without(WHOLE, component="gpu"),
            PRICED,
            {"energy/gpu_per_image_j", "utilization/gpu_pct"},
            id="no GPU",
        ),
        pytest.param(
            without(WHOLE, component="cpu"),
            PRICED,
            {
                "energy/cpu_per_image_j",
                "utilization/cpu_pct",
                "interference/steal_pct",
                "interference/other_processes_pct",
            },
            id="no reading of the CPU",
        ),
        pytest.param(
            without(WHOLE, quantity="utilization_pct"),
            PRICED,
            {"utilization/gpu_pct", "utilization/cpu_pct"},
            id="no utilization",
        ),
        pytest.param(
            without(WHOLE, quantity="memory_mib"), PRICED, {"memory/peak_mib"}, id="no memory"
        ),
        pytest.param(
            replace(WHOLE, predictions=None),
            PRICED,
            {"accuracy/top1", "accuracy/top5"},
            id="no predictions",
        ),
        pytest.param(
            replace(WHOLE, after=replace(WHOLE.after, macs=None)),  # type: ignore[type-var]
            PRICED,
            {"complexity/macs"},
            id="operations not counted",
        ),
        pytest.param(
            replace(WHOLE, after=replace(WHOLE.after, sparsity=None)),  # type: ignore[type-var]
            PRICED,
            {"complexity/sparsity"},
            id="weights that can't be unpacked",
        ),
        pytest.param(
            replace(
                WHOLE,
                after=replace(WHOLE.after, macs=None, weights_in_memory_mib=None),  # type: ignore[type-var]
            ),
            PRICED,
            {"complexity/macs", "complexity/weights_in_memory_mib"},
            id="an engine",
        ),
        pytest.param(
            replace(WHOLE, phases=WHOLE.phases[1:]),
            PRICED,
            {"power/idle_w", "energy/net_per_image_j"},
            id="idle not watched",
        ),
        pytest.param(
            replace(WHOLE, phases=WHOLE.phases[:1]),
            PRICED,
            {"optimization/time_s", "optimization/energy_j", "optimization/cost_usd"},
            id="no optimization",
        ),
        pytest.param(
            WHOLE,
            ANY_MACHINE,
            {name for name in KNOWN if name.startswith(("cost/", "carbon/"))}
            | {"optimization/cost_usd", "run/cost_usd"},
            id="no prices",
        ),
        pytest.param(
            WHOLE,
            replace(PRICED, price=replace(PRICED.price, electricity_included=True)),
            {"cost/electricity_usd_per_million_images"},
            id="electricity inside the rent",
        ),
        pytest.param(
            replace(WHOLE, duration_s=None),
            PRICED,
            {"run/time_s", "run/energy_j", "run/cost_usd"},
            id="no duration",
        ),
        pytest.param(
            without(WHOLE, quantity="involuntary_switches_per_s"),
            PRICED,
            {"interference/involuntary_switches_per_s"},
            id="no switches",
        ),
    ],
)
def test_absent_is_absent(result: Result, preset: Hardware, absent: set[str]) -> None:
    metrics = evaluate(result, preset)
    names = set(metrics) & {figure(name) for name in metrics}
    assert set(KNOWN) - names == absent
    assert names <= set(KNOWN)


@pytest.mark.parametrize("outcome", [outcome for outcome in OUTCOMES if outcome != "ok"])
def test_failed_run_has_no_metrics(outcome: Any) -> None:
    failed = Result(outcome, reason="why")
    assert evaluate(failed, PRICED) == {}
    assert energy_source(failed) is None
    assert validity(failed, PRICED, Interference()) == []


def test_one_window_has_no_spread_over_windows() -> None:
    metrics = evaluate(replace(WHOLE, windows=WHOLE.windows[:1]), PRICED)
    spread = {name.partition("_ci_")[0] for name in metrics if "_ci_" in name}
    assert spread == {"accuracy/top1", "accuracy/top5"}


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


def test_memory_is_the_processs_on_a_cpu() -> None:
    assert evaluate(ON_CPU, PRICED)["memory/peak_mib"] == 6000.0


@pytest.mark.parametrize(
    ("preset", "result", "holds"),
    [
        pytest.param(PRICED, WHOLE, "machine+electricity", id="both"),
        pytest.param(PRICED, without(WHOLE, quantity="energy_j"), "machine", id="no energy"),
        pytest.param(hardware(price={"usd_per_kwh": 0.2}), WHOLE, "electricity", id="no rent"),
        pytest.param(ANY_MACHINE, WHOLE, None, id="no price"),
    ],
)
def test_cost_holds(preset: Hardware, result: Result, holds: str | None) -> None:
    assert cost_holds(result, preset) == holds


L4 = Hardware(gpu="L4", gpu_count=1)


@pytest.mark.parametrize(
    ("result", "preset", "doubts"),
    [
        pytest.param(cpu_run(), ANY_MACHINE, [], id="valid"),
        pytest.param(
            cpu_run(doubts=["warmup_not_settled"]), ANY_MACHINE, ["warmup_not_settled"], id="doubt"
        ),
        pytest.param(cpu_run(), L4, ["hardware_mismatch"], id="GPU priced, CPU ran"),
        pytest.param(
            cuda_run(environment={"gpus": ["NVIDIA L40S"]}), L4, ["hardware_mismatch"], id="L40S"
        ),
        pytest.param(cuda_run(environment={"gpus": ["NVIDIA L4"]}), L4, [], id="the GPU priced"),
        pytest.param(cuda_run(), L4, ["hardware_mismatch"], id="GPU not known"),
        pytest.param(
            cpu_run(environment={"cpu": "Xeon 8488C"}), Hardware(cpu="8488C"), [], id="the CPU"
        ),
        pytest.param(
            cpu_run(doubts=["warmup_not_settled"]),
            L4,
            ["warmup_not_settled", "hardware_mismatch"],
            id="two doubts",
        ),
    ],
)
def test_validity(result: Result, preset: Hardware, doubts: list[str]) -> None:
    assert validity(result, preset, Interference()) == doubts


positive = st.floats(1e-6, 1e6)
readings = st.lists(
    st.one_of(
        st.builds(
            energy,
            st.sampled_from(["gpu:0", "gpu:1", "cpu", "cpu:0", "dram:0"]),
            positive,
            st.sampled_from(["counter", "sampled", "model"]),
            relative_error=st.none() | st.floats(0, 1),
            resolution=st.none() | positive,
        ),
        st.builds(level, st.just("utilization_pct"), st.just("cpu"), st.floats(0, 100)),
        st.builds(level, st.just("memory_mib"), st.just("process"), positive),
    ),
    max_size=6,
)
windows = st.builds(
    Window,
    start_s=positive,
    duration_s=positive,
    images=st.integers(1, 1000),
    latencies_s=st.lists(positive, min_size=1, max_size=5),
    readings=readings,
)
phases = st.builds(Phase, st.sampled_from(["idle", "optimize"]), positive, positive, readings)
results = st.builds(
    cuda_run, windows, windows, phases=st.lists(phases, max_size=2), device=st.just("cuda")
)


@given(results)
def test_every_metric_is_finite_and_named(result: Result) -> None:
    metrics = evaluate(result, PRICED)
    assert [name for name, value in metrics.items() if not math.isfinite(value)] == []
    assert {figure(name) for name in metrics} <= set(KNOWN)


@given(results)
def test_every_interval_is_about_its_figure(result: Result) -> None:
    metrics = evaluate(result, PRICED)
    for kind in ("ci", "combined"):
        for name in {
            name.removesuffix(f"_{kind}_low") for name in metrics if f"_{kind}_low" in name
        }:
            low, high = metrics[f"{name}_{kind}_low"], metrics[f"{name}_{kind}_high"]
            slack = 1e-9 * max(abs(low), abs(high))
            assert low - slack <= metrics[name] <= high + slack


@given(results)
def test_combined_interval_holds_the_spread(result: Result) -> None:
    metrics = evaluate(result, PRICED)
    name = "energy/per_image_j"
    if f"{name}_combined_low" in metrics:
        slack = 1e-9 * metrics[name]
        assert metrics[f"{name}_combined_low"] <= metrics[f"{name}_ci_low"] + slack
        assert metrics[f"{name}_combined_high"] >= metrics[f"{name}_ci_high"] - slack


@given(results, st.floats(0.1, 10.0))
def test_cost_scales_with_the_rent(result: Result, factor: float) -> None:
    name = "cost/machine_usd_per_million_images"
    price = replace(PRICED.price, usd_per_hour=factor * 2.0)
    dearer = evaluate(result, replace(PRICED, price=price))
    assert dearer[name] == pytest.approx(factor * evaluate(result, PRICED)[name])


@given(results)
def test_components_are_within_the_total(result: Result) -> None:
    metrics = evaluate(result, PRICED)
    parts = [metrics.get(f"energy/{kind}_per_image_j", 0.0) for kind in ("gpu", "cpu")]
    assert sum(parts) <= metrics.get("energy/per_image_j", 0.0) * (1 + 1e-9)
