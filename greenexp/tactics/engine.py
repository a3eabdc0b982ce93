"""An inference engine's session in a module's place."""

from __future__ import annotations

import contextlib
import io
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn


class Engine(nn.Module):
    """Pixel values to an engine that torch knows nothing of, and its logits back.

    Args:
        infer: float32 (batch, channels, height, width) to logits.
        held: the weights as the engine's model file holds them.
        stored_bytes: size of that file.
        facts: what the engine says of itself.
    """

    def __init__(
        self,
        infer: Callable[[NDArray[np.float32]], NDArray[Any]],
        *,
        held: Sequence[NDArray[Any]],
        stored_bytes: int,
        facts: dict[str, str | int | float | bool],
    ) -> None:
        super().__init__()
        self._infer = infer
        self._held = held
        self.stored_bytes = stored_bytes
        self.facts = facts
        self.eval()

    def forward(self, pixels: Tensor) -> Tensor:
        """Returns the logits, float32."""
        return torch.from_numpy(np.asarray(self._infer(pixels.numpy()), dtype=np.float32))

    def held_weights(self) -> Iterable[Tensor]:
        """Returns the weights as the engine's model file holds them."""
        return (torch.from_numpy(np.array(weight)) for weight in self._held)


@contextlib.contextmanager
def silenced() -> Iterator[None]:
    """Keeps exporters and quantizers from narrating their progress; errors are raised anyway."""
    logging.disable(logging.WARNING)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        logging.disable(logging.NOTSET)
