"""Unstructured pruning: the smallest weights become zeros, in tensors as large as before.

Dense kernels multiply by those zeros like by any number: no compute is saved, as the effect says.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from greenexp.errors import NoEffect, check_range
from greenexp.protocols import Scalar

if TYPE_CHECKING:
    from torch import Tensor, nn

TOLERANCE = 0.01  # torch rounds the number of weights in each layer


@dataclass(frozen=True)
class LocalPruning:
    """In each Linear and Conv2d layer, zeroes the fraction `amount` of weights least by L1."""

    amount: float = 0.3

    def __post_init__(self) -> None:
        check_range("tactic.amount", self.amount, above=0, below=1)

    def __call__(self, module: nn.Module, sample: Tensor) -> nn.Module:
        """Returns the module, pruned in place and for good."""
        from torch.nn.utils import prune

        for layer in prunable(module):
            prune.l1_unstructured(layer, "weight", amount=self.amount)
            prune.remove(layer, "weight")
        return module

    def effect(self, module: nn.Module) -> Mapping[str, Scalar]:
        """Returns the layers pruned and the sparsity reached in them."""
        return _proof(module, self.amount)


@dataclass(frozen=True)
class GlobalPruning:
    """Across all Linear and Conv2d layers, zeroes the fraction `amount` of weights least by L1."""

    amount: float = 0.3

    def __post_init__(self) -> None:
        check_range("tactic.amount", self.amount, above=0, below=1)

    def __call__(self, module: nn.Module, sample: Tensor) -> nn.Module:
        """Returns the module, pruned in place and for good."""
        from torch.nn.utils import prune

        layers = prunable(module)
        if layers:
            prune.global_unstructured(
                [(layer, "weight") for layer in layers],
                pruning_method=prune.L1Unstructured,
                amount=self.amount,
            )
            for layer in layers:
                prune.remove(layer, "weight")
        return module

    def effect(self, module: nn.Module) -> Mapping[str, Scalar]:
        """Returns the layers pruned and the sparsity reached over them."""
        return _proof(module, self.amount)


def prunable(module: nn.Module) -> list[nn.Module]:
    """Returns the layers whose weights pruning may zero."""
    from torch import nn

    return [child for child in module.modules() if isinstance(child, nn.Linear | nn.Conv2d)]


def _proof(module: nn.Module, amount: float) -> Mapping[str, Scalar]:
    import torch

    weights = [layer.weight for layer in prunable(module) if isinstance(layer.weight, torch.Tensor)]
    total = sum(weight.numel() for weight in weights)
    zeros = sum(int((weight == 0).sum()) for weight in weights)
    if total == 0:
        raise NoEffect("the model has no Linear or Conv2d layer to prune")
    if zeros / total < amount - TOLERANCE:
        raise NoEffect(
            f"pruning reached a sparsity of {zeros / total:.3f} where {amount} was asked for"
        )
    return {
        "layers_pruned": len(weights),
        "sparsity_of_pruned_layers": zeros / total,
        "compute_saved": False,
    }
