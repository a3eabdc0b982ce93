"""Tactics of running: the module stays as it is, the way it is driven changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from greenexp.protocols import Sample, Scalar, Traits
from greenexp.settings.checks import check_range

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class BatchSize:
    """Images are computed in batches: each waits for its batch, so latency rises.

    Attributes:
        images: a forward pass, in place of workload.batch_size.
    """

    images: int = 8

    def __post_init__(self) -> None:
        check_range("tactic.images", self.images, at_least=1)

    @property
    def traits(self) -> Traits:
        """The batch size that the workload takes over."""
        return Traits(batch_size=self.images)

    def __call__(self, module: nn.Module, sample: Sample) -> nn.Module:
        """Returns the module."""
        return module

    def effect(self, module: nn.Module) -> Mapping[str, Scalar]:
        """Returns the images a forward pass."""
        return {"batch_size": self.images}


@dataclass(frozen=True)
class Threads:
    """One operation is spread over this many CPU threads.

    Attributes:
        count: threads, in place of workload.threads.
    """

    count: int = 1

    def __post_init__(self) -> None:
        check_range("tactic.count", self.count, at_least=1)

    @property
    def traits(self) -> Traits:
        """The number of threads that the workload takes over."""
        return Traits(threads=self.count)

    def __call__(self, module: nn.Module, sample: Sample) -> nn.Module:
        """Returns the module."""
        return module

    def effect(self, module: nn.Module) -> Mapping[str, Scalar]:
        """Returns the threads that torch computes with."""
        import torch

        return {"threads": torch.get_num_threads()}
