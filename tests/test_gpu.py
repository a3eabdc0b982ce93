"""What only a CUDA device can show; `make gpu-check` runs it where there is one."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hydra import compose, initialize_config_dir

from greenexp import metrics
from greenexp.config import Hardware, config_dir, register, settings, typed
from greenexp.energy import energy_source
from greenexp.experiment import run
from greenexp.measure import experiment

pytestmark = pytest.mark.gpu


def result_of(*overrides: str):
    """Runs one cell on the GPU in this process; returns its result and metrics."""
    register()
    with initialize_config_dir(str(config_dir()), version_base="1.3"):
        configuration = settings(compose("config", overrides=["device=cuda", *overrides]))
    result = run(experiment(configuration))
    return result, metrics.evaluate(result, typed(configuration, "hardware", Hardware))


@pytest.mark.parametrize(
    "tactic", ["baseline", "dynamic_quantization", "torch_compile", "local_pruning"]
)
def test_gpu_energy_and_utilization_are_measured(tactic: str) -> None:
    result, figures = result_of(f"tactic={tactic}", "workload.batch_size=64")
    assert result.device == "cuda"
    assert figures["accuracy/top1"] > 0.8
    assert figures["energy/gpu_per_image_j"] > 0
    assert 0 <= figures["utilization/gpu_pct"] <= 100
    assert "gpu:counter" in energy_source(result)
    if tactic == "dynamic_quantization":
        assert result.effect["backend"] == "torchao"


def test_counter_and_integrated_power_agree() -> None:
    """NVML's counter and its power integrated over 3 s windows are two roads to one energy."""
    result, _ = result_of("workload.min_seconds=3", "workload.batch_size=64")
    for window in result.windows:
        joules = {r.source: r.value for r in window.readings if r.quantity == "energy_j"
                  and r.component == "gpu:0"}  # fmt: skip
        assert joules["sampled"] == pytest.approx(joules["counter"], rel=0.2)


def test_windows_are_as_long_as_nvml_needs() -> None:
    """`workload=quick` asks for half a second, of which the GPU's sensor tells nothing."""
    result, figures = result_of("workload.batch_size=64")
    for window in result.windows:
        assert window.duration_s >= 5.0
        assert len(window.latencies_s) >= 32
    assert figures["energy/per_image_j_combined_low"] < figures["energy/per_image_j"]
    quantities = {r.quantity for window in result.windows for r in window.readings}
    assert {"clock_mhz", "gpu_throttled_pct", "other_gpu_processes"} <= quantities


def test_cpu_run_beside_a_gpu_counts_no_gpu() -> None:
    register()
    with initialize_config_dir(str(config_dir()), version_base="1.3"):
        configuration = settings(compose("config", overrides=["device=cpu"]))
    result = run(replace(experiment(configuration), device="cpu"))
    figures = metrics.evaluate(result, typed(configuration, "hardware", Hardware))
    assert "energy/gpu_per_image_j" not in figures
