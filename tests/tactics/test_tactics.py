"""What all tactics share: their place among the protocols, and what they leave alone."""

from __future__ import annotations

import importlib.util
import sys
import tomllib
from collections.abc import Callable
from dataclasses import FrozenInstanceError
from pathlib import Path
from typing import get_args

import pytest
import torch
import yaml

from greenexp.protocols import Form, Tactic, Traits
from greenexp.settings.conf import config_dir
from greenexp.tactics.baseline import Baseline
from greenexp.tactics.chain import Chain
from greenexp.tactics.compilation import TorchCompile
from greenexp.tactics.layout import ChannelsLast
from greenexp.tactics.onnx_runtime import OnnxRuntime
from greenexp.tactics.openvino import OpenVino
from greenexp.tactics.precision import HalfPrecision
from greenexp.tactics.pruning import GlobalPruning, LocalPruning
from greenexp.tactics.quantization import (
    DynamicQuantization,
    Int4WeightOnly,
    Int8Dynamic,
    Int8WeightOnly,
)
from greenexp.tactics.running import BatchSize, Threads
from greenexp.tactics.semi_structured_sparsity import SemiStructuredSparsity
from greenexp.tactics.static_quantization import StaticQuantization
from greenexp.tactics.structured_pruning import StructuredPruning
from tests.support.modules import loaded, pixels, seen

QUICK: dict[str, Tactic] = {
    "baseline": Baseline(),
    "eager": DynamicQuantization("eager"),
    "torchao": DynamicQuantization("torchao"),
    "int8_dynamic": Int8Dynamic(),
    "int8_weight_only": Int8WeightOnly(),
    "int4_weight_only": Int4WeightOnly(),
    "bfloat16": HalfPrecision(),
    "float16": HalfPrecision("float16"),
    "autocast": HalfPrecision(method="autocast"),
    "channels_last": ChannelsLast(),
    "local_pruning": LocalPruning(0.5),
    "global_pruning": GlobalPruning(0.5),
    "structured_pruning": StructuredPruning(0.5),
    "batch_size": BatchSize(4),
    "threads": Threads(1),
    "chain": Chain([{"local_pruning": LocalPruning(0.5)}, {"int8_dynamic": Int8Dynamic()}]),
    "chain_without_steps": Chain([]),
}
SLOW: dict[str, Tactic] = {
    "torch_compile": TorchCompile(),
    "static_quantization": StaticQuantization(),
    "onnx_runtime": OnnxRuntime(),
    "onnx_runtime_int8": OnnxRuntime("int8"),
    "openvino": OpenVino(),
    "openvino_int8": OpenVino("int8"),
}
NOT_ON_THE_CPU: dict[str, Tactic] = {"semi_structured_sparsity": SemiStructuredSparsity()}
EVERY = QUICK | SLOW | NOT_ON_THE_CPU
ON_THE_CPU = [
    *(pytest.param(tactic, id=name) for name, tactic in QUICK.items()),
    *(pytest.param(tactic, id=name, marks=pytest.mark.slow) for name, tactic in SLOW.items()),
]
PYPROJECT = Path(__file__).parents[2] / "pyproject.toml"

pytestmark = pytest.mark.usefixtures("in_a_run")


def test_every_option_of_the_group_is_among_those_tested_here() -> None:
    files = sorted((config_dir() / "tactic").glob("*.yaml"))
    targets = {yaml.safe_load(file.read_text())["_target_"] for file in files}
    assert {
        f"{type(tactic).__module__}.{type(tactic).__name__}" for tactic in EVERY.values()
    } == targets


# What goes in and what comes out


@pytest.mark.parametrize("tactic", ON_THE_CPU)
def test_module_keeps_shape_type_and_device_of_its_logits(vit_folder: Path, tactic: Tactic) -> None:
    sample = seen(calibration=[pixels(), pixels()])
    given = sample.batch.clone()
    optimized = tactic(loaded(vit_folder), sample)
    with torch.inference_mode():
        logits = optimized(sample.batch)
    assert (logits.shape, logits.dtype, logits.device.type) == ((4, 3), torch.float32, "cpu")
    assert torch.isfinite(logits).all()
    assert torch.equal(sample.batch, given)
    assert not optimized.training
    assert not any(parameter.requires_grad for parameter in optimized.parameters())
    assert all(
        isinstance(value, str | int | float | bool) for value in tactic.effect(optimized).values()
    )


@pytest.mark.parametrize("tactic", ON_THE_CPU)
def test_one_call_leaves_the_logits_of_another_alone(vit_folder: Path, tactic: Tactic) -> None:
    """An engine could hand out its own memory, which its next call overwrites."""
    sample = seen(calibration=[pixels()])
    optimized = tactic(loaded(vit_folder), sample)
    with torch.inference_mode():
        first = optimized(sample.batch)
        kept = first.clone()
        optimized(10 * pixels())
        assert torch.equal(first, kept)
        again = optimized(sample.batch)
    torch.testing.assert_close(again, kept)


def test_baseline_changes_nothing_and_proves_nothing(vit_folder: Path) -> None:
    module = loaded(vit_folder)
    before = {name: value.clone() for name, value in module.state_dict().items()}
    assert Baseline()(module, seen()) is module
    assert Baseline().effect(module) == {}
    for name, value in module.state_dict().items():
        assert torch.equal(value, before[name])


# As planning sees them


@pytest.mark.parametrize("tactic", EVERY.values(), ids=EVERY)
def test_tactic_can_t_be_changed_after_it_is_made(tactic: Tactic) -> None:
    with pytest.raises(FrozenInstanceError):
        tactic.amount = 0.9


@pytest.mark.parametrize("tactic", EVERY.values(), ids=EVERY)
def test_tactic_says_what_planning_must_know(tactic: Tactic) -> None:
    assert isinstance(tactic, Tactic)
    traits = tactic.traits
    assert set(traits.makes) | set(traits.not_after) <= set(get_args(Form))
    assert set(traits.devices) <= {"cpu", "cuda"}
    assert traits.devices
    assert bool(traits.packages) == (traits.extra is not None)


@pytest.mark.parametrize(
    ("tactic", "traits"),
    [
        pytest.param(Baseline(), Traits(), id="baseline"),
        pytest.param(BatchSize(32), Traits(batch_size=32), id="batch_size"),
        pytest.param(Threads(3), Traits(threads=3), id="threads"),
    ],
)
def test_tactic_that_leaves_the_module_alone_asks_for_nothing_else(
    tactic: Tactic, traits: Traits
) -> None:
    assert tactic.traits == traits


@pytest.mark.parametrize(
    ("tactic", "devices"),
    [
        *(pytest.param(QUICK[name], ("cpu", "cuda"), id=name) for name in QUICK),
        pytest.param(TorchCompile(), ("cpu", "cuda"), id="torch_compile"),
        *(pytest.param(SLOW[name], ("cpu",), id=name) for name in SLOW if name != "torch_compile"),
        pytest.param(SemiStructuredSparsity(), ("cuda",), id="semi_structured_sparsity"),
    ],
)
def test_devices_are_those_with_kernels(tactic: Tactic, devices: tuple[str, ...]) -> None:
    assert tuple(tactic.traits.devices) == devices


@pytest.mark.parametrize(
    ("make", "images"),
    [
        pytest.param(lambda: StaticQuantization(calibration_images=7), 7, id="static"),
        pytest.param(lambda: OnnxRuntime("int8", calibration_images=7), 7, id="onnx_int8"),
        pytest.param(lambda: OnnxRuntime(calibration_images=7), 0, id="onnx_float32"),
        pytest.param(lambda: OpenVino("int8", calibration_images=7), 7, id="openvino_int8"),
        pytest.param(lambda: OpenVino("bfloat16", calibration_images=7), 0, id="openvino_bfloat16"),
    ],
)
def test_training_images_are_asked_for_where_scales_are_set(
    make: Callable[[], Tactic], images: int
) -> None:
    assert make().traits.calibration_images == images


@pytest.mark.parametrize(
    ("tactic", "packages", "extra"),
    [
        pytest.param(OnnxRuntime(), {"onnx", "onnxscript", "onnxruntime"}, "onnx", id="onnx"),
        pytest.param(OpenVino(), {"openvino"}, "openvino", id="openvino"),
        pytest.param(OpenVino("int8"), {"openvino", "nncf"}, "openvino", id="openvino_int8"),
    ],
)
def test_engine_names_packages_that_its_extra_installs(
    tactic: Tactic, packages: set[str], extra: str
) -> None:
    extras = tomllib.loads(PYPROJECT.read_text())["project"]["optional-dependencies"]
    installed = {requirement.partition(">")[0] for requirement in extras[extra]}
    assert (set(tactic.traits.packages), tactic.traits.extra) == (packages, extra)
    assert packages <= installed
    assert all(importlib.util.find_spec(package) for package in packages)


@pytest.mark.parametrize("make", [lambda: OnnxRuntime("int8"), lambda: OpenVino("int8")])
def test_engine_whose_package_is_missing_can_be_planned(
    monkeypatch: pytest.MonkeyPatch, make: Callable[[], Tactic]
) -> None:
    for package in make().traits.packages:
        monkeypatch.setitem(sys.modules, package, None)  # its import raises
    assert make().traits.packages
