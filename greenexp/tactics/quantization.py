"""Quantization of Linear layers without calibration: int8 and int4 weights."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, get_args

from greenexp.errors import NoEffect, Unsupported
from greenexp.protocols import NOT_FLOAT, NOT_FLOAT32, Sample, Scalar, Traits
from greenexp.settings.checks import check_choice

if TYPE_CHECKING:
    from torch import nn


Backend = Literal["auto", "eager", "torchao"]
INT4_ROWS = 16  # the kernels take multiples of so many rows
GroupSize = Literal[32, 64, 128, 256]
MOST_ON_CPU = 128  # weights in a group that torchao's format for CPUs takes
FROM_FLOAT32 = Traits(makes=("quantized",), not_after=NOT_FLOAT32)
FROM_FLOAT = Traits(makes=("quantized",), not_after=NOT_FLOAT)


@dataclass(frozen=True)
class DynamicQuantization:
    """Int8 weights, and activations quantized to int8 as they come, on Linear layers.

    Attributes:
        backend: `eager` is torch.ao.quantization.quantize_dynamic, whose kernels are for CPUs;
            `torchao` is its successor, for GPUs too; `auto` takes eager on the CPU and torchao
            elsewhere. Which one ran is in the effect.
    """

    traits: ClassVar[Traits] = FROM_FLOAT32

    backend: Backend = "auto"

    def __post_init__(self) -> None:
        check_choice("tactic.backend", self.backend, get_args(Backend))

    def __call__(self, module: nn.Module, sample: Sample) -> nn.Module:
        """Returns the module with its Linear layers converted in place."""
        on_cpu = sample.batch.device.type == "cpu"
        if self.backend == "eager" and not on_cpu:
            raise Unsupported(
                "eager dynamic quantization has kernels for CPUs only; "
                "use tactic.backend=torchao, or auto"
            )
        eager = self.backend == "eager" or (self.backend == "auto" and on_cpu)
        return _quantize_eager(module) if eager else _int8_dynamic(module)

    def effect(self, module: nn.Module) -> Mapping[str, Scalar]:
        """Returns the modules converted, of how many, and the backend that ran."""
        return _converted(module)


@dataclass(frozen=True)
class Int8Dynamic:
    """Int8 weights, and activations quantized to int8 as they come, by torchao.

    torchao means its operations to be fused by torch.compile, as the chain of this tactic and
    torch_compile does.
    """

    traits: ClassVar[Traits] = FROM_FLOAT

    def __call__(self, module: nn.Module, sample: Sample) -> nn.Module:
        """Returns the module with its Linear layers converted in place."""
        return _int8_dynamic(module)

    def effect(self, module: nn.Module) -> Mapping[str, Scalar]:
        """Returns the modules converted, and of how many."""
        return _converted(module)


@dataclass(frozen=True)
class Int8WeightOnly:
    """Int8 weights, one scale a row, multiplied in floating point, by torchao."""

    traits: ClassVar[Traits] = FROM_FLOAT

    def __call__(self, module: nn.Module, sample: Sample) -> nn.Module:
        """Returns the module with its Linear layers converted in place."""
        from torchao.quantization import Int8WeightOnlyConfig, quantize_

        quantize_(module, Int8WeightOnlyConfig())
        return module

    def effect(self, module: nn.Module) -> Mapping[str, Scalar]:
        """Returns the modules converted, and of how many."""
        return _converted(module)


@dataclass(frozen=True)
class Int4WeightOnly:
    """Int4 weights, one scale and zero point a group, multiplied in bfloat16, by torchao.

    Only layers whose input width is a multiple of the group size, and whose output width is one of
    16, are converted. The kernels take bfloat16 only, so that the other layers are cast to it too.

    Attributes:
        group_size: weights of a row that share a scale; 256 on GPUs only.
    """

    traits: ClassVar[Traits] = Traits(
        makes=("half", "quantized"),
        not_after=NOT_FLOAT32,
    )

    group_size: GroupSize = 32

    def __post_init__(self) -> None:
        check_choice("tactic.group_size", str(self.group_size), map(str, get_args(GroupSize)))

    def __call__(self, module: nn.Module, sample: Sample) -> nn.Module:
        """Returns the module in bfloat16 with its Linear layers converted."""
        import torch
        from torchao.quantization import Int4WeightOnlyConfig, quantize_
        from torchao.quantization.quantize_.workflows import Int4PackingFormat

        from greenexp.tactics.precision import cast_to

        config: Any
        if sample.batch.device.type == "cpu":
            if self.group_size > MOST_ON_CPU:
                raise Unsupported(
                    f"int4 weights in groups of {self.group_size} have kernels for GPUs only; "
                    f"use tactic.group_size={MOST_ON_CPU} or less"
                )
            # The stable configuration has no CPU format since 0.18; its kernel is torch's own.
            from torchao.prototype.quantization.int4 import PrototypeInt4WeightOnlyConfig

            config = PrototypeInt4WeightOnlyConfig(group_size=self.group_size)
        else:
            config = Int4WeightOnlyConfig(
                group_size=self.group_size,
                int4_packing_format=Int4PackingFormat.TILE_PACKED_TO_4D,
            )

        def fits(layer: nn.Module, name: str) -> bool:
            return (
                isinstance(layer, torch.nn.Linear)
                and layer.in_features % self.group_size == 0
                and layer.out_features % INT4_ROWS == 0
            )

        cast = cast_to(module, torch.bfloat16, sample)
        quantize_(cast, config, filter_fn=fits)
        return cast

    def effect(self, module: nn.Module) -> Mapping[str, Scalar]:
        """Returns the modules converted, and of how many."""
        return _converted(module)


def _quantize_eager(module: nn.Module) -> nn.Module:
    import torch

    with warnings.catch_warnings():
        # Deprecated in favour of torchao, which is a backend of its own here.
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.filterwarnings("ignore", message="torch.quantize_per_tensor")
        converted: nn.Module = torch.ao.quantization.quantize_dynamic(
            module, {torch.nn.Linear}, dtype=torch.qint8, inplace=True
        )
    return converted


def _int8_dynamic(module: nn.Module) -> nn.Module:
    from torchao.quantization import Int8DynamicActivationInt8WeightConfig, quantize_

    quantize_(module, Int8DynamicActivationInt8WeightConfig())
    return module


def _converted(module: nn.Module) -> Mapping[str, Scalar]:
    """Returns the proof that Linear layers were quantized, and by which library."""
    import torch
    from torchao.utils import TorchAOBaseTensor

    eager = torchao = plain = 0
    for child in module.modules():
        if isinstance(child, torch.ao.nn.quantized.dynamic.Linear):
            eager += 1
        elif isinstance(child, torch.nn.Linear):
            if isinstance(child.weight, TorchAOBaseTensor):
                torchao += 1
            else:
                plain += 1
    if eager + torchao == 0:
        raise NoEffect("no Linear layer was quantized; the model has none that can be")
    return {
        "backend": "eager" if eager else "torchao",
        "modules_converted": eager + torchao,
        "linear_modules": eager + torchao + plain,
    }
