"""Unstructured pruning: the smallest weights become zero and nothing is saved by it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn.utils import prune

from greenexp.errors import NoEffect
from greenexp.tactics.layout import ChannelsLast
from greenexp.tactics.pruning import GlobalPruning, LocalPruning, prunable
from tests.support.modules import as_in_a_run, loaded, pixels, seen, zeros

PRUNINGS = [
    pytest.param(LocalPruning, id="local"),
    pytest.param(GlobalPruning, id="global"),
]


@pytest.fixture(autouse=True)
def _as_in_a_run() -> Iterator[None]:
    with as_in_a_run():
        yield


def two_layers() -> nn.Sequential:
    """100 small weights between -0.1 and 0.1, and 300 between 1 and 2 in absolute value."""
    module = nn.Sequential(nn.Linear(10, 10), nn.ReLU(), nn.Conv2d(10, 30, 1)).eval()
    module[0].weight.uniform_(-0.1, 0.1)
    module[2].weight.uniform_(1, 2)
    module[2].weight[::2] *= -1
    return module


@pytest.mark.parametrize("amount", [0.1, 0.3, 0.9])
def test_local_pruning_zeroes_the_same_fraction_of_each_layer(amount: float) -> None:
    tactic = LocalPruning(amount)
    module = tactic(two_layers(), seen())
    assert [zeros(layer) for layer in prunable(module)] == pytest.approx([amount, amount])
    assert tactic.effect(module) == {
        "layers_pruned": 2,
        "sparsity_of_pruned_layers": pytest.approx(amount),
        "compute_saved": False,
    }


@pytest.mark.parametrize(
    ("amount", "of_each"),
    [
        pytest.param(0.1, [0.4, 0.0], id="some_of_the_small"),
        pytest.param(0.25, [1.0, 0.0], id="all_of_the_small"),
        pytest.param(0.5, [1.0, 1 / 3], id="then_the_large"),
    ],
)
def test_global_pruning_zeroes_the_smallest_of_all_layers(
    amount: float, of_each: list[float]
) -> None:
    tactic = GlobalPruning(amount)
    module = tactic(two_layers(), seen())
    assert [zeros(layer) for layer in prunable(module)] == pytest.approx(of_each)
    assert tactic.effect(module) == {
        "layers_pruned": 2,
        "sparsity_of_pruned_layers": pytest.approx(amount),
        "compute_saved": False,
    }


@pytest.mark.parametrize("tactic", PRUNINGS)
@pytest.mark.parametrize("family", ["vit_folder", "resnet_folder"])
def test_pruning_of_a_classifier_reaches_the_sparsity_asked_for(
    request: pytest.FixtureRequest, family: str, tactic: type
) -> None:
    module = loaded(request.getfixturevalue(family))
    layers = len(prunable(module))
    pruned = tactic(0.3)(module, seen())
    effect = tactic(0.3).effect(pruned)
    assert effect["layers_pruned"] == layers > 1
    assert effect["sparsity_of_pruned_layers"] == pytest.approx(0.3, abs=0.01)


@pytest.mark.parametrize("tactic", PRUNINGS)
def test_pruning_zeroes_the_least_and_leaves_the_rest(tactic: type) -> None:
    module = nn.Sequential(nn.Linear(8, 4)).eval()
    weight, bias = module[0].weight.clone(), module[0].bias.clone()
    tactic(0.5)(module, seen())
    kept = module[0].weight != 0
    assert torch.equal(module[0].weight[kept], weight[kept])
    assert weight[~kept].abs().max() <= weight[kept].abs().min()
    assert torch.equal(module[0].bias, bias)


@pytest.mark.parametrize("tactic", PRUNINGS)
def test_pruning_is_for_good_and_leaves_no_mask(vit_folder: Path, tactic: type) -> None:
    module = loaded(vit_folder)
    names = set(module.state_dict())
    tactic(0.5)(module, seen())
    assert set(module.state_dict()) == names
    assert not any(layer._forward_pre_hooks for layer in module.modules())


@pytest.mark.parametrize("tactic", PRUNINGS)
def test_pruning_in_channels_last_zeroes_the_same_and_keeps_the_layout(tactic: type) -> None:
    """torch's pruning takes weights that lie row by row only."""

    def layers() -> nn.Module:
        torch.manual_seed(1)
        return nn.Sequential(nn.Conv2d(3, 8, 3), nn.Conv2d(8, 4, 3)).eval()

    sample = seen(pixels())
    plain = tactic(0.5)(layers(), sample)
    moved = tactic(0.5)(ChannelsLast()(layers(), sample), sample)
    for layer, other in zip(prunable(moved), prunable(plain), strict=True):
        assert torch.equal(layer.weight, other.weight)
        assert layer.weight.is_contiguous(memory_format=torch.channels_last)
    assert ChannelsLast().effect(moved)["convolutions_moved"] == 2
    torch.testing.assert_close(moved(sample.batch), plain(sample.batch))


@pytest.mark.parametrize("tactic", PRUNINGS)
def test_pruning_that_fails_keeps_the_layout(monkeypatch: pytest.MonkeyPatch, tactic: type) -> None:
    def fail(*given: object, **named: object) -> None:
        raise RuntimeError("out of order")

    for name in ("l1_unstructured", "global_unstructured"):
        monkeypatch.setattr(prune, name, fail)
    sample = seen(pixels())
    moved = ChannelsLast()(nn.Sequential(nn.Conv2d(3, 8, 3)).eval(), sample)
    with pytest.raises(RuntimeError, match="out of order"):
        tactic(0.5)(moved, sample)
    assert ChannelsLast().effect(moved)["convolutions_moved"] == 1


@pytest.mark.parametrize("tactic", PRUNINGS)
def test_pruning_without_layers_has_no_effect(tactic: type) -> None:
    module = tactic(0.5)(nn.Sequential(nn.BatchNorm2d(3), nn.ReLU()).eval(), seen())
    with pytest.raises(NoEffect, match="no Linear or Conv2d"):
        tactic(0.5).effect(module)


@pytest.mark.parametrize("tactic", PRUNINGS)
@pytest.mark.parametrize("amount", [0.5, 0.02, 0.005])
def test_pruning_not_applied_has_no_effect(tactic: type, amount: float) -> None:
    with pytest.raises(NoEffect):
        tactic(amount).effect(two_layers())


@pytest.mark.parametrize("tactic", PRUNINGS)
def test_pruning_of_less_than_one_weight_has_no_effect(tactic: type) -> None:
    pruning = tactic(0.001)
    with pytest.raises(NoEffect, match=r"raise tactic\.amount"):
        pruning.effect(pruning(two_layers(), seen()))
