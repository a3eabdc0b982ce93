"""The baseline in disguise: as much work as it, or a known share more."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from greenexp.protocols import Sample, Scalar, Traits


class Longer(nn.Module):
    """A model that is given some images of each batch a second time.

    To join images to a batch copies it, which is work beyond the share. So that is done once for a
    batch, in the warm-up: the windows go through the same batches again and again.
    """

    def __init__(self, inner: nn.Module, more: float) -> None:
        super().__init__()
        self.inner = inner
        self.more = more
        self._joined: dict[int, tuple[Tensor, Tensor]] = {}

    def forward(self, pixels: Tensor) -> Tensor:
        """Returns the logits of the batch."""
        known, joined = self._joined.get(id(pixels), (None, pixels))
        if known is not pixels:
            joined = torch.cat([pixels, pixels[: round(self.more * len(pixels))]])
            self._joined[id(pixels)] = pixels, joined
        logits = self.inner(joined)
        return logits[: len(pixels)]


@dataclass(frozen=True)
class Disguise:
    """Does a share more work than the baseline; exactly so where the batch has as many images.

    Attributes:
        more: the share.
        place: tells disguises of one share apart, which would be one cell otherwise.
    """

    more: float
    place: int = 0

    @property
    def traits(self) -> Traits:
        """Nothing of note."""
        return Traits()

    def __call__(self, module: nn.Module, sample: Sample) -> nn.Module:
        """Returns the module in its disguise; for no more work as it is, as a wrapper is work."""
        del sample
        return Longer(module, self.more) if self.more else module

    def effect(self, module: nn.Module) -> dict[str, Scalar]:
        """Returns the share."""
        del module
        return {"more": self.more}
