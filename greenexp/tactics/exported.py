"""An artefact in a tactic's place, so that it is measured beside the tactic it was made of."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from greenexp.errors import Unsupported
from greenexp.protocols import Sample, Scalar, Traits

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class ExportedModel:
    """The model in an artefact's folder.

    Attributes:
        folder: of the artefact.
        batch_size: images a forward pass, as it was made for.
        threads: of one operation, likewise.
    """

    folder: str
    batch_size: int
    threads: int

    @property
    def traits(self) -> Traits:
        """How it is driven."""
        return Traits(makes=("engine",), batch_size=self.batch_size, threads=self.threads)

    def __call__(self, module: nn.Module, sample: Sample) -> nn.Module:
        """Returns the artefact as a module; the one given is not used."""
        from greenexp.tactics.engine import Engine

        model = _loader(Path(self.folder)).Model(self.folder)
        stored_bytes = sum(
            path.stat().st_size for path in Path(self.folder).iterdir() if path.is_file()
        )
        facts: dict[str, Scalar] = {"form": str(model.description["form"])}
        return Engine(model.infer, held=[], stored_bytes=stored_bytes, facts=facts)

    def effect(self, module: nn.Module) -> Mapping[str, Scalar]:
        """Returns the form."""
        return dict(getattr(module, "facts", {}))


def _loader(folder: Path) -> ModuleType:
    """Returns the code that lies beside the artefact, so that it is measured as it is served."""
    spec = importlib.util.spec_from_file_location("greenexp_artefact", folder / "model.py")
    if spec is None or spec.loader is None:
        raise Unsupported(f"{folder} holds no artefact")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
