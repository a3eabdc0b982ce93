"""Execution by ONNX Runtime."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from greenexp.errors import NoEffect, Unsupported, first_line
from greenexp.protocols import ModelFiles, Sample, Scalar, Traits
from greenexp.tactics.engine_options import check_options, engine_traits
from greenexp.tactics.int8 import reduced_range

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import nn

Precision = Literal["float32", "int8"]
OPSET = 18  # of the exporter of torch 2.13 by default
INPUT = "pixels"
FILE = "model.onnx"
PROVIDERS = ["CPUExecutionProvider"]
REDUCED = 64  # the largest weight of the reduced range


@dataclass(frozen=True)
class OnnxRuntime:
    """The model exported to ONNX and run by ONNX Runtime on the CPU.

    Attributes:
        precision: `int8` quantizes weights and activations, with scales from training images.
        calibration_images: training images for those scales.
    """

    precision: Precision = "float32"
    calibration_images: int = 64

    def __post_init__(self) -> None:
        check_options(self.precision, self.calibration_images, allowed=get_args(Precision))

    @property
    def traits(self) -> Traits:
        """An engine of its own, started from float32 layers; int8 needs training images."""
        return engine_traits(
            self.precision,
            self.calibration_images,
            packages=("onnx", "onnxscript", "onnxruntime"),
            extra="onnx",
        )

    def __call__(self, module: nn.Module, sample: Sample) -> nn.Module:
        """Returns the engine."""
        import onnx
        import onnxruntime

        from greenexp.tactics.engine import Engine

        with tempfile.TemporaryDirectory(prefix="greenexp-") as folder:
            path = self._model_file(module, sample, Path(folder))
            options = onnxruntime.SessionOptions()
            for name, value in _session_options().items():
                setattr(options, name, value)
            try:
                session = onnxruntime.InferenceSession(path, options, providers=PROVIDERS)
            except Exception as error:  # it raises types of many kinds
                raise _refused(error) from None
            model = onnx.load(path)
            stored_bytes = path.stat().st_size
        held = list(_weights(model.graph))
        int8 = [weight for weight in held if weight.dtype == "int8"]
        widest = max((int(abs(weight.astype(int)).max()) for weight in int8), default=None)
        bits = {} if widest is None else {"weight_bits": 7 if widest <= REDUCED else 8}
        operations = {node.op_type for node in model.graph.node}
        return Engine(
            lambda pixels: session.run(None, {INPUT: pixels})[0],
            held=held,
            stored_bytes=stored_bytes,
            facts={
                **bits,
                "engine": f"onnxruntime {onnxruntime.__version__}",
                "precision": self.precision,
                "nodes": len(model.graph.node),
                "int8_nodes": sum(node.op_type == "QuantizeLinear" for node in model.graph.node),
                "operations": len(operations),
            },
        )

    def write(self, module: nn.Module, sample: Sample, folder: Path) -> ModelFiles:
        """Writes the ONNX file that its session is made of."""
        with tempfile.TemporaryDirectory(prefix="greenexp-") as temporary:
            made = self._model_file(module, sample, Path(temporary))
            shutil.copyfile(made, folder / FILE)
        options = {"providers": PROVIDERS, "session": _session_options(), "input": INPUT}
        return ModelFiles("onnx", FILE, options, ("onnxruntime",))

    def _model_file(self, module: nn.Module, sample: Sample, folder: Path) -> Path:
        """Returns the file of the model, exported and quantized as asked."""
        path = folder / FILE
        _export(module, sample, path)
        if self.precision != "int8":
            return path
        try:
            return _quantize(path, sample)
        except Exception as error:  # it raises types of many kinds
            raise _refused(error) from None

    def effect(self, module: nn.Module) -> Mapping[str, Scalar]:
        """Returns the engine and what its graph holds."""
        facts = dict(getattr(module, "facts", {}))
        if not facts:
            raise NoEffect("the module is no engine of ONNX Runtime")
        if self.precision == "int8" and not facts["int8_nodes"]:
            raise NoEffect("ONNX Runtime quantized no operation")
        return facts


def _session_options() -> dict[str, int]:
    import torch

    return {
        "intra_op_num_threads": torch.get_num_threads(),
        "log_severity_level": 3,  # errors; warnings speak of nodes that it leaves as they are
    }


def _refused(error: Exception) -> Unsupported:
    return Unsupported(f"ONNX Runtime can't take the model: {first_line(error)}")


def _weights(graph: Any) -> Iterator[NDArray[Any]]:
    """Yields a graph's weights: no shapes, no scales of what is quantized, no empty masks."""
    from onnx import numpy_helper

    scales, added, restored = set(), set(), {}
    for node in graph.node:
        if node.op_type in ("QuantizeLinear", "DequantizeLinear"):
            scales |= set(node.input[1:])
            restored[node.input[0]] = node.output[0]
        elif node.op_type == "Add":
            added |= set(node.input)
    for tensor in graph.initializer:
        weight = numpy_helper.to_array(tensor)
        if not weight.ndim or weight.dtype in ("int64", "bool") or tensor.name in scales:
            continue
        mask = weight.ndim > 1 and not weight.any()  # attention's, where it leaves nothing out
        if not (mask and restored.get(tensor.name, tensor.name) in added):
            yield weight


def _export(module: nn.Module, sample: Sample, path: Path) -> None:
    import torch

    from greenexp.tactics.engine import silenced

    try:
        with silenced():
            torch.onnx.export(
                module,
                (sample.batch,),
                path,
                input_names=[INPUT],
                opset_version=OPSET,
                dynamo=True,
                external_data=False,
                verbose=False,
            )
    except Exception as error:  # the exporter raises types of many kinds
        reason = first_line(error.__cause__ or error)  # its own message tells what to do next
        raise Unsupported(f"the model can't be exported to ONNX: {reason}") from None


def _quantize(path: Path, sample: Sample) -> Path:
    """Returns the file of the quantized model."""
    from onnxruntime.quantization import CalibrationDataReader, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    from greenexp.tactics.engine import silenced

    class Calibration(CalibrationDataReader):  # type: ignore[misc]  # it ships no types
        def __init__(self) -> None:
            self.batches = iter(sample.calibration)

        def get_next(self) -> dict[str, Any] | None:
            batch = next(self.batches, None)
            return None if batch is None else {INPUT: batch.numpy()}

    prepared, quantized = path.with_suffix(".prepared.onnx"), path.with_suffix(".int8.onnx")
    with silenced():
        # Every shape is fixed, and the symbolic inference stumbles over some models.
        quant_pre_process(path, prepared, skip_symbolic_shape=True)
        quantize_static(
            prepared, quantized, Calibration(), per_channel=True, reduce_range=reduced_range()
        )
    return quantized
