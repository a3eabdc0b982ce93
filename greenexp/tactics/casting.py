"""Wrappers that keep a module's outside in float32 while its inside computes in half precision."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Cast(nn.Module):
    """Float32 pixel values to a module of another type, and its logits back to float32."""

    def __init__(self, module: nn.Module, dtype: torch.dtype) -> None:
        super().__init__()
        self.module = module
        self.dtype = dtype

    def forward(self, pixels: Tensor) -> Tensor:
        """Returns the logits, float32."""
        logits: Tensor = self.module(pixels.to(self.dtype))
        return logits.float()


class Autocast(nn.Module):
    """A module under torch.autocast."""

    def __init__(self, module: nn.Module, dtype: torch.dtype) -> None:
        super().__init__()
        self.module = module
        self.dtype = dtype

    def forward(self, pixels: Tensor) -> Tensor:
        """Returns the logits, float32."""
        with torch.autocast(pixels.device.type, dtype=self.dtype):
            logits: Tensor = self.module(pixels)
        return logits.float()
