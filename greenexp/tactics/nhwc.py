"""A wrapper that hands a module its images in the channels-last layout."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Nhwc(nn.Module):
    """Pixel values in any layout to a module that works in channels last."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, pixels: Tensor) -> Tensor:
        """Returns the logits."""
        logits: Tensor = self.module(pixels.contiguous(memory_format=torch.channels_last))
        return logits
