"""Sizes of engines and quantized graphs, which hold their weights in a way of their own."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from greenexp.protocols import Tactic
from greenexp.tactics.complexity import HoldsWeights, complexity
from greenexp.tactics.engine import Engine
from greenexp.tactics.onnx_runtime import OnnxRuntime
from greenexp.tactics.openvino import OpenVino
from greenexp.tactics.pruning import LocalPruning
from greenexp.tactics.static_quantization import StaticQuantization
from tests.support.counted_weights import MIB, rows
from tests.support.modules import embedded, pixels, seen

pytestmark = pytest.mark.usefixtures("in_a_run")


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
