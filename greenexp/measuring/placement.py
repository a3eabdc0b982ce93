"""Where in memory the results of a pass lie, drawn anew for each window.

The C library gives each pass the same addresses. Which they are depends on all that the process has
allocated before, and the time of a pass depends on them by several percent. So two equal processes
differ for good. Blocks of random sizes among them move what a pass allocates, so that rounds
average over many placements (Curtsinger and Berger, 2013, STABILIZER: statistically sound
performance evaluation, ASPLOS).
"""

from __future__ import annotations

import math
import random
from typing import TYPE_CHECKING

from greenexp.settings.workload import Workload

if TYPE_CHECKING:
    from torch import Tensor

BLOCKS = 64  # drawn each time; half of them leave a hole
SMALLEST_BYTES, LARGEST_BYTES = 64, 4 * 2**20  # as what a pass allocates


class Placement:
    """Blocks of main memory that lie among what passes allocate, and hold nothing."""

    def __init__(self) -> None:
        self._dice = random.Random()  # its own: seeds of the user stay as they are
        self._blocks: list[Tensor] = []

    @classmethod
    def of(cls, workload: Workload, device: str) -> Placement | None:
        """Returns that of a run; None where what passes allocate stays where it lies."""
        return cls() if workload.shuffle_memory and device == "cpu" else None

    def draw(self) -> None:
        """Gives the blocks back and allocates others."""
        import torch

        self._blocks.clear()
        blocks = [torch.empty(self._size_bytes(), dtype=torch.uint8) for _ in range(BLOCKS)]
        self._dice.shuffle(blocks)
        self._blocks = blocks[: BLOCKS // 2]

    def _size_bytes(self) -> int:
        ends = math.log(SMALLEST_BYTES), math.log(LARGEST_BYTES)
        return round(math.exp(self._dice.uniform(*ends)))
