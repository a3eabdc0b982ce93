"""Int8 with calibration: what is computed in int8, what calibration sees, what accuracy is left."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from greenexp.datasets.digits import Digits
from greenexp.errors import BadInput, NoEffect, Unsupported
from greenexp.tactics.quantized_graph import QuantizedGraph
from greenexp.tactics.static_quantization import StaticQuantization
from tests.support.modules import accuracy, batches, embedded, error, loaded, pixels, seen, small

pytestmark = pytest.mark.usefixtures("in_a_run")


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
