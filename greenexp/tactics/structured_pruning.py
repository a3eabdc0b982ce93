"""Structured pruning: channels and attention heads are removed for good, so that MACs fall."""

from __future__ import annotations

import contextlib
import math
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from greenexp.errors import NoEffect, Unsupported, first_line
from greenexp.protocols import NOT_FLOAT, Sample, Scalar, Traits
from greenexp.settings.checks import check_range
from greenexp.tactics.complexity import count_macs

if TYPE_CHECKING:
    from torch import Tensor, nn

PROJECTIONS = ("q_proj", "k_proj", "v_proj", "o_proj")
RECORD = "structured_pruning"  # attribute of a pruned module that holds what was removed


@dataclass(frozen=True)
class StructuredPruning:
    """Removes the channels and heads of least L2 norm, without training afterwards.

    Removed are the channels inside blocks: those that one layer makes and others consume, such as
    the hidden layer of an MLP or the expanded channels of an inverted residual. The stream that
    residual connections add to stays as wide as it is. Where attention is made of separate
    projections whole heads go too, the nearest whole number of them and never all. What the
    model's own code can't live without is put back and counted. Dependencies between layers are
    torch-pruning's (Fang et al., "DepGraph", CVPR 2023, arXiv 2301.12900).

    Attributes:
        amount: fraction of each layer's channels, and of each attention's heads.
    """

    traits: ClassVar[Traits] = Traits(not_after=NOT_FLOAT)

    amount: float = 0.3

    def __post_init__(self) -> None:
        check_range("tactic.amount", self.amount, above=0, below=1)

    def __call__(self, module: nn.Module, sample: Sample) -> nn.Module:
        """Returns the module with narrower layers.

        Raises:
            Unsupported: where torch-pruning can't follow the model.
        """
        image = sample.batch[:1]
        before = count_macs(module, image)
        trial = _Trial(module, image, module(image).shape)
        heads = sum(self._prune_heads(attention, trial) for attention in _attentions(module))
        channels = self._prune_channels(module, image, trial)
        module.requires_grad_(False)
        after = count_macs(module, image)
        record: dict[str, Scalar] = {
            "channels_removed": channels,
            "heads_removed": heads,
            "widths_kept": trial.refused,
        }
        if before and after is not None:
            record["macs_removed"] = 1 - after / before
        object.__setattr__(module, RECORD, record)
        return module

    def effect(self, module: nn.Module) -> Mapping[str, Scalar]:
        """Returns the channels and heads removed, and of the MACs the fraction that went."""
        record: Mapping[str, Scalar] = getattr(module, RECORD, {})
        if not record or not (record["channels_removed"] or record["heads_removed"]):
            raise NoEffect("the model has no channel or head that can be removed at this amount")
        return record

    def _prune_channels(self, module: nn.Module, image: Tensor, trial: _Trial) -> int:
        """Removes channels inside blocks; returns how many."""
        import torch
        from torch_pruning import DependencyGraph
        from torch_pruning.pruner.importance import GroupMagnitudeImportance

        try:
            # Dependencies are read off the autograd graph.
            with torch.enable_grad(), warnings.catch_warnings():
                warnings.filterwarnings("ignore", message="Unwrapped parameters detected")
                module.requires_grad_(True)
                graph = DependencyGraph().build_dependency(module, image)
            groups = list(graph.get_all_groups())
        except Exception as error:  # torch-pruning raises types of many kinds
            raise Unsupported(f"torch-pruning can't follow it: {first_line(error)}") from None
        importance = GroupMagnitudeImportance(p=2)
        attending = {
            layer for attention in _attentions(module) for layer in _projections(attention)
        }
        removed = 0
        for group in groups:
            root, handler = group[0].dep.target.module, group[0].dep.handler
            width = graph.get_out_channels(root)
            due = _rounded(self.amount, width, _norm_groups(group))
            members = [member.target.module for member, _ in group]
            if not 0 < due < width or attending & set(members) or not _inside(graph, group):
                continue
            with trial.of(members) as attempt:
                whole = graph.get_pruning_group(root, handler, list(range(width)))
                least = _least(importance(whole), due, _norm_groups(group))
                part = graph.get_pruning_group(root, handler, least)
                if not graph.check_pruning_group(part):
                    raise ValueError("a layer would lose all its channels")
                part.prune()
            removed += due if attempt.held else 0
        return removed

    def _prune_heads(self, attention: nn.Module, trial: _Trial) -> int:
        """Removes whole heads; returns how many."""
        import torch
        from torch_pruning import prune_linear_in_channels, prune_linear_out_channels

        query, key, value, output = _projections(attention)
        size = int(attention.head_dim)  # type: ignore[arg-type]
        heads = query.out_features // size
        due = round(self.amount * heads)
        if not 0 < due < heads:
            return 0
        norms = value.weight.reshape(heads, -1).norm(dim=1) * (
            output.weight.reshape(output.out_features, heads, size).norm(dim=(0, 2))
        )
        least = norms.argsort()[:due]
        gone = (least[:, None] * size + torch.arange(size, device=least.device)).flatten().tolist()
        with trial.of([attention, query, key, value, output]) as attempt:
            for projection in (query, key, value):
                prune_linear_out_channels(projection, gone)
            prune_linear_in_channels(output, gone)
            object.__setattr__(attention, "num_attention_heads", heads - due)
        return due if attempt.held else 0


@dataclass
class _Attempt:
    held: bool = False


@dataclass
class _Trial:
    """Undoes what the model's own code can't live with, such as a fixed number of heads."""

    module: nn.Module
    image: Tensor
    shape: Sequence[int]
    refused: int = 0

    @contextlib.contextmanager
    def of(self, members: Sequence[Any]) -> Iterator[_Attempt]:
        """Runs the model after what happens inside; where that fails, puts the members back.

        Members are layers, and parameters that stand in a block of the model's own.
        """
        identities = {id(member) for member in members}
        before = [
            (module, _state(module))
            for module in self.module.modules()
            if identities & {id(module), *map(id, module.parameters(recurse=False))}
        ]
        attempt = _Attempt()
        try:
            yield attempt
            attempt.held = self.module(self.image).shape == self.shape
        except Exception:  # the model's code raises types of many kinds
            attempt.held = False
        if not attempt.held:
            self.refused += 1
            for member, state in before:
                member.__dict__.update(state)


def _state(module: nn.Module) -> dict[str, Any]:
    """Returns a module's attributes; pruning replaces tensors and numbers, it changes none."""
    return {
        name: dict(value) if name in ("_parameters", "_buffers") else value
        for name, value in vars(module).items()
    }


def _rounded(amount: float, width: int, groups: int) -> int:
    """Returns how many of `width` channels go: as many from each group of a GroupNorm."""
    return round(amount * width / groups) * groups


def _norm_groups(group: Any) -> int:
    """Returns the groups that a GroupNorm divides the channels into; 1 without one."""
    import torch

    norms = [member.target.module for member, _ in group]
    counts = [norm.num_groups for norm in norms if isinstance(norm, torch.nn.GroupNorm)]
    return math.lcm(*counts) if counts else 1


def _least(scores: Tensor, due: int, groups: int) -> list[int]:
    """Returns the channels of least score, as many from each group."""
    width = len(scores) // groups
    by_group = [
        scores[start : start + width].argsort()[: due // groups] + start
        for start in range(0, len(scores), width)
    ]
    return [int(index) for part in by_group for index in part]


def _attentions(module: nn.Module) -> Iterator[nn.Module]:
    """Yields the attentions with a projection each for query, key, value and output."""
    for child in module.modules():
        if all(hasattr(child, name) for name in (*PROJECTIONS, "head_dim")):
            yield child


def _projections(attention: nn.Module) -> Sequence[nn.Linear]:
    return [getattr(attention, name) for name in PROJECTIONS]


def _inside(graph: Any, group: Any) -> bool:
    """Tells whether one layer makes the channels of a group and another consumes them.

    Several make a stream that residual connections add to; none consumes the logits.
    """
    import torch

    makers = consumers = 0
    for member, _ in group:
        target = member.target.module
        depthwise = isinstance(target, torch.nn.Conv2d) and target.groups == target.out_channels > 1
        if not isinstance(target, torch.nn.Linear | torch.nn.Conv2d) or depthwise:
            continue
        makers += graph.is_out_channel_pruning_fn(member.handler)
        consumers += graph.is_in_channel_pruning_fn(member.handler)
    return makers == 1 and consumers > 0
