"""What only a CUDA device can show; `make gpu-check` runs it where there is one."""

from __future__ import annotations

from dataclasses import replace

import psutil
import pytest
import torch
from hydra import compose, initialize_config_dir
from torch import nn

from greenexp.cli.compose import register, settings
from greenexp.measuring import isolation
from greenexp.measuring.child import experiment
from greenexp.measuring.experiment import run
from greenexp.measuring.isolated import isolated
from greenexp.protocols import Sample, Tactic
from greenexp.runs import metrics
from greenexp.runs.energy import energy_source
from greenexp.settings.build import typed
from greenexp.settings.conf import config_dir
from greenexp.settings.hardware import Hardware
from greenexp.tactics.complexity import complexity, count_macs
from greenexp.tactics.layout import ChannelsLast
from greenexp.tactics.precision import HalfPrecision
from greenexp.tactics.quantization import Int4WeightOnly, Int8Dynamic, Int8WeightOnly
from greenexp.tactics.semi_structured_sparsity import SemiStructuredSparsity, two_of_four
from greenexp.tactics.structured_pruning import StructuredPruning
from tests.support.modules import embedded, error

pytestmark = pytest.mark.gpu


TWO_WINDOWS = ["workload.min_windows=2", "workload.max_windows=2"]  # five seconds each at least


def configured(*overrides: str):
    register()
    with initialize_config_dir(str(config_dir()), version_base="1.3"):
        return settings(compose("config", overrides=["device=cuda", *overrides]))


def result_of(*overrides: str):
    """Runs one cell on the GPU in this process; returns its result and metrics."""
    configuration = configured(*overrides, *TWO_WINDOWS)
    result = run(experiment(configuration))
    return result, metrics.evaluate(result, typed(configuration, "hardware", Hardware))


@pytest.mark.parametrize(
    "tactic",
    [
        "baseline",
        "channels_last",
        "dynamic_quantization",
        "half_precision",
        "int8_weight_only",
        "local_pruning",
        "torch_compile",
    ],
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
    configuration = configured("device=cpu")
    result = run(replace(experiment(configuration), device="cpu"))
    figures = metrics.evaluate(result, typed(configuration, "hardware", Hardware))
    assert "energy/gpu_per_image_j" not in figures


def test_isolated_run_holds_the_gpu_with_its_sources_and_leaves_no_process() -> None:
    """The child, where torch has a CUDA context, ends with all that Zeus started in it."""
    isolation.prepare()  # starts the server that children are forked from, which stays
    before = set(psutil.Process().children(recursive=True))
    configuration = configured("workload.batch_size=64", *TWO_WINDOWS)
    result = isolated(configuration)
    assert result.outcome == "ok", result.reason
    assert "gpu:0" in result.components
    assert result.environment["gpu_driver"]
    for window in result.windows:
        told = {(r.quantity, r.source, r.meter) for r in window.readings if r.component == "gpu:0"}
        sampled = {
            ("utilization_pct", "sampled", "nvml"),
            ("temperature_c", "sampled", "nvml"),
            ("memory_mib", "sampled", "nvml"),
        }
        energy = {("energy_j", "counter", "zeus"), ("energy_j", "sampled", "nvml")}
        assert sampled | energy <= told
    left = [
        process
        for process in psutil.Process().children(recursive=True)
        if process not in before and process.status() != psutil.STATUS_ZOMBIE
    ]
    assert left == []


@pytest.mark.parametrize(
    ("tactic", "within"),
    [
        pytest.param(HalfPrecision(), 0.05, id="bfloat16"),
        pytest.param(HalfPrecision("float16"), 0.01, id="float16"),
        pytest.param(HalfPrecision(method="autocast"), 0.05, id="autocast"),
        pytest.param(ChannelsLast(), 0.01, id="channels_last"),
        pytest.param(Int8Dynamic(), 0.05, id="int8_dynamic"),
        pytest.param(Int8WeightOnly(), 0.05, id="int8_weight_only"),
        pytest.param(Int4WeightOnly(), 0.15, id="int4_weight_only"),
        pytest.param(StructuredPruning(), None, id="structured_pruning"),
    ],
)
def test_tactic_keeps_its_logits_on_the_gpu(tactic: Tactic, within: float | None) -> None:
    sample = Sample(torch.randn(8, 3, 32, 32).cuda())
    with torch.no_grad():
        module = embedded("digits_vit").module.cuda()
        exact = module(sample.batch)
        before = complexity(module, sample.batch)
        changed = tactic(module, sample)
        logits = changed(sample.batch)
        after = complexity(changed, sample.batch)
    assert tactic.effect(changed)
    assert (logits.device.type, logits.dtype, logits.shape) == ("cuda", torch.float32, exact.shape)
    assert within is None or error(logits, exact) < within
    if not isinstance(tactic, Int4WeightOnly | StructuredPruning):
        assert after.macs == before.macs  # int4 kernels fill their columns up
    assert after.macs


def wide() -> nn.Module:
    """Layers of a size that sparse and int4 kernels take, and a head that they don't."""
    torch.manual_seed(0)
    layers = [nn.Linear(256, 512), nn.ReLU(), nn.Linear(512, 256), nn.Linear(256, 10)]
    return nn.Sequential(*layers).eval().requires_grad_(False)


def test_int4_takes_groups_of_256_on_the_gpu() -> None:
    """The CPU's format does not."""
    sample = Sample(torch.randn(64, 256).cuda())
    tactic = Int4WeightOnly(256)
    with torch.no_grad():
        exact = wide().cuda()(sample.batch)
        module = tactic(wide().cuda(), sample)
        logits = module(sample.batch)
    assert tactic.effect(module)["modules_converted"] == 2  # ten classes don't fit
    assert 0 < error(logits, exact) < 0.3


def test_sparse_cores_compute_what_dense_ones_do_with_the_zeros() -> None:
    batch = torch.randn(64, 256).cuda()
    tactic = SemiStructuredSparsity()
    with torch.no_grad():
        dense, module = wide().cuda(), wide().cuda()
        for layer in (dense[0], dense[2]):
            half = layer.weight.half()
            layer.weight.copy_(half * two_of_four(half))
        before = count_macs(dense, batch)
        sparse = tactic(module, Sample(batch))
        logits = sparse(batch)
        after = complexity(sparse, batch)
        exact = dense(batch)
    assert tactic.effect(sparse) == {"modules_sparse": 2, "linear_modules": 3, "pattern": "2:4"}
    assert (logits.dtype, logits.device.type) == (torch.float32, "cuda")
    assert error(logits, exact) < 0.01
    assert after.macs == before  # zeros count like any weight
    assert after.sparsity is not None
    assert after.sparsity == pytest.approx(0.5, abs=0.02)
    assert after.weights_in_memory_mib is not None
    assert after.weights_in_memory_mib < 0.4 * 4 * after.parameters / 2**20


def test_sparse_cores_run_a_whole_experiment() -> None:
    result, figures = result_of(
        "tactic=semi_structured_sparsity", "model=digits_swin", "workload.batch_size=64"
    )
    assert result.effect["modules_sparse"] >= 1
    assert figures["accuracy/top1"] > 0.5  # half of the weights went, untrained
