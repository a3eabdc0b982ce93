"""A layer whose weights are counted by hand, and the tactics that store weights in int8."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from greenexp.tactics.quantization import DynamicQuantization, Int8WeightOnly

INT8 = [
    pytest.param(DynamicQuantization("eager"), id="eager"),
    pytest.param(DynamicQuantization("torchao"), id="torchao"),
    pytest.param(Int8WeightOnly(), id="int8_weight_only"),
]
MIB = 2**20


def linear(bias: bool = True) -> nn.Module:
    """256 x 256 weights and 256 biases."""
    return nn.Sequential(nn.Linear(256, 256, bias=bias)).eval().requires_grad_(False)


def rows(count: int = 2) -> torch.Tensor:
    return torch.randn(count, 256)
