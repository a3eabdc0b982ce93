"""The options of all tactics, and how wrong ones are refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from greenexp.protocols import Tactic
from greenexp.settings.build import build
from greenexp.tactics.compilation import TorchCompile
from greenexp.tactics.onnx_runtime import OnnxRuntime
from greenexp.tactics.openvino import OpenVino
from greenexp.tactics.precision import HalfPrecision
from greenexp.tactics.pruning import GlobalPruning, LocalPruning
from greenexp.tactics.quantization import DynamicQuantization, Int4WeightOnly
from greenexp.tactics.running import BatchSize, Threads
from greenexp.tactics.static_quantization import StaticQuantization
from greenexp.tactics.structured_pruning import StructuredPruning
from tests.support.modules import Refusal

pytestmark = pytest.mark.usefixtures("in_a_run")


@pytest.mark.parametrize(
    ("target", "options", "allowed"),
    [
        pytest.param(
            "quantization.DynamicQuantization",
            {"backend": "int4"},
            "'auto', 'eager' or 'torchao'",
            id="backend",
        ),
        pytest.param("quantization.Int4WeightOnly", {"group_size": 33}, "32, 64", id="group_size"),
        pytest.param("compilation.TorchCompile", {"mode": "fast"}, "'default'", id="mode"),
        pytest.param("compilation.TorchCompile", {"dynamic": "maybe"}, "boolean", id="dynamic"),
        pytest.param("compilation.TorchCompile", {"fullgraph": "maybe"}, "boolean", id="fullgraph"),
        pytest.param("pruning.LocalPruning", {"amount": "much"}, "number", id="amount"),
        pytest.param("structured_pruning.StructuredPruning", {"amount": "0,3"}, "number", id="sp"),
        pytest.param("precision.HalfPrecision", {"dtype": "half"}, "'bfloat16'", id="dtype"),
        pytest.param("precision.HalfPrecision", {"method": "amp"}, "'autocast'", id="method"),
        pytest.param("onnx_runtime.OnnxRuntime", {"precision": "int4"}, "'int8'", id="onnx"),
        pytest.param("openvino.OpenVino", {"precision": "float16"}, "'bfloat16'", id="openvino"),
        pytest.param(
            "static_quantization.StaticQuantization", {"linear": 3}, "boolean", id="linear"
        ),
        pytest.param(
            "static_quantization.StaticQuantization",
            {"calibration_images": 1.5},
            "integer",
            id="calibration_images",
        ),
        pytest.param("running.BatchSize", {"images": "all"}, "integer", id="images"),
        pytest.param("running.Threads", {"count": "all"}, "integer", id="count"),
        pytest.param("layout.ChannelsLast", {"amount": 1}, "no field", id="no_option"),
    ],
)
def test_options_are_checked_against_their_type(
    refusal: Refusal, target: str, options: dict[str, Any], allowed: str
) -> None:
    choice = {"_target_": f"greenexp.tactics.{target}", **options}
    (name,) = options
    text = refusal(lambda: build(choice, "tactic"))
    assert f"tactic.{name}" in text
    assert allowed in text


@pytest.mark.parametrize(
    ("make", "given", "allowed"),
    [
        pytest.param(
            lambda: DynamicQuantization(backend="int4"),
            "tactic.backend=int4",
            "auto, eager, torchao",
            id="backend",
        ),
        pytest.param(
            lambda: Int4WeightOnly(group_size=48),
            "tactic.group_size=48",
            "32, 64, 128, 256",
            id="group_size",
        ),
        pytest.param(
            lambda: TorchCompile(mode="max_autotune"),
            "tactic.mode=max_autotune",
            "Did you mean max-autotune?",
            id="mode",
        ),
        pytest.param(
            lambda: HalfPrecision(dtype="fp16"),
            "tactic.dtype=fp16",
            "bfloat16, float16",
            id="dtype",
        ),
        pytest.param(
            lambda: HalfPrecision(method="casts"),
            "tactic.method=casts",
            "Did you mean cast?",
            id="method",
        ),
        pytest.param(
            lambda: OnnxRuntime("bfloat16"), "tactic.precision=bfloat16", "float32, int8", id="onnx"
        ),
        pytest.param(
            lambda: OpenVino("int4"),
            "tactic.precision=int4",
            "float32, bfloat16, int8",
            id="openvino",
        ),
        *(
            pytest.param(
                lambda make=make: make(calibration_images=0),
                "tactic.calibration_images=0",
                ">= 1",
                id=f"calibration_images_{make.__name__}",
            )
            for make in (StaticQuantization, OnnxRuntime, OpenVino)
        ),
        *(
            pytest.param(
                lambda make=make, amount=amount: make(amount),
                f"tactic.amount={amount}",
                "> 0 and < 1",
                id=f"amount_{make.__name__}_{amount}",
            )
            for make in (LocalPruning, GlobalPruning, StructuredPruning)
            for amount in (0.0, 1.0, -0.3, 30.0, float("nan"), float("inf"))
        ),
        pytest.param(lambda: BatchSize(0), "tactic.images=0", ">= 1", id="images"),
        pytest.param(lambda: Threads(-1), "tactic.count=-1", ">= 1", id="count"),
    ],
)
def test_options_are_checked_when_the_tactic_is_made(
    refusal: Refusal, make: Callable[[], Tactic], given: str, allowed: str
) -> None:
    text = refusal(make)
    assert given in text
    assert allowed in text
