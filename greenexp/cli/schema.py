"""The whole configurations of the commands, which Hydra checks overrides against."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from omegaconf import MISSING

from greenexp.settings.checks import check_choice, check_range
from greenexp.settings.doctor import Doctor
from greenexp.settings.export import Export
from greenexp.settings.hardware import Hardware
from greenexp.settings.plugins import Plugins
from greenexp.settings.report import Report
from greenexp.settings.serve import Serve
from greenexp.settings.stores import Stores
from greenexp.settings.sweep import Isolation, Sweep, Tracking
from greenexp.settings.workload import Interference, Workload


@dataclass
class ReportConfig:
    """The configuration of `python -m greenexp.report`."""

    report: Report = field(default_factory=Report)
    hardware: Hardware = field(default_factory=Hardware)
    tracking: Stores = field(default_factory=Stores)
    journal: Any = None  # a folder, or a list of folders, to read in place of a tracker


@dataclass
class DoctorConfig:
    """The configuration of `python -m greenexp.doctor`."""

    doctor: Doctor = field(default_factory=Doctor)
    hardware: Hardware = field(default_factory=Hardware)
    meters: dict[str, Any] = field(default_factory=dict)  # name: a choice
    tracking: Tracking = field(default_factory=Tracking)
    plugins: Plugins = field(default_factory=Plugins)
    device: str = "auto"  # auto: cuda where there is one, else cpu

    def __post_init__(self) -> None:
        check_choice("device", self.device, ("auto", "cpu", "cuda"))


@dataclass
class CellConfig:
    """What makes a cell. The `Any` fields are choices, see `build`."""

    model: Any = MISSING
    dataset: Any = MISSING
    tactic: Any = MISSING
    hardware: Hardware = field(default_factory=Hardware)
    workload: Workload = field(default_factory=Workload)
    interference: Interference = field(default_factory=Interference)
    meters: dict[str, Any] = field(default_factory=dict)  # name: a choice
    plugins: Plugins = field(default_factory=Plugins)
    device: str = "auto"  # auto: cuda where there is one, else cpu

    def __post_init__(self) -> None:
        check_choice("device", self.device, ("auto", "cpu", "cuda"))


@dataclass
class ExportConfig(CellConfig):
    """The configuration of `python -m greenexp.export`: a cell's, and what is exported."""

    run: str | None = None  # MLflow id of the run to export
    register: str | None = None  # name in the registry of MLflow
    advised: bool = False  # True: for each model the tactic that the report advises
    export: Export = field(default_factory=Export)
    tracking: Tracking = field(default_factory=Tracking)
    report: Report = field(default_factory=Report)


@dataclass
class ServeConfig:
    """The configuration of `greenexp serve`."""

    run: str | None = None  # MLflow id of a measured run whose artefact was exported
    serve: Serve = field(default_factory=Serve)
    tracking: Tracking = field(default_factory=Tracking)


@dataclass
class Config(CellConfig):
    """The whole configuration of one run."""

    repetitions: int = 1  # complete blocks of a sweep
    sweep: Sweep = field(default_factory=Sweep)
    isolation: Isolation = field(default_factory=Isolation)
    tracking: Tracking = field(default_factory=Tracking)
    report: Report = field(default_factory=Report)
    title: str | None = None  # name of the run; None: made from the choices

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range("repetitions", self.repetitions, at_least=1)
