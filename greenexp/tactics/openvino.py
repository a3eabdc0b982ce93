"""Execution by OpenVINO."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from greenexp.errors import NoEffect, Unsupported
from greenexp.protocols import ModelFiles, Sample, Scalar, Traits
from greenexp.tactics.engine_options import check_options, engine_traits

if TYPE_CHECKING:
    from torch import nn

Precision = Literal["float32", "bfloat16", "int8"]
HINTS = {"float32": "f32", "bfloat16": "bf16", "int8": "f32"}
DEVICE = "CPU"
FILE = "model.xml"
ATTENTION = ("Softmax", "ScaledDotProductAttention")
FLOATING_OR_INT8 = ("f32", "f16", "bf16", "i8", "u8")


@dataclass(frozen=True)
class OpenVino:
    """The model converted to OpenVINO and run by its CPU plug-in.

    Attributes:
        precision: of the arithmetic. `int8` quantizes weights and activations with NNCF, with
            scales from training images.
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
            packages=("openvino", "nncf") if self.precision == "int8" else ("openvino",),
            extra="openvino",
        )

    def __call__(self, module: nn.Module, sample: Sample) -> nn.Module:
        """Returns the engine."""
        import openvino

        from greenexp.tactics.engine import Engine

        core = self._core()
        try:
            model = self._converted(module, sample)
            compiled = core.compile_model(model, DEVICE, self._settings())
        except Exception as error:  # they raise types of many kinds
            raise _refused(error) from None
        constants = [
            operation
            for operation in model.get_ops()
            if operation.get_type_name() == "Constant"
            and operation.get_element_type().get_type_name() in FLOATING_OR_INT8
            and operation.get_output_shape(0)
        ]
        request = compiled.create_infer_request()
        quantizers = sum(op.get_type_name() == "FakeQuantize" for op in model.get_ops())
        return Engine(
            lambda pixels: request.infer([pixels], share_inputs=True)[0],
            held=[constant.get_data() for constant in constants if not _scales(constant)],
            stored_bytes=sum(constant.get_byte_size() for constant in constants),
            facts={
                "engine": f"openvino {openvino.__version__.partition('-')[0]}",
                "precision": self.precision,
                "arithmetic": compiled.get_property("INFERENCE_PRECISION_HINT").get_type_name(),
                "operations": len(model.get_ops()),
                "quantizers": quantizers,
            },
        )

    def write(self, module: nn.Module, sample: Sample, folder: Path) -> ModelFiles:
        """Writes OpenVINO's intermediate representation, weights as they are."""
        import openvino

        self._core()
        try:
            model = self._converted(module, sample)
        except Exception as error:  # they raise types of many kinds
            raise _refused(error) from None
        openvino.save_model(model, folder / FILE, compress_to_fp16=False)
        options = {"device": DEVICE, "settings": self._settings()}
        return ModelFiles("openvino", FILE, options, ("openvino",))

    def _core(self) -> Any:
        """Returns OpenVINO's core.

        Raises:
            Unsupported: where this CPU does not compute at the precision asked for.
        """
        import openvino

        core = openvino.Core()
        if self.precision == "bfloat16" and "BF16" not in core.get_property(
            DEVICE, "OPTIMIZATION_CAPABILITIES"
        ):
            raise Unsupported("this CPU has no bfloat16 arithmetic that OpenVINO would use")
        return core

    def _converted(self, module: nn.Module, sample: Sample) -> Any:
        """Returns the model, quantized as asked, before it is compiled."""
        import openvino
        from torch.jit._trace import TracerWarning

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", TracerWarning)  # the shape is fixed
            model = openvino.convert_model(module, example_input=sample.batch)
        model.reshape(list(sample.batch.shape))
        return _quantize(model, sample) if self.precision == "int8" else model

    def _settings(self) -> dict[str, str | int]:
        import torch

        return {
            "INFERENCE_PRECISION_HINT": HINTS[self.precision],
            "INFERENCE_NUM_THREADS": torch.get_num_threads(),
            "PERFORMANCE_HINT": "LATENCY",
        }

    def effect(self, module: nn.Module) -> Mapping[str, Scalar]:
        """Returns the engine, the arithmetic that it says it uses, and its graph's size."""
        facts = dict(getattr(module, "facts", {}))
        if not facts:
            raise NoEffect("the module is no engine of OpenVINO")
        if self.precision == "int8" and not facts["quantizers"]:
            raise NoEffect("NNCF quantized no operation")
        return facts


def _refused(error: Exception) -> Unsupported:
    text = str(error).strip() or type(error).__name__  # the last line says why
    return Unsupported(f"OpenVINO can't take the model: {text.splitlines()[-1]}")


def _scales(constant: Any) -> bool:
    """Tells whether a constant only scales what is quantized, and so is no weight."""
    users = [target.get_node() for target in constant.output(0).get_target_inputs()]
    return any(
        user.get_type_name() == "FakeQuantize"
        or (
            user.get_type_name() in ("Multiply", "Subtract")
            and user.input_value(0).get_node().get_type_name() == "Convert"
        )
        for user in users
    )


def _quantize(model: Any, sample: Sample) -> Any:
    import nncf

    from greenexp.tactics.engine import silenced

    images = nncf.Dataset([batch.numpy() for batch in sample.calibration])
    attends = any(op.get_type_name() in ATTENTION for op in model.get_ops())
    with silenced():
        return nncf.quantize(
            model,
            images,
            subset_size=len(sample.calibration),
            model_type=nncf.ModelType.TRANSFORMER if attends else None,
        )
