"""The model as it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from greenexp.protocols import Sample, Scalar, Traits

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class Baseline:
    """Changes nothing: what the other tactics are compared with."""

    traits: ClassVar[Traits] = Traits()

    def __call__(self, module: nn.Module, sample: Sample) -> nn.Module:
        """Returns the module."""
        return module

    def effect(self, module: nn.Module) -> Mapping[str, Scalar]:
        """Returns nothing: there is nothing to prove."""
        return {}
