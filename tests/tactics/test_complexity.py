"""Sizes, counted by hand: parameters, bytes and zeros."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn

from greenexp.protocols import Tactic
from greenexp.tactics.complexity import complexity, memory_bytes, stored_bytes, weights
from greenexp.tactics.precision import HalfPrecision
from greenexp.tactics.pruning import LocalPruning
from greenexp.tactics.quantization import DynamicQuantization, Int4WeightOnly
from tests.support.counted_weights import INT8, MIB, linear, rows
from tests.support.modules import SparseOnCpu, beside, seen

pytestmark = pytest.mark.usefixtures("in_a_run")


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
