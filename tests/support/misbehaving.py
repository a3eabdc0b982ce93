"""Tactics whose runs misbehave in their turn, once they have been parked."""

from __future__ import annotations

import os
import signal
import threading
import time
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from greenexp.protocols import Sample, Scalar, Traits

PAUSE_S = 0.02  # between two passes: the run was parked
PAUSES = 6  # that come before the deed; loading and warming up have some of their own


class Misbehaving(nn.Module):
    """The model as it is, until it has been parked a few times."""

    def __init__(self, inner: nn.Module, deed: str) -> None:
        super().__init__()
        self.inner = inner
        self.deed = deed
        self.last_s = time.monotonic()
        self.pauses = 0

    def forward(self, pixels: Tensor) -> Tensor:
        logits: Tensor = self.inner(pixels)
        now_s = time.monotonic()
        self.pauses += now_s - self.last_s > PAUSE_S
        self.last_s = now_s
        if self.pauses == PAUSES:
            self.pauses += 1
            _do(self.deed)
        return logits


def _do(deed: str) -> None:
    if deed == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if deed == "hang":
        time.sleep(1e6)
    if deed == "memory":
        raise MemoryError("made up")


def _spin() -> None:
    while True:
        sum(range(1000))


@dataclass(frozen=True)
class Faulty:
    """Does something in a turn: `kill`, `hang`, `memory`; `spin` begins at once."""

    deed: str

    @property
    def traits(self) -> Traits:
        """Nothing of note."""
        return Traits()

    def __call__(self, module: nn.Module, sample: Sample) -> nn.Module:
        """Returns the module in a shell; it is none of the usual kinds of module."""
        del sample
        if self.deed == "spin":
            threading.Thread(target=_spin, daemon=True).start()
            return module
        return Misbehaving(module, self.deed)

    def effect(self, module: nn.Module) -> dict[str, Scalar]:
        """Returns what it is up to."""
        del module
        effect: dict[str, Any] = {"deed": self.deed}
        return effect
