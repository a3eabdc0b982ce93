"""Structured pruning of channels: which go, which stay, and what is put back."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn
from torch_pruning import DependencyGraph

from greenexp.errors import NoEffect
from greenexp.tactics.structured_pruning import StructuredPruning
from tests.support.modules import seen
from tests.support.pruned_layers import images, kept

pytestmark = pytest.mark.usefixtures("in_a_run")


# Channels


def between(channels: int, *inside: nn.Module, kernel: int = 1) -> nn.Module:
    """A layer that makes channels, what stands between, and a layer that consumes them."""
    made = nn.Conv2d(3, channels, kernel)
    return nn.Sequential(made, *inside, nn.Conv2d(channels, 4, 1)).eval().requires_grad_(False)


def quieten(module: nn.Module, channels: list[int]) -> None:
    module[0].weight[channels] *= 0.01
    module[-1].weight[:, channels] *= 0.01


@pytest.mark.parametrize(
    "inside",
    [
        pytest.param([], id="nothing_between"),
        pytest.param([nn.ReLU()], id="activation"),
        pytest.param([nn.BatchNorm2d(10), nn.ReLU()], id="norm"),
        pytest.param([nn.Conv2d(10, 10, 3, groups=10)], id="depthwise"),
    ],
)
def test_the_channels_of_least_norm_go(inside: list[nn.Module]) -> None:
    module = between(10, *copy.deepcopy(inside))
    quieten(module, [2, 5, 9])
    whole = module[0].weight.clone()
    StructuredPruning(0.3)(module, seen(images()))
    assert kept(whole, module[0].weight, dim=0) == [0, 1, 3, 4, 6, 7, 8]
    assert module[-1].weight.shape[:2] == (4, 7)
    assert module(images()).shape[1] == 4


def test_channels_that_are_flattened_go_with_all_their_pixels() -> None:
    made, head = nn.Conv2d(3, 10, 1), nn.Linear(40, 5)
    module = nn.Sequential(made, nn.AdaptiveAvgPool2d(2), nn.Flatten(), head).eval()
    whole = head.weight.clone()
    made.weight[[0, 1, 2]] = 0.0
    StructuredPruning(0.3)(module, seen(images()))
    assert kept(whole, head.weight, dim=1) == list(range(12, 40))


def test_as_many_channels_go_from_each_group_of_a_group_norm() -> None:
    module = between(16, nn.GroupNorm(4, 16))
    quieten(module, [0, 1, 2, 3])  # all of the first group
    whole = module[0].weight.clone()
    tactic = StructuredPruning(0.3)
    tactic(module, seen(images()))
    assert tactic.effect(module)["channels_removed"] == 4
    stays = kept(whole, module[0].weight, dim=0)
    assert [sum(channel // 4 == group for channel in stays) for group in range(4)] == [3, 3, 3, 3]
    assert module[1].num_channels == 12
    assert module(images()).shape[1] == 4


class Residual(nn.Module):
    """A stream of 16 channels, and a block of 32 beside it."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 16, 1)
        self.up, self.down = nn.Conv2d(16, 32, 1), nn.Conv2d(32, 16, 1)
        self.head = nn.Linear(16, 5)

    def forward(self, batch: Tensor) -> Tensor:
        stream = self.stem(batch)
        stream = stream + self.down(self.up(stream).relu())
        return self.head(stream.mean(dim=(2, 3)))


def test_stream_that_residuals_add_to_keeps_its_width() -> None:
    module = Residual().eval()
    tactic = StructuredPruning(0.5)
    tactic(module, seen(images()))
    assert (module.stem.out_channels, module.down.out_channels, module.head.in_features) == (
        16,
    ) * 3
    assert (module.up.out_channels, module.down.in_channels) == (16, 16)
    assert module.head.out_features == 5  # nothing consumes the logits
    assert tactic.effect(module)["channels_removed"] == 16


# What can't be


class Fixed(nn.Module):
    """Code that counts on 32 channels."""

    def __init__(self, scaled: bool) -> None:
        super().__init__()
        self.up, self.norm, self.down = nn.Linear(16, 32), nn.BatchNorm1d(32), nn.Linear(32, 10)
        self.scale = nn.Parameter(torch.rand(32)) if scaled else None

    def forward(self, rows: Tensor) -> Tensor:
        hidden = self.norm(self.up(rows))
        if self.scale is not None:
            hidden = hidden * self.scale
        return self.down(hidden.view(-1, 32))


@pytest.mark.parametrize("scaled", [False, True], ids=["layers", "a_parameter_of_the_block"])
def test_what_the_model_can_t_live_without_is_put_back_exactly(scaled: bool) -> None:
    module = Fixed(scaled).eval()
    rows = torch.randn(4, 16)
    before = {name: value.clone() for name, value in module.state_dict().items()}
    exact = module(rows)
    tactic = StructuredPruning(0.3)
    pruned = tactic(module, seen(rows))
    after = pruned.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(after[name], before[name]) for name in before)
    assert (pruned.up.out_features, pruned.norm.num_features, pruned.down.in_features) == (32,) * 3
    assert torch.equal(pruned(rows), exact)
    assert pruned.structured_pruning["widths_kept"] == 1
    with pytest.raises(NoEffect, match="no channel or head"):
        tactic.effect(pruned)


def test_group_that_would_empty_a_layer_is_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(DependencyGraph, "check_pruning_group", lambda graph, group: False)
    module = between(10)
    tactic = StructuredPruning(0.3)
    tactic(module, seen(images()))
    assert module[0].out_channels == 10
    with pytest.raises(NoEffect):
        tactic.effect(module)


@pytest.mark.parametrize(
    ("module", "amount"),
    [
        pytest.param(between(10), 0.04, id="less_than_half_a_channel"),
        pytest.param(between(10), 0.96, id="all_channels"),
        pytest.param(nn.Sequential(nn.Conv2d(3, 8, 1)).eval(), 0.5, id="nothing_between"),
        pytest.param(nn.Sequential(nn.ReLU()).eval(), 0.5, id="no_layers"),
    ],
)
def test_nothing_to_remove_has_no_effect(module: nn.Module, amount: float) -> None:
    tactic = StructuredPruning(amount)
    pruned = tactic(module, seen(images()))
    with pytest.raises(NoEffect, match="no channel or head"):
        tactic.effect(pruned)
