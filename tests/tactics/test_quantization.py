"""Int8 and int4 without calibration: which layers are converted, how far the logits move."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from greenexp.datasets.digits import Digits
from greenexp.errors import NoEffect, Unsupported
from greenexp.protocols import Tactic
from greenexp.tactics.precision import HalfPrecision
from greenexp.tactics.quantization import (
    DynamicQuantization,
    Int4WeightOnly,
    Int8Dynamic,
    Int8WeightOnly,
)
from tests.support.modules import (
    accuracy,
    batches,
    beside,
    embedded,
    error,
    loaded,
    on_cuda,
    pixels,
    seen,
)

pytestmark = pytest.mark.usefixtures("in_a_run")

INT8 = [
    pytest.param(DynamicQuantization("eager"), id="eager"),
    pytest.param(DynamicQuantization("torchao"), id="torchao"),
    pytest.param(Int8Dynamic(), id="int8_dynamic"),
    pytest.param(Int8WeightOnly(), id="int8_weight_only"),
]


def no_linear() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU()).eval()


# Without calibration


@pytest.mark.parametrize(
    ("tactic", "backend"),
    [
        pytest.param(DynamicQuantization("eager"), "eager", id="eager"),
        pytest.param(DynamicQuantization("torchao"), "torchao", id="torchao"),
        pytest.param(DynamicQuantization("auto"), "eager", id="auto"),
        pytest.param(Int8Dynamic(), "torchao", id="int8_dynamic"),
        pytest.param(Int8WeightOnly(), "torchao", id="int8_weight_only"),
    ],
)
@pytest.mark.parametrize(
    ("family", "linear"), [("vit_folder", 7), ("resnet_folder", 1)], ids=["vit", "resnet"]
)
def test_every_linear_is_converted_and_by_what_is_said(
    request: pytest.FixtureRequest, family: str, linear: int, tactic: Tactic, backend: str
) -> None:
    module = tactic(loaded(request.getfixturevalue(family)), seen())
    assert tactic.effect(module) == {
        "backend": backend,
        "modules_converted": linear,
        "linear_modules": linear,
    }


@pytest.mark.parametrize("tactic", INT8)
def test_int8_keeps_logits_close_but_not_equal(vit_folder: Path, tactic: Tactic) -> None:
    sample = seen(pixels(16))
    exact = loaded(vit_folder)(sample.batch)
    logits = tactic(loaded(vit_folder), sample)(sample.batch)
    assert 0 < error(logits, exact) < 0.05


@pytest.mark.parametrize("tactic", INT8)
def test_int8_weights_are_a_step_away_at_most(tactic: Tactic) -> None:
    """A step is a 127th of the largest weight: of the row by torchao, of the layer by eager."""
    module = nn.Sequential(nn.Linear(64, 32)).eval()
    weight = module[0].weight.clone()
    quantized = tactic(module, seen())[0].weight
    values = quantized() if callable(quantized) else quantized
    assert float((values.dequantize() - weight).abs().max()) <= float(weight.abs().max()) / 127


@pytest.mark.parametrize("tactic", [DynamicQuantization("auto"), DynamicQuantization("torchao")])
def test_quantization_on_cuda_takes_torchao(vit_folder: Path, tactic: Tactic) -> None:
    assert tactic.effect(tactic(loaded(vit_folder), on_cuda()))["backend"] == "torchao"


def test_quantization_by_cpu_kernels_is_unsupported_on_cuda(vit_folder: Path) -> None:
    with pytest.raises(Unsupported, match="eager"):
        DynamicQuantization("eager")(loaded(vit_folder), on_cuda())


@pytest.mark.parametrize("tactic", [*INT8, pytest.param(Int4WeightOnly(), id="int4")])
def test_quantization_of_convolutions_alone_has_no_effect(tactic: Tactic) -> None:
    module = tactic(no_linear(), seen())
    with pytest.raises(NoEffect, match="no Linear layer"):
        tactic.effect(module)


@pytest.mark.parametrize("tactic", [*INT8, pytest.param(Int4WeightOnly(), id="int4")])
def test_quantization_not_applied_has_no_effect(vit_folder: Path, tactic: Tactic) -> None:
    with pytest.raises(NoEffect):
        tactic.effect(loaded(vit_folder))


@pytest.mark.parametrize("tactic", [Int8Dynamic(), Int8WeightOnly()], ids=["dynamic", "weights"])
def test_torchao_starts_from_half_precision_too(vit_folder: Path, tactic: Tactic) -> None:
    sample = seen(pixels(16))
    exact = loaded(vit_folder)(sample.batch)
    half = HalfPrecision()(loaded(vit_folder), sample)
    logits = tactic(half, sample)(sample.batch)
    assert logits.dtype is torch.float32
    assert 0 < error(logits, exact) < 0.05


# Int4


@pytest.mark.parametrize(
    ("size", "group_size", "fits"),
    [
        pytest.param((32, 16), 32, True, id="least"),
        pytest.param((96, 48), 32, True, id="multiples"),
        pytest.param((48, 16), 32, False, id="width_no_multiple_of_the_group"),
        pytest.param((32, 24), 32, False, id="rows_no_multiple_of_16"),
        pytest.param((32, 10), 32, False, id="ten_classes"),
        pytest.param((64, 16), 64, True, id="larger_group"),
        pytest.param((96, 16), 64, False, id="larger_group_that_does_not_fit"),
        pytest.param((256, 32), 128, True, id="largest_group"),
    ],
)
def test_int4_takes_layers_that_its_kernel_takes(
    size: tuple[int, int], group_size: int, fits: bool
) -> None:
    tactic = Int4WeightOnly(group_size)
    sample = seen(torch.randn(3, 512))
    module = tactic(beside(size, (512, 16)), sample)  # the second always fits
    assert tactic.effect(module) == {
        "backend": "torchao",
        "modules_converted": 1 + fits,
        "linear_modules": 2,
    }
    assert module(sample.batch).shape == (3, size[1] + 16)


def test_int4_that_fits_no_layer_has_no_effect() -> None:
    tactic = Int4WeightOnly(128)
    module = tactic(beside((64, 16), (256, 10)), seen(torch.randn(3, 256)))
    with pytest.raises(NoEffect, match="none that can be"):
        tactic.effect(module)


def test_int4_in_groups_of_256_is_unsupported_on_the_cpu() -> None:
    with pytest.raises(Unsupported, match="group_size=128 or less"):
        Int4WeightOnly(256)(beside((256, 16)), seen())


def test_int4_leaves_the_rest_in_bfloat16(vit_folder: Path) -> None:
    module = Int4WeightOnly()(loaded(vit_folder), seen())
    assert {parameter.dtype for parameter in module.parameters()} == {torch.bfloat16}
    assert module(pixels()).dtype is torch.float32


@pytest.mark.slow
def test_int4_keeps_logits_close_but_not_equal() -> None:
    classifier = embedded("digits_vit")
    split = batches(classifier, Digits().load(), 32)
    exact = classifier.module(split[0])
    tactic = Int4WeightOnly()
    module = tactic(embedded("digits_vit").module, seen(split[0]))
    assert tactic.effect(module)["modules_converted"] == 18  # of 19: ten classes don't fit
    assert 0.01 < error(module(split[0]), exact) < 0.15
    assert accuracy(module, split) > accuracy(classifier.module, split) - 0.03


def test_int4_of_larger_groups_is_coarser() -> None:
    sample = seen(torch.randn(64, 256))
    errors = []
    for group_size in (32, 128):
        torch.manual_seed(1)
        module = beside((256, 64))
        exact = module(sample.batch)
        errors.append(error(Int4WeightOnly(group_size)(module, sample)(sample.batch), exact))
    assert 0 < errors[0] < errors[1]
