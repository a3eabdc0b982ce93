"""What tests of structured pruning share: images, and what is left of a weight."""

from __future__ import annotations

from collections import Counter

import torch
from torch import Tensor

from benchmarks.families import SIZE


def images() -> Tensor:
    return torch.randn(2, 3, SIZE, SIZE)


def kept(whole: Tensor, part: Tensor, dim: int) -> list[int]:
    """Which rows (dim 0) or columns (dim 1) of a weight are in a part of it, told by values."""
    values = whole.flatten().tolist()
    places = {value: index for index, value in enumerate(values)}
    twice = {value for value, count in Counter(values).items() if count > 1}
    indices = [places[value] for value in part.flatten().tolist() if value not in twice]
    behind = whole[0].numel() if dim == 0 else whole[0, 0].numel()
    return sorted({index // behind % whole.shape[dim] for index in indices})
