"""Metrics of built results: known answers, what is absent stays absent, what holds for any."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenexp.runs.doubts import validity
from greenexp.runs.energy import energy_source
from greenexp.runs.metrics import cost_holds, evaluate
from greenexp.runs.result import OUTCOMES, Phase, Result, Window
from greenexp.settings.hardware import Hardware
from greenexp.settings.workload import Interference
from tests.support.builders import ANY_MACHINE, cpu_run, cuda_run, energy, hardware, level
from tests.support.whole_run import KNOWN, PRICED, WHOLE, figure, without

ENERGY = {name for name in KNOWN if name.startswith(("energy/", "power/", "carbon/"))}


@pytest.mark.parametrize("name", KNOWN)
def test_known_answer(name: str) -> None:
    assert evaluate(WHOLE, PRICED)[name] == pytest.approx(KNOWN[name], rel=1e-12)


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
