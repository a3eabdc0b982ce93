"""Quantization without calibration."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

from greenexp.errors import NoEffect, Unsupported, check_choice
from greenexp.protocols import Scalar

if TYPE_CHECKING:
    from torch import Tensor, nn


Backend = Literal["auto", "eager", "torchao"]


@dataclass(frozen=True)
class DynamicQuantization:
    """Int8 weights, and activations quantized to int8 as they come, on Linear layers.

    Attributes:
        backend: `eager` is torch.ao.quantization.quantize_dynamic, whose kernels are for CPUs;
            `torchao` is its successor, for GPUs too; `auto` takes eager on the CPU and torchao
            elsewhere. Which one ran is in the effect.
    """

    backend: Backend = "auto"

    def __post_init__(self) -> None:
        check_choice("tactic.backend", self.backend, get_args(Backend))

    def __call__(self, module: nn.Module, sample: Tensor) -> nn.Module:
        """Returns the module with its Linear layers converted in place."""
        on_cpu = sample.device.type == "cpu"
        if self.backend == "eager" and not on_cpu:
            raise Unsupported(
                "eager dynamic quantization has kernels for CPUs only; "
                "use tactic.backend=torchao, or auto"
            )
        eager = self.backend == "eager" or (self.backend == "auto" and on_cpu)
        return _quantize_eager(module) if eager else _quantize_torchao(module)

    def effect(self, module: nn.Module) -> Mapping[str, Scalar]:
        """Returns the modules converted, of how many, and the backend that ran."""
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


def _quantize_eager(module: nn.Module) -> nn.Module:
    import torch

    with warnings.catch_warnings():
        # Deprecated in favour of torchao, whose int8 is slower on CPUs; the study used this one.
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.filterwarnings("ignore", message="torch.quantize_per_tensor")
        converted: nn.Module = torch.ao.quantization.quantize_dynamic(
            module, {torch.nn.Linear}, dtype=torch.qint8, inplace=True
        )
    return converted


def _quantize_torchao(module: nn.Module) -> nn.Module:
    from torchao.quantization import Int8DynamicActivationInt8WeightConfig, quantize_

    quantize_(module, Int8DynamicActivationInt8WeightConfig())
    return module
