"""What the doctor is asked to find."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import get_args

from greenexp.protocols import Source
from greenexp.settings.checks import check_choice, check_range

ENERGY_KINDS = ("cpu", "gpu", "dram", "ane", "board")  # of components that meters tell of


@dataclass
class Doctor:
    """What must be there for `python -m greenexp.doctor` to end well."""

    require: list[str] = field(default_factory=list)  # `cpu:counter`: component and source
    timeout_s: float = 5.0  # s that the tracker is waited for

    def __post_init__(self) -> None:
        check_range("doctor.timeout_s", self.timeout_s, above=0)
        allowed = [f"{kind}:{source}" for kind in ENERGY_KINDS for source in get_args(Source)]
        for entry in self.require:
            check_choice("doctor.require", entry, allowed)
