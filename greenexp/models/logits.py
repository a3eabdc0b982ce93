"""The one shape of module that tactics see: pixel values in, logits out."""

from __future__ import annotations

from torch import Tensor, nn


class Logits(nn.Module):
    """Wraps a Hugging Face classifier.

    Maps float32 (batch, channels, height, width) to logits (batch, outputs).
    """

    def __init__(self, model: nn.Module, input_name: str) -> None:
        super().__init__()
        self.model = model
        self.input_name = input_name

    def forward(self, pixels: Tensor) -> Tensor:
        """Returns the logits."""
        logits: Tensor = self.model(**{self.input_name: pixels}).logits
        return logits
