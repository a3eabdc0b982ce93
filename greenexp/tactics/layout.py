"""The order of an image's values in memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from greenexp.errors import NoEffect
from greenexp.protocols import Sample, Scalar, Traits

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class ChannelsLast:
    """Convolutions in the channels-last (NHWC) layout, which many kernels compute in."""

    traits: ClassVar[Traits] = Traits(not_after=("exported", "compiled", "engine"))

    def __call__(self, module: nn.Module, sample: Sample) -> nn.Module:
        """Returns the module with four-dimensional weights and its input in that layout."""
        import torch

        from greenexp.tactics.nhwc import Nhwc

        untyped: Any = module  # torch's annotations of `to` leave the layout out
        return Nhwc(untyped.to(memory_format=torch.channels_last)).eval()

    def effect(self, module: nn.Module) -> Mapping[str, Scalar]:
        """Returns how many convolutions have their weights in that layout, and of how many.

        A weight of one channel or one pixel is in both layouts at once and isn't counted.
        """
        import torch

        weights = [layer.weight for layer in module.modules() if isinstance(layer, torch.nn.Conv2d)]
        moved = sum(
            weight.is_contiguous(memory_format=torch.channels_last) and not weight.is_contiguous()
            for weight in weights
        )
        if not weights:
            raise NoEffect("the model has no Conv2d layer whose layout could change")
        return {"convolutions_moved": moved, "convolutions": len(weights)}
