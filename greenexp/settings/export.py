"""What is exported, and where it goes."""

from __future__ import annotations

from dataclasses import dataclass

from greenexp.settings.checks import check_range


@dataclass
class Export:
    """How an artefact is proven, and where it is put."""

    folder: str = "artefacts"  # of all artefacts
    equal_within: float = (
        0.05  # fraction by which latency and joules may differ and be called equal
    )

    def __post_init__(self) -> None:
        check_range("export.equal_within", self.equal_within, above=0, below=1)
