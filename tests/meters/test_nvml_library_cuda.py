"""A run on the GPU, as far as its accounting goes: torch computes on the CPU."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

import pytest

from greenexp.runs.energy import energy_source
from greenexp.runs.journal import Record
from greenexp.runs.result import Result, from_json
from tests.support.nvml_machine import P100, V100, Gpu, Machine
from tests.support.nvml_runs import HEAT, NEEDS_COMPILER, QUICK, doubts, figures, levels

pytestmark = NEEDS_COMPILER

RUN_ON_CUDA = """
import json, sys
from dataclasses import asdict

import torch
from hydra import compose, initialize_config_dir

to = torch.Tensor.to


def stays_on_the_cpu(tensor, *arguments, **named):
    devices = [torch.device("cpu") if device_of(one) == "cuda" else one for one in arguments]
    return to(tensor, *devices, **named)


def device_of(argument):
    is_device = isinstance(argument, (str, torch.device))
    return torch.device(argument).type if is_device else None


torch.Tensor.to = stays_on_the_cpu
torch.cuda.is_available = lambda: True
torch.cuda.is_initialized = lambda: True
torch.cuda.current_device = lambda: 0
torch.cuda.get_device_name = lambda index: sys.argv[1]
torch.cuda.synchronize = lambda: None

from greenexp.cli.compose import register, settings
from greenexp.settings.conf import config_dir
from greenexp.measuring.experiment import run
from greenexp.measuring.child import experiment
from greenexp.runs.result import to_json

register()
with initialize_config_dir(str(config_dir()), version_base="1.3"):
    configuration = settings(compose("config", overrides=["device=cuda", *sys.argv[2:]]))
result = run(experiment(configuration))
print(json.dumps([json.loads(to_json(result)), configuration]))
"""
TWO_WINDOWS = ["workload.min_windows=2", "workload.max_windows=2"]


def run_on_cuda(machine: Machine, gpus: Sequence[Gpu], **driver: object) -> Record:
    words = ["-c", RUN_ON_CUDA, gpus[0].name, *QUICK, *TWO_WINDOWS]
    done = machine.command(gpus, *words, **driver)
    assert done.returncode == 0, done.stderr
    result, configuration = json.loads(done.stdout.splitlines()[-1])
    return Record("", "", "", None, {}, configuration, "", "", from_json(json.dumps(result)))


def planted_j_per_image(result: Result, gpu: Gpu) -> float:
    seconds = sum(window.duration_s for window in result.windows)
    return gpu.power_w * seconds / sum(window.images for window in result.windows)


OWN = {"processes": 1}  # the run itself, as NVML lists it


@pytest.mark.slow
@pytest.mark.parametrize(
    ("gpu", "source", "against"),
    [
        pytest.param(replace(V100, **OWN), "gpu:counter", set(), id="counter"),
        pytest.param(replace(P100, **OWN), "gpu:sampled", set(), id="no_counter"),
        pytest.param(
            replace(V100, processes=2, throttle_reasons=HEAT),
            "gpu:counter",
            {"gpu_shared", "gpu_throttled", "busy_at_start:gpu_shared"},
            id="hot_and_shared",
        ),
    ],
)
def test_run_on_a_gpu_is_accounted(
    machine: Machine, gpu: Gpu, source: str, against: set[str]
) -> None:
    beside = replace(P100, name="Simulated P100 beside", throttle_reasons=HEAT, processes=1)
    record = run_on_cuda(machine, [gpu, beside])
    result, told = record.result, figures(record)
    assert result.device == "cuda"
    assert "gpu:0" in result.components
    assert told["energy/gpu_per_image_j"] == pytest.approx(
        planted_j_per_image(result, gpu), rel=0.03
    )
    assert told["utilization/gpu_pct"] == pytest.approx(gpu.utilization_pct)
    assert told["memory/peak_mib"] == gpu.memory_mib
    assert source in (energy_source(result) or "").split("+")
    assert {doubt for doubt in doubts(record) if "gpu" in doubt or "energy" in doubt} == against
    for window in result.windows:
        assert window.duration_s >= 5.0
        assert len(window.latencies_s) >= 32
        assert levels(window, "gpu:1")["other_gpu_processes"] == 1
    assert result.environment["gpus"] == [gpu.name]
    assert result.environment["gpu_driver"] == "999.0"
