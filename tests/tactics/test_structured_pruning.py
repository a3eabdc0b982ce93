"""Structured pruning: what goes, what stays, and that nothing else changes."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

from benchmarks.families import FAMILIES, write
from greenexp.errors import NoEffect, Unsupported
from greenexp.tactics.complexity import count_macs
from greenexp.tactics.structured_pruning import StructuredPruning
from tests.support.modules import embedded, error, loaded, pixels, seen
from tests.support.pruned_layers import images, kept

NOT_FOLLOWED = ("Hiera", "CvT")  # torch-pruning fails on their reshaping
NORMED = ("BiT", "ConvNeXtV2")  # a norm over channels that go changes those that stay
FOLLOWED = [name for name in FAMILIES if name not in NOT_FOLLOWED]

pytestmark = pytest.mark.usefixtures("in_a_run")


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


def parameters(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def without(whole: nn.Module, pruned: nn.Module) -> nn.Module:
    """The whole module with weights of zero for what the pruned one has no inputs for."""
    for name, layer in pruned.named_modules():
        full = whole.get_submodule(name)
        if not isinstance(layer, nn.Linear | nn.Conv2d) or layer.weight.shape == full.weight.shape:
            continue
        if layer.weight.shape[1] < full.weight.shape[1]:
            stays = kept(full.weight, layer.weight, dim=1)
            assert len(stays) == layer.weight.shape[1]
            full.weight[
                :, [index for index in range(full.weight.shape[1]) if index not in stays]
            ] = 0
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


def test_not_applied_has_no_effect(vit_folder: Path) -> None:
    with pytest.raises(NoEffect):
        StructuredPruning().effect(loaded(vit_folder))


def test_pruned_model_takes_batches_of_any_size(vit_folder: Path) -> None:
    pruned = StructuredPruning(0.5)(loaded(vit_folder), seen())
    assert [len(pruned(pixels(count))) for count in (1, 3, 8)] == [1, 3, 8]


# Heads


def attention_of(module: nn.Module) -> nn.Module:
    return next(part for part in module.modules() if hasattr(part, "q_proj"))


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
