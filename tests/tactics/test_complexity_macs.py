"""Multiply-accumulates, counted by hand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode

from greenexp.protocols import Tactic
from greenexp.tactics.compilation import TorchCompile
from greenexp.tactics.complexity import complexity, count_macs
from greenexp.tactics.layout import ChannelsLast
from greenexp.tactics.precision import HalfPrecision
from greenexp.tactics.pruning import LocalPruning
from greenexp.tactics.quantization import Int4WeightOnly, Int8Dynamic
from greenexp.tactics.static_quantization import StaticQuantization
from tests.support.counted_weights import INT8, linear, rows
from tests.support.modules import SparseOnCpu, loaded, pixels, seen

pytestmark = pytest.mark.usefixtures("in_a_run")


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
