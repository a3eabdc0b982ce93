"""Unstructured pruning: the smallest weights become zeros, in tensors as large as before.

Dense kernels multiply by those zeros like by any number: no compute is saved, as the effect says.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from greenexp.errors import NoEffect
from greenexp.protocols import NOT_FLOAT, Sample, Scalar, Traits
from greenexp.settings.checks import check_range

if TYPE_CHECKING:
    from torch import nn


ZEROING = Traits(not_after=NOT_FLOAT)


@dataclass(frozen=True)
class LocalPruning:
    """In each Linear and Conv2d layer, zeroes the fraction `amount` of weights least by L1."""

    traits: ClassVar[Traits] = ZEROING

    amount: float = 0.3

    def __post_init__(self) -> None:
        check_range("tactic.amount", self.amount, above=0, below=1)

    def __call__(self, module: nn.Module, sample: Sample) -> nn.Module:
        """Returns the module, pruned in place and for good."""
        from torch.nn.utils import prune

        layers = prunable(module)
        with _row_by_row(layers):
            for layer in layers:
                prune.l1_unstructured(layer, "weight", amount=self.amount)
                prune.remove(layer, "weight")
        return module

    def effect(self, module: nn.Module) -> Mapping[str, Scalar]:
        """Returns the layers pruned and the sparsity reached in them."""
        # torch rounds the number of weights in each layer
        return _proof(module, sum(round(self.amount * size) for size in _sizes(module)))


@dataclass(frozen=True)
class GlobalPruning:
    """Across all Linear and Conv2d layers, zeroes the fraction `amount` of weights least by L1."""

    traits: ClassVar[Traits] = ZEROING

    amount: float = 0.3

    def __post_init__(self) -> None:
        check_range("tactic.amount", self.amount, above=0, below=1)

    def __call__(self, module: nn.Module, sample: Sample) -> nn.Module:
        """Returns the module, pruned in place and for good."""
        from torch.nn.utils import prune

        layers = prunable(module)
        if not layers:
            return module
        with _row_by_row(layers):
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
        return _proof(module, round(self.amount * sum(_sizes(module))))


def prunable(module: nn.Module) -> list[nn.Linear | nn.Conv2d]:
    """Returns the layers whose weights pruning may zero."""
    from torch import nn

    return [child for child in module.modules() if isinstance(child, nn.Linear | nn.Conv2d)]


@contextlib.contextmanager
def _row_by_row(layers: Sequence[nn.Linear | nn.Conv2d]) -> Iterator[None]:
    """Lays weights out as torch's pruning needs them, and back: channels_last may come before."""
    import torch

    moved = [layer for layer in layers if not layer.weight.is_contiguous()]
    for layer in moved:
        layer.weight.data = layer.weight.data.contiguous()
    try:
        yield
    finally:
        for layer in moved:
            if layer.weight.dim() == 4:
                layer.weight.data = layer.weight.data.contiguous(memory_format=torch.channels_last)


def _sizes(module: nn.Module) -> list[int]:
    return [layer.weight.numel() for layer in prunable(module)]


def _proof(module: nn.Module, due: int) -> Mapping[str, Scalar]:
    """Returns the proof that at least the weights due are zero."""
    layers = prunable(module)
    total = sum(_sizes(module))
    zeros = sum(int((layer.weight == 0).sum()) for layer in layers)
    if total == 0:
        raise NoEffect("the model has no Linear or Conv2d layer to prune")
    if due == 0:
        raise NoEffect(f"the amount is less than one of {total} weights; raise tactic.amount")
    if zeros < due:
        raise NoEffect(f"pruning left {zeros} of {total} weights zero where {due} were due")
    return {
        "layers_pruned": len(layers),
        "sparsity_of_pruned_layers": zeros / total,
        "compute_saved": False,
    }
