"""The typed settings of an experiment.

The dataclasses here are at once the schema that Hydra checks overrides against and the objects
the program works with; each checks its own ranges. They hold numbers and words and import no
library, so that pure arithmetic may use them.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass, field
from typing import Any, get_args

from omegaconf import MISSING

from greenexp.errors import BadInput, check_choice, check_range
from greenexp.protocols import Source

ON_INTERFERENCE = ("flag", "wait", "fail")
ENERGY_KINDS = ("cpu", "gpu", "dram", "ane", "board")  # of components that meters tell of


@dataclass
class Price:
    """What the machine and its electricity cost. US dollars; None means unknown.

    Rent is `usd_per_hour`. For owned hardware it may be derived instead from `purchase_usd`
    spread over `lifetime_years`. Either is divided by `utilization`.
    """

    usd_per_hour: float | None = None  # rent of the whole instance, USD/h
    electricity_included: bool = False  # True: the rent pays the electricity too
    utilization: float = 1.0  # fraction of the paid hours spent serving, 0 < u <= 1
    purchase_usd: float | None = None  # price of the owned machine, USD
    lifetime_years: float | None = None  # years over which the purchase is written off
    usd_per_kwh: float | None = None  # electricity, USD/kWh
    pue: float = 1.0  # power usage effectiveness of the building, >= 1
    region: str | None = None  # where the quote holds
    date: str | None = None  # ISO date of the quote (YYYY-MM-DD)
    source: str | None = None  # where the price was read
    electricity_source: str | None = None  # where USD/kWh and PUE were read

    def __post_init__(self) -> None:
        check_range("hardware.price.usd_per_hour", self.usd_per_hour, at_least=0)
        check_range("hardware.price.utilization", self.utilization, above=0, at_most=1)
        check_range("hardware.price.purchase_usd", self.purchase_usd, at_least=0)
        check_range("hardware.price.lifetime_years", self.lifetime_years, above=0)
        check_range("hardware.price.usd_per_kwh", self.usd_per_kwh, at_least=0)
        check_range("hardware.price.pue", self.pue, at_least=1)
        _check_date("hardware.price.date", self.date)
        if self.electricity_included and self.usd_per_hour is None:
            raise BadInput(
                "hardware.price.electricity_included=true says that a rent pays the electricity, "
                "and no rent is given; give hardware.price.usd_per_hour=…"
            )
        if self.purchase_usd is not None and self.lifetime_years is None:
            raise BadInput(
                "hardware.price.purchase_usd is given without hardware.price.lifetime_years; "
                "give the years over which the machine is written off"
            )


@dataclass
class Carbon:
    """Carbon intensity of the electricity, location-based."""

    g_per_kwh: float | None = None  # grams of CO2e per kWh
    region: str | None = None
    date: str | None = None
    source: str | None = None

    def __post_init__(self) -> None:
        check_range("hardware.carbon.g_per_kwh", self.g_per_kwh, at_least=0)
        _check_date("hardware.carbon.date", self.date)


@dataclass
class Power:
    """Power of the CPU this preset describes, for the estimate where no counter exists."""

    cpu_idle_w: float | None = None  # W at zero utilization
    cpu_rated_w: float | None = None  # W at full utilization
    source: str | None = None

    def __post_init__(self) -> None:
        check_range("hardware.power.cpu_idle_w", self.cpu_idle_w, at_least=0)
        check_range("hardware.power.cpu_rated_w", self.cpu_rated_w, above=0)
        if (self.cpu_idle_w is None) != (self.cpu_rated_w is None):
            raise BadInput(
                "hardware.power.cpu_idle_w and hardware.power.cpu_rated_w go together; "
                "give both or neither"
            )


@dataclass
class Hardware:
    """A machine and its prices. `gpu` and `cpu` are words its device names must contain."""

    description: str = "unnamed"
    gpu: str | None = None  # e.g. "A10G"; None: no GPU is priced
    gpu_count: int = 0  # GPUs in the priced instance
    cpu: str | None = None  # e.g. "Xeon Platinum 8488C"; None: any CPU
    any_device: bool = False  # True: prices hold for whatever machine runs (hardware=local)
    price: Price = field(default_factory=Price)
    carbon: Carbon = field(default_factory=Carbon)
    power: Power = field(default_factory=Power)

    def __post_init__(self) -> None:
        check_range("hardware.gpu_count", self.gpu_count, at_least=0)
        if (self.gpu is None) != (self.gpu_count == 0):
            raise BadInput("hardware.gpu and hardware.gpu_count go together; give both or neither")


@dataclass
class Workload:
    """How inference is driven and measured."""

    batch_size: int = 1  # images a forward pass
    threads: int | None = None  # intra-op CPU threads; None: torch's choice
    pool_images: int = 64  # real images, preprocessed beforehand, that windows cycle through
    idle_seconds: float = 1.0  # s the machine is watched before the model is loaded
    warmup_min_seconds: float = 0.5  # s of warm-up at least
    warmup_max_seconds: float = 5.0  # s of warm-up at most; reaching it is a validity reason
    steady_batches: int = 10  # batches in each of the two medians compared for steadiness
    steady_tolerance: float = 0.05  # relative change of the rolling median that counts as steady
    min_seconds: float = 1.0  # s a window lasts at least
    min_batches: int = 5  # batches a window holds at least
    min_windows: int = 3  # windows measured at least
    max_windows: int = 3  # windows measured at most; reaching it unsettled is a validity reason
    half_width: float | None = None  # relative half-width asked of the interval; None: min_windows
    on_interference: str = "flag"  # what a disturbed window leads to, see ON_INTERFERENCE

    def __post_init__(self) -> None:
        check_range("workload.batch_size", self.batch_size, at_least=1)
        check_range("workload.threads", self.threads, at_least=1)
        check_range("workload.pool_images", self.pool_images, at_least=1)
        check_range("workload.idle_seconds", self.idle_seconds, at_least=0)
        check_range("workload.warmup_min_seconds", self.warmup_min_seconds, at_least=0)
        check_range(
            "workload.warmup_max_seconds",
            self.warmup_max_seconds,
            at_least=self.warmup_min_seconds,
        )
        check_range("workload.steady_batches", self.steady_batches, at_least=2)
        check_range("workload.steady_tolerance", self.steady_tolerance, above=0)
        check_range("workload.min_seconds", self.min_seconds, above=0)
        check_range("workload.min_batches", self.min_batches, at_least=1)
        check_range("workload.min_windows", self.min_windows, at_least=1)
        check_range("workload.max_windows", self.max_windows, at_least=self.min_windows)
        check_range("workload.half_width", self.half_width, above=0, below=1)
        check_choice("workload.on_interference", self.on_interference, ON_INTERFERENCE)
        if self.half_width is not None and self.min_windows < 2:
            raise BadInput(
                f"workload.half_width={self.half_width:g} needs a spread, which one window has "
                "not; give workload.min_windows=2 or more (10 keeps the interval's coverage)"
            )

    @property
    def at_least_s(self) -> float:
        """Seconds that a run lasts by these settings alone, loading and computing apart."""
        return self.idle_seconds + self.warmup_min_seconds + self.min_windows * self.min_seconds


@dataclass
class Interference:
    """What counts as a disturbance. Each limit may be None: not judged."""

    steal_pct: float | None = 3.0  # % of the CPUs' time that a hypervisor gave to others
    other_processes_pct: float | None = 10.0  # % of one logical CPU
    involuntary_switches_per_s: float | None = 200.0  # of this process's threads
    clock_change_pct: float | None = 10.0  # between the mean clocks of two windows
    energy_gap_pct: float | None = 10.0  # between an energy counter and integrated power
    max_wait_seconds: float = 60.0  # s waited in all for quiet, with on_interference=wait
    cool_below_c: float | None = 70.0  # °C that CPU and GPU cool down to before a run
    max_cooldown_seconds: float = 120.0  # s of cooling down at most

    def __post_init__(self) -> None:
        check_range("interference.steal_pct", self.steal_pct, at_least=0)
        check_range("interference.other_processes_pct", self.other_processes_pct, at_least=0)
        check_range(
            "interference.involuntary_switches_per_s", self.involuntary_switches_per_s, at_least=0
        )
        check_range("interference.clock_change_pct", self.clock_change_pct, above=0)
        check_range("interference.energy_gap_pct", self.energy_gap_pct, above=0)
        check_range("interference.max_wait_seconds", self.max_wait_seconds, at_least=0)
        check_range("interference.cool_below_c", self.cool_below_c, above=0)
        check_range("interference.max_cooldown_seconds", self.max_cooldown_seconds, at_least=0)


@dataclass
class Sweep:
    """In which order a sweep runs, what it skips, and which of its runs this one is."""

    seed: int = 0  # of the order of the cells within each block
    rerun: bool = False  # True: cells with a finished run in the tracker are measured again
    dry_run: bool = False  # True: the plan is shown and written, and nothing is measured
    block: int | None = None  # set by the sweep: the complete block this run belongs to, from 1
    replicate: int = 1  # set by the sweep: 2 for the second baseline of the A/A pair


@dataclass
class Isolation:
    """The child process that each run has for itself."""

    timeout_s: float = 3600.0  # s after which a run is killed and recorded as a timeout

    def __post_init__(self) -> None:
        check_range("isolation.timeout_s", self.timeout_s, above=0)


@dataclass
class Tracking:
    """Where MLflow keeps the runs."""

    uri: str = "sqlite:///mlruns/mlflow.db"
    experiment: str = "greenexp"
    journal: str = "multirun"  # folder of the journals, searched for runs that MLflow missed


@dataclass
class Report:
    """What the report assumes and asks."""

    max_top1_drop: float = 0.01  # fraction of top-1 that advice may give up, 0.01 is one point
    requests_per_month: float = 1e6  # images served a month, one a request
    months: float = 12.0  # over which bills are summed
    keep_flagged: bool = False  # True: runs that something stands against count too
    after_sweep: bool = True  # False: a sweep ends without a summary

    def __post_init__(self) -> None:
        check_range("report.max_top1_drop", self.max_top1_drop, at_least=0, at_most=1)
        check_range("report.requests_per_month", self.requests_per_month, above=0)
        check_range("report.months", self.months, above=0)


@dataclass
class ReportConfig:
    """The configuration of `python -m greenexp.report`."""

    report: Report = field(default_factory=Report)
    hardware: Hardware = field(default_factory=Hardware)
    tracking: Tracking = field(default_factory=Tracking)


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


@dataclass
class DoctorConfig:
    """The configuration of `python -m greenexp.doctor`."""

    doctor: Doctor = field(default_factory=Doctor)
    hardware: Hardware = field(default_factory=Hardware)
    meters: dict[str, Any] = field(default_factory=dict)  # name: a choice
    tracking: Tracking = field(default_factory=Tracking)
    device: str = "auto"  # as in `Config`


@dataclass
class Config:
    """The whole configuration of one run. The `Any` fields are choices, see `build`."""

    model: Any = MISSING
    dataset: Any = MISSING
    tactic: Any = MISSING
    hardware: Hardware = field(default_factory=Hardware)
    workload: Workload = field(default_factory=Workload)
    interference: Interference = field(default_factory=Interference)
    repetitions: int = 1  # complete blocks of a sweep
    sweep: Sweep = field(default_factory=Sweep)
    meters: dict[str, Any] = field(default_factory=dict)  # name: a choice
    isolation: Isolation = field(default_factory=Isolation)
    tracking: Tracking = field(default_factory=Tracking)
    report: Report = field(default_factory=Report)
    title: str | None = None  # name of the run; None: made from the choices
    device: str = "auto"  # auto: cuda where there is one, else cpu

    def __post_init__(self) -> None:
        check_choice("device", self.device, ("auto", "cpu", "cuda"))
        check_range("repetitions", self.repetitions, at_least=1)


def _check_date(key: str, value: str | None) -> None:
    try:
        datetime.date.fromisoformat(value or "2000-01-01")
    except ValueError:
        raise BadInput(f"{key}={value} is no date; allowed: YYYY-MM-DD") from None
