"""Sizes and operations, counted by hand."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode

from greenexp.protocols import Tactic
from greenexp.tactics.compilation import TorchCompile
from greenexp.tactics.complexity import (
    HoldsWeights,
    complexity,
    count_macs,
    memory_bytes,
    stored_bytes,
    weights,
)
from greenexp.tactics.engine import Engine
from greenexp.tactics.layout import ChannelsLast
from greenexp.tactics.onnx_runtime import OnnxRuntime
from greenexp.tactics.openvino import OpenVino
from greenexp.tactics.precision import HalfPrecision
from greenexp.tactics.pruning import LocalPruning
from greenexp.tactics.quantization import (
    DynamicQuantization,
    Int4WeightOnly,
    Int8Dynamic,
    Int8WeightOnly,
)
from greenexp.tactics.static_quantization import StaticQuantization
from tests.support.modules import SparseOnCpu, as_in_a_run, beside, embedded, loaded, pixels, seen

INT8 = [
    pytest.param(DynamicQuantization("eager"), id="eager"),
    pytest.param(DynamicQuantization("torchao"), id="torchao"),
    pytest.param(Int8WeightOnly(), id="int8_weight_only"),
]
MIB = 2**20


@pytest.fixture(autouse=True)
def _as_in_a_run() -> Iterator[None]:
    with as_in_a_run():
        yield


def linear(bias: bool = True) -> nn.Module:
    """256 x 256 weights and 256 biases."""
    return nn.Sequential(nn.Linear(256, 256, bias=bias)).eval().requires_grad_(False)


def rows(count: int = 2) -> torch.Tensor:
    return torch.randn(count, 256)


# Multiply-accumulates


@pytest.mark.parametrize("count", [1, 3], ids=["one_image", "batch"])
@pytest.mark.parametrize(
    ("make", "shape", "macs"),
    [
        pytest.param(lambda: nn.Linear(10, 5), (10,), 10 * 5, id="linear"),
        pytest.param(lambda: nn.Linear(10, 5, bias=False), (10,), 10 * 5, id="linear_no_bias"),
        pytest.param(lambda: nn.Linear(10, 5), (7, 10), 7 * 10 * 5, id="linear_over_tokens"),
        pytest.param(
            lambda: nn.Conv2d(3, 8, 3, padding=1), (3, 16, 16), 16 * 16 * 8 * 3 * 9, id="conv"
        ),
        pytest.param(
            lambda: nn.Conv2d(3, 8, 4, stride=4), (3, 16, 16), 4 * 4 * 8 * 3 * 16, id="strided"
        ),
        pytest.param(
            lambda: nn.Conv2d(8, 8, 3, padding=1, groups=8),
            (8, 16, 16),
            16 * 16 * 8 * 9,
            id="depthwise",
        ),
        pytest.param(
            lambda: nn.Conv2d(8, 12, 1, groups=4), (8, 5, 5), 5 * 5 * 12 * 2, id="grouped"
        ),
        pytest.param(lambda: nn.Sequential(nn.ReLU()), (9,), 0, id="element_wise"),
        pytest.param(lambda: nn.Upsample(scale_factor=2, mode="bilinear"), (3, 4, 4), 0, id="up"),
        pytest.param(
            lambda: nn.Sequential(nn.Conv2d(3, 4, 1), nn.Flatten(), nn.Linear(16, 2)),
            (3, 2, 2),
            2 * 2 * 4 * 3 + 16 * 2,
            id="several",
        ),
    ],
)
def test_macs_of_layers_are_those_of_one_image(
    make: Callable[[], nn.Module], shape: tuple[int, ...], macs: int, count: int
) -> None:
    assert count_macs(make().eval(), torch.randn(count, *shape)) == macs


@pytest.mark.parametrize("inference", [False, True], ids=["no_grad", "inference_mode"])
@pytest.mark.parametrize(
    "attention",
    [pytest.param("eager", id="by_matrix_products"), pytest.param("sdpa", id="by_fused_kernel")],
)
def test_macs_of_a_transformer_include_its_attention(
    vit_folder: Path, attention: str, inference: bool
) -> None:
    module = loaded(vit_folder)
    module.model.set_attn_implementation(attention)
    patches = 16 * (3 * 8 * 8) * 16
    tokens = 16 + 1
    projections = tokens * 4 * 16 * 16
    products = 2 * tokens * tokens * 16
    mlp = tokens * 2 * 16 * 32
    head = 16 * 3
    with torch.inference_mode(inference):
        macs = count_macs(module, pixels(2))
    assert macs == patches + projections + products + mlp + head


SAME = [
    *INT8,
    pytest.param(Int8Dynamic(), id="int8_dynamic"),
    pytest.param(Int4WeightOnly(), id="int4_weight_only"),
    pytest.param(HalfPrecision(), id="bfloat16"),
    pytest.param(HalfPrecision("float16"), id="float16"),
    pytest.param(HalfPrecision(method="autocast"), id="autocast"),
    pytest.param(ChannelsLast(), id="channels_last"),
    pytest.param(LocalPruning(0.5), id="pruning_computes_with_its_zeros"),
    pytest.param(StaticQuantization(), id="static_quantization"),
    pytest.param(StaticQuantization(linear=False), id="static_quantization_of_convolutions"),
]


@pytest.mark.parametrize("tactic", SAME)
@pytest.mark.parametrize("family", ["vit_folder", "resnet_folder"])
def test_macs_stay_where_a_tactic_leaves_the_computation(
    request: pytest.FixtureRequest, family: str, tactic: Tactic
) -> None:
    module = loaded(request.getfixturevalue(family))
    sample = seen(calibration=[pixels()])
    before = count_macs(module, sample.batch)
    after = count_macs(tactic(module, sample), sample.batch)
    assert before
    assert after == before


def test_macs_of_a_compiled_module_are_those_of_the_module(
    monkeypatch: pytest.MonkeyPatch, vit_folder: Path
) -> None:
    monkeypatch.setattr("shutil.which", lambda name: name)
    module = loaded(vit_folder)
    before = count_macs(module, pixels())
    assert count_macs(TorchCompile()(module, seen()), pixels()) == before


def test_macs_of_sparse_products_count_their_zeros() -> None:
    module = linear()
    before = count_macs(module, rows())
    module[0].weight = nn.Parameter(SparseOnCpu.of(module[0].weight), requires_grad=False)
    assert count_macs(module, rows()) == before == 256 * 256


class Calling(nn.Module):
    """A module that calls an operation."""

    def __init__(self, operation: Callable[[torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self.operation = operation

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        return self.operation(batch)


@pytest.mark.parametrize("width", [48, 1024], ids=["filled_up", "as_it_is"])
def test_macs_of_a_gpus_int4_product_are_those_that_its_kernel_computes(width: int) -> None:
    """Its weights are stored in tiles of 8 rows and 1024 columns, filled up with zeros."""
    filled = 1024

    def product(batch: torch.Tensor) -> torch.Tensor:
        packed = torch.empty(64 // 8, filled // 128, 32, 4, dtype=torch.int32)
        scales = torch.empty(filled // 32, 64, 2, dtype=torch.bfloat16)
        wide = nn.functional.pad(batch, (0, filled - batch.shape[1]))
        return torch.ops.aten._weight_int4pack_mm(wide, packed, 32, scales)

    with FakeTensorMode():  # shapes only: the kernel needs a GPU
        batch = torch.empty(5, width, dtype=torch.bfloat16)
        assert count_macs(Calling(product), batch) == filled * 64


def test_module_with_an_unknown_operation_has_no_count() -> None:
    @torch.library.custom_op("greenexp_tests::gram", mutates_args=())
    def gram(batch: torch.Tensor) -> torch.Tensor:
        return batch @ batch.t()

    module = nn.Sequential(nn.Linear(256, 256), Calling(gram))
    assert count_macs(module, rows()) is None
    assert complexity(module, rows()).macs is None


def test_module_with_a_product_that_torch_does_not_count_has_no_count() -> None:
    vector = torch.randn(256)
    assert count_macs(Calling(lambda batch: torch.mv(batch, vector)), rows()) is None


# An engine


class Session(nn.Module):
    """As much of an engine as is looked at here."""

    stored_bytes = 3 * MIB

    def held_weights(self) -> list[torch.Tensor]:
        return [torch.tensor([0.0, 1.0, 2.0]), torch.tensor([0], dtype=torch.int8)]


def test_engine_tells_its_weights_and_nothing_of_what_it_computes() -> None:
    assert isinstance(Session(), HoldsWeights)
    counted = complexity(Session(), rows())
    assert (counted.macs, counted.weights_in_memory_mib) == (None, None)
    assert (counted.parameters, counted.weights_mib, counted.sparsity) == (4, 3.0, 0.5)


def test_engine_s_own_wrapper_is_one() -> None:
    held = [np.zeros((2, 2), dtype=np.float32), np.ones(4, dtype=np.int8)]
    engine = Engine(lambda batch: batch, held=held, stored_bytes=MIB, facts={"engine": "none"})
    counted = complexity(engine, rows())
    assert (counted.parameters, counted.weights_mib, counted.sparsity) == (8, 1.0, 0.5)
    assert counted.macs is None


@pytest.mark.slow
@pytest.mark.parametrize(
    ("tactic", "of_the_bytes"),
    [
        pytest.param(OnnxRuntime(), 1.3, id="onnx"),
        pytest.param(OnnxRuntime("int8"), 0.5, id="onnx_int8"),
        pytest.param(OpenVino(), 1.0, id="openvino"),
        pytest.param(OpenVino("int8"), 0.3, id="openvino_int8"),
    ],
)
def test_engine_holds_about_the_weights_of_the_model(tactic: Tactic, of_the_bytes: float) -> None:
    """Not the scales, zero points and masks beside them; constants may be spread out."""
    module = LocalPruning(0.5)(embedded("digits_vit").module, seen())
    before = complexity(module, pixels())
    after = complexity(tactic(module, seen(calibration=[pixels()])), pixels())
    assert after.parameters == pytest.approx(before.parameters, rel=0.01)
    assert after.sparsity == pytest.approx(before.sparsity, abs=0.03)
    assert after.weights_mib < of_the_bytes * before.weights_mib
    assert (after.macs, after.weights_in_memory_mib) == (None, None)


@pytest.mark.parametrize("linear_too", [True, False], ids=["all", "convolutions_only"])
def test_quantized_graph_holds_each_weight_once(linear_too: bool) -> None:
    module = embedded("digits_vit").module
    before = complexity(module, pixels())
    quantized = StaticQuantization(linear=linear_too)(module, seen(calibration=[pixels()]))
    after = complexity(quantized, pixels())
    assert after.parameters == before.parameters
    if linear_too:
        assert after.weights_mib == pytest.approx(before.weights_mib / 4, rel=0.3)
    else:
        assert after.weights_mib == pytest.approx(before.weights_mib, rel=0.02)
    assert after.sparsity == pytest.approx(0.005, abs=0.005)  # what int8 rounds to zero
    assert after.weights_in_memory_mib is None


# Parameters


@pytest.mark.parametrize(
    ("make", "shape", "parameters"),
    [
        pytest.param(lambda: nn.Linear(10, 5), (10,), 55, id="linear"),
        pytest.param(lambda: nn.Linear(10, 5, bias=False), (10,), 50, id="no_bias"),
        pytest.param(lambda: nn.Conv2d(3, 8, 3), (3, 4, 4), 8 * 27 + 8, id="conv"),
        pytest.param(
            lambda: nn.BatchNorm2d(4), (4, 2, 2), 8, id="running_statistics_are_no_parameters"
        ),
        pytest.param(lambda: nn.Sequential(nn.ReLU()), (4,), 0, id="none"),
    ],
)
def test_parameters_are_weights_and_biases(
    make: Callable[[], nn.Module], shape: tuple[int, ...], parameters: int
) -> None:
    assert complexity(make().eval(), torch.randn(1, *shape)).parameters == parameters


@pytest.mark.parametrize("tactic", [*INT8, pytest.param(Int4WeightOnly(), id="int4")])
@pytest.mark.parametrize("bias", [True, False])
def test_quantization_keeps_the_number_of_parameters(tactic: Tactic, bias: bool) -> None:
    module = nn.Sequential(*linear(bias), nn.LayerNorm(256)).eval()
    before = complexity(module, rows())
    after = complexity(tactic(module, seen(rows())), rows())
    assert after.parameters == before.parameters == 256 * 256 + 256 * bias + 512


def test_weights_of_packed_layers_are_found_at_any_depth() -> None:
    inner = nn.Sequential(nn.Linear(8, 4), nn.ReLU(), nn.Linear(4, 2, bias=False))
    module = nn.Sequential(nn.Conv2d(1, 1, 1), inner).eval()
    quantized = DynamicQuantization("eager")(module, seen(rows()))
    assert sorted(tensor.numel() for tensor in weights(quantized)) == [1, 1, 4, 8, 32]


# Bytes


@pytest.mark.parametrize("tactic", INT8)
def test_int8_takes_about_a_quarter_of_the_bytes_as_stored_and_in_memory(tactic: Tactic) -> None:
    before = complexity(linear(), rows())
    after = complexity(tactic(linear(), seen(rows())), rows())
    exact = 256 * 257 * 4 / MIB
    assert before.weights_mib == pytest.approx(exact, rel=0.05)
    assert before.weights_in_memory_mib == exact
    assert after.weights_mib == pytest.approx(exact / 4, rel=0.15)
    assert after.weights_in_memory_mib == pytest.approx(exact / 4, rel=0.05)


def test_int4_takes_about_an_eighth_of_the_bytes_and_its_scales() -> None:
    after = complexity(Int4WeightOnly(32)(linear(), seen(rows())), rows())
    packed, scales, biases = 256 * 256 / 2, 256 * 8 * 2 * 2, 256 * 2
    assert after.weights_in_memory_mib == (packed + scales + biases) / MIB
    assert after.weights_mib == pytest.approx(after.weights_in_memory_mib, rel=0.1)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_cast_to_half_precision_halves_the_bytes(dtype: str) -> None:
    before = complexity(linear(), rows())
    after = complexity(HalfPrecision(dtype)(linear(), seen(rows())), rows())
    assert after.weights_in_memory_mib == before.weights_in_memory_mib / 2
    assert after.weights_mib == pytest.approx(before.weights_mib / 2, rel=0.02)


@pytest.mark.parametrize(
    "tactic",
    [
        pytest.param(HalfPrecision(method="autocast"), id="autocast"),
        pytest.param(LocalPruning(0.5), id="pruning"),
    ],
)
def test_weights_that_stay_float32_take_the_bytes_they_took(tactic: Tactic) -> None:
    before = memory_bytes(linear())
    assert memory_bytes(tactic(linear(), seen(rows()))) == before == 256 * 257 * 4


def test_buffers_are_in_memory_too() -> None:
    module = nn.BatchNorm2d(4)
    assert memory_bytes(module) == 4 * 4 * 4 + 8  # weight, bias, mean, variance; a count


def test_weights_that_share_memory_are_counted_once() -> None:
    module = beside((64, 64), (64, 64))
    each = 64 * 65 * 4
    assert memory_bytes(module) == 2 * each
    module.each[1].weight = module.each[0].weight  # one parameter, twice in the module
    assert memory_bytes(module) == each + 64 * 4
    module.each[1].weight = nn.Parameter(module.each[0].weight.data.t(), requires_grad=False)
    assert memory_bytes(module) == each + 64 * 4  # two parameters, one memory


def test_stored_bytes_of_a_compiled_module_are_those_of_the_module() -> None:
    module = linear()
    assert stored_bytes(torch.compile(module, backend="eager")) == stored_bytes(module)


# Zeros


@pytest.mark.parametrize(
    ("zeros", "sparsity"),
    [
        pytest.param(0, 0.0, id="none"),
        pytest.param(8, 8 / 20, id="some"),
        pytest.param(16, 16 / 20, id="all_but_the_biases"),
    ],
)
def test_sparsity_is_the_fraction_of_zeros_among_all_parameters(
    zeros: int, sparsity: float
) -> None:
    module = nn.Linear(4, 4)
    for parameter in module.parameters():
        parameter.fill_(1.0)
    module.weight.view(-1)[:zeros] = 0.0
    assert complexity(module, torch.randn(1, 4)).sparsity == pytest.approx(sparsity)


@pytest.mark.parametrize("tactic", INT8)
def test_sparsity_survives_quantization(tactic: Tactic) -> None:
    module = linear()
    module[0].weight[:128] = 0.0
    sparsity = complexity(tactic(module, seen(rows())), rows()).sparsity
    assert sparsity == pytest.approx(128 / 257, abs=0.02)  # int8 rounds a few small weights to zero


def test_sparsity_of_weights_that_can_t_be_unpacked_is_absent() -> None:
    counted = complexity(Int4WeightOnly()(linear(), seen(rows())), rows())
    assert counted.sparsity is None
    assert counted.macs == 256 * 256


def test_sparsity_of_sparse_weights_is_read() -> None:
    module = linear()
    module[0].weight[:, ::2] = 0.0
    module[0].weight = nn.Parameter(SparseOnCpu.of(module[0].weight), requires_grad=False)
    assert complexity(module, rows()).sparsity == pytest.approx(128 / 257)


def test_module_without_parameters_has_no_sparsity() -> None:
    assert complexity(nn.ReLU(), rows()).sparsity is None
