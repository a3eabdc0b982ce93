"""A tactic that writes another model than it measures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from torch import nn

from greenexp.export import portable
from greenexp.protocols import ModelFiles, Sample, Scalar, Traits


@dataclass(frozen=True)
class Unlike:
    """Leaves the module as it is, and writes it with the weights of its last layer negated."""

    traits: ClassVar[Traits] = Traits()

    def __call__(self, module: nn.Module, sample: Sample) -> nn.Module:
        return module

    def effect(self, module: nn.Module) -> Mapping[str, Scalar]:
        return {}

    def write(self, module: nn.Module, sample: Sample, folder: Path) -> ModelFiles:
        *_, last = (layer for layer in module.modules() if isinstance(layer, nn.Linear))
        last.weight.neg_()
        return portable.write(module, sample, folder)
