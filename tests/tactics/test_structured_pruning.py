"""Structured pruning: what goes, what stays, and that nothing else changes."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch_pruning import DependencyGraph

from benchmarks.families import FAMILIES, SIZE, write
from greenexp.errors import NoEffect, Unsupported
from greenexp.tactics.complexity import count_macs
from greenexp.tactics.structured_pruning import StructuredPruning
from tests.support.modules import as_in_a_run, embedded, error, loaded, pixels, seen

NOT_FOLLOWED = ("Hiera", "CvT")  # torch-pruning fails on their reshaping
NORMED = ("BiT", "ConvNeXtV2")  # a norm over channels that go changes those that stay
FOLLOWED = [name for name in FAMILIES if name not in NOT_FOLLOWED]


@pytest.fixture(autouse=True)
def _as_in_a_run() -> Iterator[None]:
    with as_in_a_run():
        yield


@pytest.fixture(scope="module")
def family(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], nn.Module]:
    """A random classifier of a family, whose every bias and norm matters."""
    folder = tmp_path_factory.mktemp("families")

    def load(name: str) -> nn.Module:
        with torch.random.fork_rng():
            there = folder / name
            module = loaded(there if there.exists() else write(name, folder))
        for parameter in module.parameters():
            if parameter.dim() == 1:
                parameter.uniform_(0.5, 1.5)
        return module

    return load


def images() -> Tensor:
    return torch.randn(2, 3, SIZE, SIZE)


def parameters(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def kept(whole: Tensor, part: Tensor, dim: int) -> list[int]:
    """Which rows (dim 0) or columns (dim 1) of a weight are in a part of it, told by values."""
    values = whole.flatten().tolist()
    places = {value: index for index, value in enumerate(values)}
    twice = {value for value, count in Counter(values).items() if count > 1}
    found = [places[value] for value in part.flatten().tolist() if value not in twice]
    behind = whole[0].numel() if dim == 0 else whole[0, 0].numel()
    return sorted({index // behind % whole.shape[dim] for index in found})


def without(whole: nn.Module, pruned: nn.Module) -> nn.Module:
    """The whole module with weights of zero for what the pruned one has no inputs for."""
    for name, layer in pruned.named_modules():
        full = whole.get_submodule(name)
        if not isinstance(layer, nn.Linear | nn.Conv2d) or layer.weight.shape == full.weight.shape:
            continue
        if layer.weight.shape[1] < full.weight.shape[1]:
            stays = kept(full.weight, layer.weight, dim=1)
            assert len(stays) == layer.weight.shape[1]
            full.weight[:, [one for one in range(full.weight.shape[1]) if one not in stays]] = 0
    return whole


# Whole classifiers


@pytest.mark.parametrize(
    ("name", "macs_removed"),
    [
        pytest.param("digits_vit", 0.25, id="vit"),
        pytest.param("digits_mobilenet_v2", 0.25, id="mobilenet_v2"),
        pytest.param("digits_convnext", 0.25, id="convnext"),
        pytest.param("digits_resnet", 0.2, id="resnet"),  # the residual stream is most of it
        pytest.param("digits_swin", 0.15, id="swin"),  # heads stay for their position bias
    ],
)
def test_macs_and_parameters_of_embedded_models_fall(name: str, macs_removed: float) -> None:
    module = embedded(name).module
    sample = seen()
    before, held = count_macs(module, sample.batch), parameters(module)
    tactic = StructuredPruning(0.3)
    pruned = tactic(module, sample)
    after = count_macs(pruned, sample.batch)
    effect = tactic.effect(pruned)
    assert before
    assert after
    assert effect["macs_removed"] == pytest.approx(1 - after / before)
    assert macs_removed <= effect["macs_removed"] < 0.51
    assert parameters(pruned) < 0.85 * held
    assert pruned(sample.batch).shape == (4, 10)


@pytest.mark.parametrize("name", FOLLOWED)
def test_pruned_model_computes_what_the_whole_does_without_what_went(
    family: Callable[[str], nn.Module], name: str
) -> None:
    batch = images()
    module = family(name)
    whole = copy.deepcopy(module)
    before, exact = count_macs(whole, batch), whole(batch)
    tactic = StructuredPruning(0.3)
    pruned = tactic(module, seen(batch))
    logits = pruned(batch)
    assert logits.shape == exact.shape == (2, 10)
    assert parameters(pruned) < parameters(whole)
    assert (count_macs(pruned, batch) or 0) < (before or 0)
    assert tactic.effect(pruned)["channels_removed"] > 0
    if name not in NORMED:
        assert error(logits, without(whole, pruned)(batch)) < 1e-4


def test_model_that_can_t_be_followed_is_unsupported(
    family: Callable[[str], nn.Module],
) -> None:
    with pytest.raises(Unsupported, match="torch-pruning can't follow it") as caught:
        StructuredPruning()(family("Hiera"), seen(images()))
    assert len(str(caught.value).splitlines()) == 1


def test_outside_of_no_grad_the_same_goes_and_gradients_are_off(
    family: Callable[[str], nn.Module],
) -> None:
    states = []
    for enabled in (False, True):
        torch.manual_seed(1)
        module = family("ResNet")
        with torch.set_grad_enabled(enabled):
            pruned = StructuredPruning(0.3)(module, seen(images()))
        assert not any(parameter.requires_grad for parameter in pruned.parameters())
        states.append(pruned.state_dict())
    assert states[0].keys() == states[1].keys()
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


# Heads


def attention_of(module: nn.Module) -> nn.Module:
    return next(one for one in module.modules() if hasattr(one, "q_proj"))


@pytest.mark.parametrize(
    ("amount", "removed"),
    [(0.1, 0), (0.3, 1), (0.5, 2), (0.9, 0)],
    ids=["less_than_half_a_head", "one", "two", "all_would_go"],
)
def test_heads_go_whole_and_never_all_of_them(
    family: Callable[[str], nn.Module], amount: float, removed: int
) -> None:
    module = family("ViT")
    size = attention_of(module).head_dim
    tactic = StructuredPruning(amount)
    pruned = tactic(module, seen(images()))
    attention = attention_of(pruned)
    widths = {
        attention.q_proj.out_features,
        attention.k_proj.out_features,
        attention.v_proj.out_features,
        attention.o_proj.in_features,
    }
    assert widths == {(4 - removed) * size}
    assert attention.num_attention_heads == 4 - removed
    assert tactic.effect(pruned)["heads_removed"] == 2 * removed  # in two layers


@pytest.mark.parametrize("head", range(4))
def test_the_least_head_goes_and_the_others_compute_as_before(
    family: Callable[[str], nn.Module], head: int
) -> None:
    module = family("ViT")
    attention = attention_of(module)
    rows = slice(head * attention.head_dim, (head + 1) * attention.head_dim)
    attention.v_proj.weight[rows] *= 0.1
    whole = copy.deepcopy(attention)
    pruned = attention_of(StructuredPruning(0.3)(module, seen(images())))
    gone = set(range(48)) - set(kept(whole.v_proj.weight, pruned.v_proj.weight, dim=0))
    assert gone == set(range(rows.start, rows.stop))

    whole.v_proj.weight[rows] = 0
    whole.v_proj.bias[rows] = 0
    tokens = torch.randn(2, 17, 48)
    assert error(pruned(tokens)[0], whole(tokens)[0]) < 1e-5


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
    assert [sum(one // 4 == group for one in stays) for group in range(4)] == [3, 3, 3, 3]
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


def test_heads_that_the_model_can_t_live_without_are_put_back(
    family: Callable[[str], nn.Module],
) -> None:
    module = family("BEiT")  # each head has a bias of its own for each position
    before = {name: value.clone() for name, value in attention_of(module).state_dict().items()}
    tactic = StructuredPruning(0.3)
    effect = tactic.effect(tactic(module, seen(images())))
    attention = attention_of(module)
    assert (effect["heads_removed"], effect["widths_kept"]) == (0, 2)
    assert all(torch.equal(value, before[name]) for name, value in attention.state_dict().items())
    assert attention.v_proj.out_features == 48


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


def test_not_applied_has_no_effect(vit_folder: Path) -> None:
    with pytest.raises(NoEffect):
        StructuredPruning().effect(loaded(vit_folder))


def test_pruned_model_takes_batches_of_any_size(vit_folder: Path) -> None:
    pruned = StructuredPruning(0.5)(loaded(vit_folder), seen())
    assert [len(pruned(pixels(count))) for count in (1, 3, 8)] == [1, 3, 8]
