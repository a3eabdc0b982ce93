"""ONNX Runtime and OpenVINO in a module's place. Exporters take seconds, so most are slow."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from greenexp.datasets.digits import Digits
from greenexp.errors import NoEffect, Unsupported
from greenexp.protocols import Sample, Tactic
from greenexp.tactics.engine import Engine, silenced
from greenexp.tactics.onnx_runtime import OnnxRuntime
from greenexp.tactics.openvino import OpenVino
from tests.support.modules import (
    accuracy,
    as_in_a_run,
    batches,
    embedded,
    error,
    loaded,
    pixels,
    seen,
    small,
)

onnxruntime = pytest.importorskip("onnxruntime")
openvino = pytest.importorskip("openvino")

EXACT = [pytest.param(OnnxRuntime(), id="onnx"), pytest.param(OpenVino(), id="openvino")]
INT8 = [
    pytest.param(OnnxRuntime("int8"), id="onnx"),
    pytest.param(OpenVino("int8"), id="openvino"),
]
THREADS = "INFERENCE_NUM_THREADS"


@pytest.fixture(autouse=True)
def _as_in_a_run() -> Iterator[None]:
    with as_in_a_run():
        yield


# The wrapper


def test_engine_holds_what_it_is_given() -> None:
    weight = np.arange(6, dtype=np.float32).reshape(2, 3)
    engine = Engine(
        lambda images: images.mean(axis=(2, 3)).astype(np.float64),
        held=[weight],
        stored_bytes=7,
        facts={"engine": "none"},
    )
    batch = pixels()
    logits = engine(batch)
    assert logits.dtype is torch.float32
    torch.testing.assert_close(logits, batch.mean(dim=(2, 3)))
    assert [array.tolist() for array in engine.held_weights()] == [weight.tolist()]
    assert (engine.stored_bytes, engine.facts) == (7, {"engine": "none"})


def test_engine_takes_images_in_any_layout() -> None:
    engine = Engine(lambda images: images.sum(axis=(1, 2)), held=[], stored_bytes=0, facts={})
    batch = pixels()
    torch.testing.assert_close(
        engine(batch.contiguous(memory_format=torch.channels_last)), engine(batch)
    )


def test_what_narrates_is_silenced_and_heard_again(
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    exporter = logging.getLogger("exporter")

    @silenced()
    def narrate() -> None:
        print("step 1 of 3")
        exporter.warning("step 2 of 3")
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        narrate()
    assert capsys.readouterr().out == ""
    assert caplog.records == []
    exporter.warning("later")
    assert [record.message for record in caplog.records] == ["later"]


@pytest.mark.parametrize("tactic", [OnnxRuntime(), OpenVino()], ids=["onnx", "openvino"])
def test_engine_not_made_has_no_effect(vit_folder: Path, tactic: Tactic) -> None:
    with pytest.raises(NoEffect, match="no engine of"):
        tactic.effect(loaded(vit_folder))


# Float32


@pytest.mark.slow
@pytest.mark.parametrize("tactic", EXACT)
@pytest.mark.parametrize("name", ["digits_vit", "digits_mobilenet_v2"])
def test_float32_engine_keeps_the_logits(name: str, tactic: Tactic) -> None:
    module = embedded(name).module
    sample = seen()
    exact = module(sample.batch)
    engine = tactic(module, sample)
    assert error(engine(sample.batch), exact) < 1e-4
    effect = tactic.effect(engine)
    assert effect["precision"] == "float32"
    assert str(effect["engine"]).split()[0] in ("onnxruntime", "openvino")
    assert effect["operations"] > 1


@pytest.mark.slow
@pytest.mark.parametrize("tactic", EXACT)
def test_engine_takes_the_shape_of_the_workload_for_good(tactic: Tactic) -> None:
    engine = tactic(small(), seen(pixels(3)))
    assert engine(pixels(3)).shape == (3, 10)
    with pytest.raises(Exception, match=r"(?i)dimension|shape|incompatible"):
        engine(torch.randn(3, 3, 16, 16))


@pytest.mark.slow
@pytest.mark.parametrize("threads", [1, 2])
def test_onnx_runtime_takes_the_threads_of_torch(
    monkeypatch: pytest.MonkeyPatch, threads: int
) -> None:
    made: list[Any] = []

    class Seen(onnxruntime.InferenceSession):
        def __init__(self, *given: Any, **named: Any) -> None:
            super().__init__(*given, **named)
            made.append(self)

    monkeypatch.setattr(onnxruntime, "InferenceSession", Seen)
    with_threads(threads, lambda: OnnxRuntime()(small(), seen()))
    assert [session.get_session_options().intra_op_num_threads for session in made] == [threads]
    assert made[0].get_providers() == ["CPUExecutionProvider"]


@pytest.mark.slow
@pytest.mark.parametrize("threads", [1, 2])
def test_openvino_takes_the_threads_of_torch(monkeypatch: pytest.MonkeyPatch, threads: int) -> None:
    made: list[Any] = []
    compile_model = openvino.Core.compile_model

    def seen_by(*given: Any, **named: Any) -> Any:
        made.append(compile_model(*given, **named))
        return made[-1]

    monkeypatch.setattr(openvino.Core, "compile_model", seen_by)
    with_threads(threads, lambda: OpenVino()(small(), seen()))
    assert [network.get_property(THREADS) for network in made] == [threads]


def with_threads(threads: int, call: Callable[[], object]) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        call()
    finally:
        torch.set_num_threads(before)


# Half precision


@pytest.mark.slow
def test_openvino_in_bfloat16_is_close_where_the_cpu_has_it() -> None:
    module = embedded("digits_vit").module
    sample = seen()
    exact = module(sample.batch)
    tactic = OpenVino("bfloat16")
    if "BF16" in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        engine = tactic(module, sample)
        assert tactic.effect(engine)["arithmetic"] == "bf16"
        assert 0 < error(engine(sample.batch), exact) < 0.05
    else:
        with pytest.raises(Unsupported, match="no bfloat16"):
            tactic(module, sample)


def test_openvino_in_bfloat16_is_unsupported_without_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openvino.Core, "get_property", lambda core, *names: ["FP32", "INT8"])
    with pytest.raises(Unsupported, match="no bfloat16"):
        OpenVino("bfloat16")(small(), seen())


# Int8


@pytest.mark.slow
@pytest.mark.parametrize("tactic", INT8)
@pytest.mark.parametrize("name", ["digits_vit", "digits_mobilenet_v2"])
def test_int8_engine_keeps_the_accuracy(name: str, tactic: Tactic) -> None:
    digits = Digits()
    classifier = embedded(name)
    split = batches(classifier, digits.load(), 32)
    training = batches(classifier, digits.calibration(64), 32)
    exact = classifier.module(split[0])
    engine = tactic(classifier.module, seen(split[0], training))
    assert 0 < error(engine(split[0]), exact) < 0.25
    assert accuracy(engine, split) == pytest.approx(
        accuracy(embedded(name).module, split), abs=0.03
    )
    effect = tactic.effect(engine)
    assert effect["precision"] == "int8"
    assert effect.get("int8_nodes", effect.get("quantizers")) >= 10
    if isinstance(tactic, OnnxRuntime):
        assert effect["weight_bits"] == (8 if torch.cpu._is_vnni_supported() else 7)


@pytest.mark.slow
@pytest.mark.parametrize("tactic", INT8)
def test_int8_scales_come_from_the_calibration_images_alone(tactic: Tactic) -> None:
    batch, quiet, loud = pixels(), pixels(), 10 * pixels()

    def logits(sample: Sample) -> torch.Tensor:
        return tactic(small(), sample)(batch)

    calibrated = logits(seen(batch, [quiet]))
    assert torch.equal(logits(seen(100 * batch, [quiet])), calibrated)
    assert not torch.equal(logits(seen(batch, [loud])), calibrated)
    assert not torch.equal(logits(seen(batch, [quiet, loud])), calibrated)  # all are looked at


@pytest.mark.slow
@pytest.mark.parametrize("tactic", INT8)
def test_int8_of_a_graph_without_layers_has_no_effect(tactic: Tactic) -> None:
    engine = tactic(nn.Sequential(nn.ReLU()).eval(), seen(calibration=[pixels()]))
    with pytest.raises(NoEffect, match="quantized no operation"):
        tactic.effect(engine)


# What can't be


@pytest.mark.slow
def test_model_that_can_t_be_exported_is_unsupported() -> None:
    class Choosy(nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return images if images.sum() > 0 else -images  # branches on what it computes

    with pytest.raises(Unsupported, match="can't be exported to ONNX: Could not guard") as caught:
        OnnxRuntime()(Choosy().eval(), seen())
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.slow
def test_model_that_onnx_runtime_can_t_load_is_unsupported(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*given: Any, **named: Any) -> None:
        raise RuntimeError("no kernel for Frobnicate\nat node 3")

    monkeypatch.setattr(onnxruntime, "InferenceSession", refuse)
    with pytest.raises(Unsupported) as caught:
        OnnxRuntime()(small(), seen())
    assert str(caught.value) == "ONNX Runtime can't take the model: no kernel for Frobnicate"


@pytest.mark.slow
def test_model_that_openvino_can_t_compile_is_unsupported() -> None:
    class Determinants(nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return torch.linalg.det(images)  # OpenVINO has it for 3 by 3 only

    with pytest.raises(Unsupported, match="OpenVINO can't take the model: Requested output") as it:
        OpenVino()(Determinants().eval(), seen())
    assert len(str(it.value).splitlines()) == 1
