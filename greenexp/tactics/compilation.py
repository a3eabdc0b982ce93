"""Compilation by torch.compile."""

from __future__ import annotations

import shutil
import tempfile
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal, cast, get_args

from greenexp.errors import BadInput, NoEffect, Unsupported, first_line
from greenexp.protocols import ModelFiles, Sample, Scalar, Traits
from greenexp.settings.checks import check_choice

if TYPE_CHECKING:
    from torch import Tensor, nn
    from torch.export import ExportedProgram


FILE = "model.pt2"
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

    def write(self, module: nn.Module, sample: Sample, folder: Path) -> ModelFiles:
        """Writes what inductor compiles, ahead of time, for machines of this kind."""
        import torch

        check_compiler(sample.batch)
        options = torch._inductor.list_mode_options(self.mode)
        return compiled_package(exported(module, sample), folder, options)

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


def exported(module: nn.Module, sample: Sample) -> ExportedProgram:
    """Returns a module as a graph of the sample's shape.

    Raises:
        Unsupported: where torch can't trace it.
    """
    import torch

    try:
        return torch.export.export(module, (sample.batch,))
    except Exception as error:  # torch.export raises types of many kinds
        raise Unsupported(f"torch.export can't: {first_line(error)}") from None


def compiled_package(
    program: ExportedProgram, folder: Path, options: Mapping[str, object]
) -> ModelFiles:
    """Compiles a graph into a file that runs on machines of this kind alone.

    Args:
        program: of `exported`.
        folder: for the file.
        options: of inductor.

    Raises:
        Unsupported: where inductor can't.
    """
    import torch

    # torch's own writer ends the process where the disk is full, so it writes elsewhere first.
    with tempfile.TemporaryDirectory(prefix="greenexp-") as made:
        try:
            with warnings.catch_warnings():
                # Of inductor's own lines (mkldnn_lowerings.py), which no user can mend.
                warnings.filterwarnings("ignore", message="To copy construct from a tensor")
                package = torch._inductor.aoti_compile_and_package(
                    program, package_path=str(Path(made) / FILE), inductor_configs=dict(options)
                )
        except Exception as error:  # inductor raises types of many kinds
            raise Unsupported(
                f"inductor can't compile it ahead of time: {first_line(error)}"
            ) from None
        shutil.copyfile(package, folder / FILE)
    return ModelFiles("aot_inductor", FILE, {}, ("torch",))


def check_compiler(batch: Tensor) -> None:
    """Checks that inductor finds what it compiles with.

    Raises:
        BadInput: on a CPU without a C++ compiler, which the user can install.
    """
    if batch.device.type == "cpu" and not any(map(shutil.which, ("g++", "c++", "clang++"))):
        raise BadInput(
            "torch.compile needs a C++ compiler on the CPU and none is installed; install g++"
        )
