"""Quantization with scales found beforehand on training images (PT2E, inductor's x86 kernels)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from greenexp.errors import NoEffect
from greenexp.protocols import NOT_FLOAT32, ModelFiles, Sample, Scalar, Traits
from greenexp.settings.checks import check_range
from greenexp.tactics.compilation import check_compiler, compiled_package, exported
from greenexp.tactics.int8 import reduced_range

if TYPE_CHECKING:
    from torch import nn

QUANTIZED = ("conv2d", "linear")  # operations that inductor has int8 kernels for


@dataclass(frozen=True)
class StaticQuantization:
    """Int8 weights and activations, with scales fixed beforehand, lowered by torch.compile.

    The scales come from training images; images of the evaluation are never looked at.

    Attributes:
        calibration_images: training images that the activations' ranges are observed on.
        linear: quantize linear layers too, not convolutions alone.
    """

    calibration_images: int = 64
    linear: bool = True

    def __post_init__(self) -> None:
        check_range("tactic.calibration_images", self.calibration_images, at_least=1)

    @property
    def traits(self) -> Traits:
        """It needs training images, and starts from float32 layers."""
        return Traits(
            makes=("quantized", "exported", "compiled"),
            not_after=NOT_FLOAT32,
            devices=("cpu",),
            calibration_images=self.calibration_images,
        )

    def __call__(self, module: nn.Module, sample: Sample) -> nn.Module:
        """Returns the exported, quantized module under torch.compile."""
        from greenexp.tactics.quantized_graph import QuantizedGraph

        return QuantizedGraph(self._converted(module, sample))

    def write(self, module: nn.Module, sample: Sample, folder: Path) -> ModelFiles:
        """Writes the quantized graph compiled ahead of time, with its weights packed."""
        from greenexp.tactics.quantized_graph import drop_unread

        converted = self._converted(module, sample)
        drop_unread(converted)
        return compiled_package(exported(converted, sample), folder, {"freezing": True})

    def _converted(self, module: nn.Module, sample: Sample) -> Any:
        """Returns the quantized graph, before it is compiled."""
        import torch
        from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e
        from torchao.quantization.pt2e.quantizer import x86_inductor_quantizer as x86

        check_compiler(sample.batch)
        quantizer = x86.X86InductorQuantizer()
        settings = x86.get_default_x86_inductor_quantization_config(reduce_range=reduced_range())
        if self.linear:
            quantizer.set_global(settings)
        else:
            quantizer.set_module_type_qconfig(torch.nn.Conv2d, settings)
        graph: Any = exported(module, sample).module()
        prepared = prepare_pt2e(graph, quantizer)
        for batch in sample.calibration:
            prepared(batch)
        return convert_pt2e(prepared)

    def effect(self, module: nn.Module) -> Mapping[str, Scalar]:
        """Returns how many layers of each kind compute in int8, of how many, and at what bits."""
        from greenexp.tactics.quantized_graph import QuantizedGraph

        if not isinstance(module, QuantizedGraph):
            raise NoEffect("no quantized graph is left of the module")
        proof: dict[str, Scalar] = {"calibration_images": self.calibration_images}
        for operation in QUANTIZED:
            quantized, total = module.quantized(operation)
            proof[f"{operation}_quantized"] = quantized
            proof[operation] = total
        if not any(proof[f"{operation}_quantized"] for operation in QUANTIZED):
            raise NoEffect("no convolution or linear layer was quantized")
        bits = module.activation_bits()
        if bits is not None:
            proof["activation_bits"] = bits
        return proof
