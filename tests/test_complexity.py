"""Sizes and operations, counted by hand."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from torch import nn

from greenexp.complexity import complexity, count_macs, stored_bytes, weights
from greenexp.models.local import Local
from greenexp.tactics.quantization import DynamicQuantization

BACKENDS = ["eager", "torchao"]


@pytest.fixture(autouse=True)
def _inference() -> Iterator[None]:
    with torch.inference_mode():
        yield


def linear() -> nn.Module:
    """256 x 256 weights and 256 biases."""
    return nn.Sequential(nn.Linear(256, 256)).eval()


def quantized(module: nn.Module, backend: str) -> nn.Module:
    return DynamicQuantization(backend)(module, torch.randn(1, 256))


@pytest.mark.parametrize(
    ("make", "shape", "macs"),
    [
        pytest.param(lambda: nn.Linear(10, 5), (1, 10), 10 * 5, id="linear"),
        pytest.param(lambda: nn.Linear(10, 5, bias=False), (1, 10), 10 * 5, id="linear_no_bias"),
        pytest.param(lambda: nn.Linear(10, 5), (1, 7, 10), 7 * 10 * 5, id="linear_over_tokens"),
        pytest.param(
            lambda: nn.Conv2d(3, 8, 3, padding=1), (1, 3, 16, 16), 16 * 16 * 8 * 3 * 9, id="conv"
        ),
        pytest.param(
            lambda: nn.Conv2d(3, 8, 4, stride=4), (1, 3, 16, 16), 4 * 4 * 8 * 3 * 16, id="strided"
        ),
        pytest.param(
            lambda: nn.Conv2d(8, 8, 3, padding=1, groups=8),
            (1, 8, 16, 16),
            16 * 16 * 8 * 9,
            id="depthwise",
        ),
        pytest.param(
            lambda: nn.Conv2d(8, 12, 1, groups=4), (1, 8, 5, 5), 5 * 5 * 12 * 2, id="grouped"
        ),
        pytest.param(lambda: nn.Sequential(nn.ReLU()), (1, 9), 0, id="element_wise"),
        pytest.param(
            lambda: nn.Sequential(nn.Conv2d(3, 4, 1), nn.Flatten(), nn.Linear(16, 2)),
            (1, 3, 2, 2),
            2 * 2 * 4 * 3 + 16 * 2,
            id="several",
        ),
    ],
)
def test_macs_of_layers(make: Callable[[], nn.Module], shape: tuple[int, ...], macs: int) -> None:
    assert count_macs(make().eval(), torch.randn(shape)) == macs


@pytest.mark.parametrize(
    "attention",
    [pytest.param("eager", id="by_matrix_products"), pytest.param("sdpa", id="by_fused_kernel")],
)
def test_macs_of_a_transformer_include_its_attention(vit_folder: Path, attention: str) -> None:
    module = Local(str(vit_folder)).load("cpu").module
    module.model.set_attn_implementation(attention)
    patches = 16 * (3 * 8 * 8) * 16
    tokens = 16 + 1
    projections = tokens * 4 * 16 * 16
    products = 2 * tokens * tokens * 16
    mlp = tokens * 2 * 16 * 32
    head = 16 * 3
    macs = count_macs(module, torch.randn(1, 3, 32, 32))
    assert macs == patches + projections + products + mlp + head


def test_macs_are_passed_through_where_they_can_t_be_counted() -> None:
    assert complexity(linear(), macs=None).macs is None
    assert complexity(linear(), macs=65536).macs == 65536


@pytest.mark.parametrize(
    ("make", "parameters"),
    [
        pytest.param(lambda: nn.Linear(10, 5), 55, id="linear"),
        pytest.param(lambda: nn.Linear(10, 5, bias=False), 50, id="no_bias"),
        pytest.param(lambda: nn.Conv2d(3, 8, 3), 8 * 27 + 8, id="conv"),
        pytest.param(lambda: nn.BatchNorm2d(4), 8, id="running_statistics_are_no_parameters"),
        pytest.param(lambda: nn.Sequential(nn.ReLU()), 0, id="none"),
    ],
)
def test_parameters_are_weights_and_biases(make: Callable[[], nn.Module], parameters: int) -> None:
    assert complexity(make(), macs=None).parameters == parameters


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("bias", [True, False])
def test_quantization_keeps_the_number_of_parameters(backend: str, bias: bool) -> None:
    module = nn.Sequential(nn.Linear(256, 256, bias=bias), nn.LayerNorm(256)).eval()
    before = complexity(module, macs=None)
    after = complexity(quantized(module, backend), macs=None)
    assert after.parameters == before.parameters == 256 * 256 + 256 * bias + 512


@pytest.mark.parametrize("backend", BACKENDS)
def test_quantization_takes_about_a_quarter_of_the_bytes(backend: str) -> None:
    before = complexity(linear(), macs=None).weights_mib
    after = complexity(quantized(linear(), backend), macs=None).weights_mib
    assert before == pytest.approx(256 * 257 * 4 / 2**20, rel=0.05)
    assert after == pytest.approx(before / 4, rel=0.15)


@pytest.mark.parametrize("backend", BACKENDS)
def test_quantization_shrinks_what_is_stored(backend: str) -> None:
    module = linear()
    before = stored_bytes(module)
    assert stored_bytes(quantized(module, backend)) < 0.3 * before


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
    assert complexity(module, macs=None).sparsity == pytest.approx(sparsity)


@pytest.mark.parametrize("backend", BACKENDS)
def test_sparsity_survives_quantization(backend: str) -> None:
    module = linear()
    module[0].weight[:128] = 0.0
    sparsity = complexity(quantized(module, backend), macs=None).sparsity
    assert sparsity == pytest.approx(128 / 257, abs=0.02)  # int8 rounds a few small weights to zero


def test_sparsity_of_no_parameters_is_zero() -> None:
    assert complexity(nn.ReLU(), macs=None).sparsity == 0.0


def test_weights_of_packed_layers_are_found_at_any_depth() -> None:
    inner = nn.Sequential(nn.Linear(8, 4), nn.ReLU(), nn.Linear(4, 2, bias=False))
    module = quantized(nn.Sequential(nn.Conv2d(1, 1, 1), inner).eval(), "eager")
    assert sorted(tensor.numel() for tensor in weights(module)) == [1, 1, 4, 8, 32]


def test_stored_bytes_of_a_compiled_module_are_those_of_the_module() -> None:
    module = linear()
    assert stored_bytes(torch.compile(module, backend="eager")) == stored_bytes(module)
