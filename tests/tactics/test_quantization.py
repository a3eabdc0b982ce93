"""Int8 and int4: which layers are converted, how far the logits move, what calibration sees."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import nn

from greenexp.datasets.digits import Digits
from greenexp.errors import BadInput, NoEffect, Unsupported
from greenexp.protocols import Tactic
from greenexp.tactics.precision import HalfPrecision
from greenexp.tactics.quantization import (
    DynamicQuantization,
    Int4WeightOnly,
    Int8Dynamic,
    Int8WeightOnly,
)
from greenexp.tactics.quantized_graph import QuantizedGraph
from greenexp.tactics.static_quantization import StaticQuantization
from tests.support.modules import (
    accuracy,
    as_in_a_run,
    batches,
    beside,
    embedded,
    error,
    loaded,
    on_cuda,
    pixels,
    seen,
    small,
)

INT8 = [
    pytest.param(DynamicQuantization("eager"), id="eager"),
    pytest.param(DynamicQuantization("torchao"), id="torchao"),
    pytest.param(Int8Dynamic(), id="int8_dynamic"),
    pytest.param(Int8WeightOnly(), id="int8_weight_only"),
]


@pytest.fixture(autouse=True)
def _as_in_a_run() -> Iterator[None]:
    with as_in_a_run():
        yield


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


# With calibration


def static(calibration: torch.Tensor, batch: torch.Tensor | None = None) -> QuantizedGraph:
    module = StaticQuantization()(small(), seen(batch, [calibration]))
    assert isinstance(module, QuantizedGraph)
    return module


def scales(module: QuantizedGraph) -> list[float]:
    """The scales of activations, in order: numbers in the calls of the graph."""
    return [
        float(node.args[1])
        for node in module.uncompiled.graph.nodes
        if "quantize_per_tensor" in str(node.target) and isinstance(node.args[1], float)
    ]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("tactic", "effect"),
    [
        pytest.param(
            StaticQuantization(),
            {"conv2d_quantized": 1, "conv2d": 1, "linear_quantized": 1, "linear": 1},
            id="all",
        ),
        pytest.param(
            StaticQuantization(linear=False),
            {"conv2d_quantized": 1, "conv2d": 1, "linear_quantized": 0, "linear": 1},
            id="convolutions_only",
        ),
    ],
)
def test_static_quantization_counts_what_computes_in_int8(
    tactic: StaticQuantization, effect: dict[str, int]
) -> None:
    sample = seen(pixels(16), [pixels(16)])
    module = tactic(small(), sample)
    with torch.inference_mode():
        logits = module(sample.batch)
    bits = 8 if torch.cpu._is_vnni_supported() else 7
    assert tactic.effect(module) == {"calibration_images": 64, "activation_bits": bits, **effect}
    assert 0 < error(logits, small()(sample.batch)) < 0.1


@pytest.mark.parametrize(("vnni", "bits"), [(True, 8), (False, 7)])
def test_scales_come_from_the_calibration_images_alone(
    vnni: bool, bits: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "_is_vnni_supported", lambda: vnni)
    calibration, louder = pixels(), 10 * pixels()
    graph = static(calibration)
    assert graph.activation_bits() == bits
    before = scales(graph)
    assert len(before) >= 2
    span = float(calibration.max() - calibration.min())
    assert before[0] == pytest.approx(span / (2**bits - 1), rel=0.05)
    assert scales(static(calibration, batch=louder)) == before
    assert scales(static(louder))[0] > 5 * before[0]


def test_every_batch_of_calibration_is_looked_at() -> None:
    quiet, loud = pixels(), 10 * pixels()
    both = StaticQuantization()(small(), seen(calibration=[quiet, loud]))
    assert scales(both)[0] > 2 * scales(static(quiet))[0]


def test_static_quantization_without_layers_has_no_effect() -> None:
    tactic = StaticQuantization()
    module = tactic(nn.Sequential(nn.ReLU(), nn.Flatten()).eval(), seen(calibration=[pixels()]))
    with pytest.raises(NoEffect, match="no convolution or linear layer"):
        tactic.effect(module)


def test_static_quantization_not_applied_has_no_effect(vit_folder: Path) -> None:
    with pytest.raises(NoEffect, match="no quantized graph"):
        StaticQuantization().effect(loaded(vit_folder))


def test_static_quantization_of_what_can_t_be_exported_is_unsupported() -> None:
    class Choosy(nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return images if images.sum() > 0 else -images  # branches on what it computes

    with pytest.raises(Unsupported, match=r"torch\.export can't") as caught:
        StaticQuantization()(Choosy().eval(), seen(calibration=[pixels()]))
    assert len(str(caught.value).splitlines()) == 1


def test_static_quantization_needs_a_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda name: None)
    with pytest.raises(BadInput, match=r"needs a C\+\+ compiler"):
        StaticQuantization()(small(), seen(calibration=[pixels()]))


@pytest.mark.slow
@pytest.mark.parametrize("linear", [True, False], ids=["all", "convolutions_only"])
@pytest.mark.parametrize("name", ["digits_vit", "digits_mobilenet_v2"])
def test_static_quantization_keeps_the_accuracy(name: str, linear: bool) -> None:
    digits = Digits()
    classifier = embedded(name)
    split = batches(classifier, digits.load(), 32)
    training = batches(classifier, digits.calibration(64), 32)
    before = accuracy(classifier.module, split)
    module = StaticQuantization(linear=linear)(classifier.module, seen(split[0], training))
    assert accuracy(module, split) == pytest.approx(before, abs=0.03)
    assert before > 0.9
