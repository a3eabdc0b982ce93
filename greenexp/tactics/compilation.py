"""Compilation by torch.compile."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal, cast, get_args

from greenexp.errors import BadInput, NoEffect
from greenexp.protocols import Sample, Scalar, Traits
from greenexp.settings.checks import check_choice

if TYPE_CHECKING:
    from torch import Tensor, nn


Mode = Literal["default", "reduce-overhead", "max-autotune", "max-autotune-no-cudagraphs"]


@dataclass(frozen=True)
class TorchCompile:
    """torch.compile with the inductor backend.

    Attributes:
        mode: what the compiler optimizes for, as torch names it.
        dynamic: compile for varying shapes (True), for the shapes seen (False), or let torch
            decide (None).
        fullgraph: fail on a graph break in place of splitting the model.
    """

    traits: ClassVar[Traits] = Traits(makes=("compiled",), not_after=("compiled", "engine"))

    mode: Mode = "default"
    dynamic: bool | None = None
    fullgraph: bool = False

    def __post_init__(self) -> None:
        check_choice("tactic.mode", self.mode, get_args(Mode))

    def __call__(self, module: nn.Module, sample: Sample) -> nn.Module:
        """Returns the compiled module; the compiler itself runs at the first forward pass."""
        import torch

        check_compiler(sample.batch)
        compiled = torch.compile(
            module, mode=self.mode, dynamic=self.dynamic, fullgraph=self.fullgraph
        )
        return cast("nn.Module", compiled)

    def effect(self, module: nn.Module) -> Mapping[str, Scalar]:
        """Returns the numbers of graphs compiled and of graph breaks."""
        from torch._dynamo.utils import counters

        graphs = int(counters["stats"]["unique_graphs"])
        if graphs == 0:
            raise NoEffect("torch.compile compiled no graph")
        breaks = counters["graph_break"]
        effect: dict[str, Scalar] = {"graphs": graphs, "graph_breaks": sum(breaks.values())}
        if breaks:
            effect["first_graph_break"] = str(next(iter(breaks))).splitlines()[0]
        return effect


def check_compiler(batch: Tensor) -> None:
    """Checks that inductor finds what it compiles with.

    Raises:
        BadInput: on a CPU without a C++ compiler, which the user can install.
    """
    import shutil

    if batch.device.type == "cpu" and not any(map(shutil.which, ("g++", "c++", "clang++"))):
        raise BadInput(
            "torch.compile needs a C++ compiler on the CPU and none is installed; install g++"
        )
