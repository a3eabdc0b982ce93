"""2:4 sparsity: of each four weights two are zero, which GPUs since Ampere skip."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from greenexp.errors import NoEffect, Unsupported
from greenexp.protocols import NOT_FLOAT32, Sample, Scalar, Traits

if TYPE_CHECKING:
    from torch import Tensor, nn

AMPERE = (8, 0)  # the first compute capability with sparse tensor cores (NVIDIA, A100 whitepaper)
MULTIPLE = 64  # of rows and columns that torch's sparse kernels take in half precision


@dataclass(frozen=True)
class SemiStructuredSparsity:
    """Of each four weights in a row of a Linear layer the two largest stay, in float16."""

    traits: ClassVar[Traits] = Traits(
        makes=("half", "quantized"),
        not_after=NOT_FLOAT32,
        devices=("cuda",),
    )

    def __call__(self, module: nn.Module, sample: Sample) -> nn.Module:
        """Returns the module in float16 with its Linear layers sparse."""
        import torch
        from torch.sparse import to_sparse_semi_structured

        from greenexp.tactics.precision import cast_to

        device = sample.batch.device
        if device.type != "cuda":
            raise Unsupported("2:4 sparsity has kernels for NVIDIA GPUs only; use device=cuda")
        if torch.cuda.get_device_capability(device) < AMPERE:
            raise Unsupported("2:4 sparsity needs an NVIDIA GPU of compute capability 8.0 or more")
        cast = cast_to(module, torch.float16, sample)
        for layer in cast.modules():
            if isinstance(layer, torch.nn.Linear) and _fits(layer):
                kept = layer.weight * two_of_four(layer.weight)
                layer.weight = torch.nn.Parameter(
                    to_sparse_semi_structured(kept), requires_grad=False
                )
        return cast

    def effect(self, module: nn.Module) -> Mapping[str, Scalar]:
        """Returns the layers made sparse, and of how many."""
        import torch
        from torch.sparse import SparseSemiStructuredTensor

        layers = [layer for layer in module.modules() if isinstance(layer, torch.nn.Linear)]
        sparse = sum(isinstance(layer.weight, SparseSemiStructuredTensor) for layer in layers)
        if sparse == 0:
            raise NoEffect(
                f"no Linear layer was made sparse; rows and columns must be multiples of {MULTIPLE}"
            )
        return {"modules_sparse": sparse, "linear_modules": len(layers), "pattern": "2:4"}


def two_of_four(weight: Tensor) -> Tensor:
    """Returns a mask of the weight's shape: of each four in a row, the two of largest magnitude."""
    import torch

    fours = weight.abs().reshape(-1, 4)
    kept = fours.topk(2, dim=1).indices
    return torch.zeros_like(fours).scatter_(1, kept, 1).reshape(weight.shape).to(weight.dtype)


def _fits(layer: nn.Linear) -> bool:
    return layer.in_features % MULTIPLE == 0 and layer.out_features % MULTIPLE == 0
