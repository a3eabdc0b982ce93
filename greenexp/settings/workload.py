"""How inference is driven and measured, and what counts as a disturbance."""

from __future__ import annotations

from dataclasses import dataclass

from greenexp.errors import BadInput
from greenexp.settings.checks import check_choice, check_range

ON_INTERFERENCE = ("flag", "wait", "fail")


@dataclass
class Workload:
    """How inference is driven and measured."""

    batch_size: int = 1  # images a forward pass
    threads: int | None = None  # intra-op CPU threads; None: torch's choice
    pool_images: int = 64  # real images, preprocessed beforehand, that windows cycle through
    keep_freed_memory: bool = False  # the C library keeps what a pass frees, for the next one
    shuffle_memory: bool = False  # each window, what a pass allocates on a CPU lies elsewhere
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

    @property
    def at_most_s(self) -> float:
        """Seconds that they let a run last, loading apart, if no batch takes `slow_batch_s`."""
        return self.idle_seconds + self.warmup_max_seconds + self.max_windows * self.min_seconds

    @property
    def slow_batch_s(self) -> float:
        """Seconds of a batch from which on a window lasts longer than `min_seconds`."""
        return self.min_seconds / self.min_batches


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
