"""Energy by Zeus: counters of GPUs, of processors (RAPL), and of systems on a chip."""

from __future__ import annotations

import itertools
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import psutil

from greenexp.meters.sampler import Sample, Sampler, Values
from greenexp.meters.zeus_devices import (
    cpu_availability,
    failures,
    gpus_of,
    monitor_of_all,
    packages_of,
    range_j,
    soc_energies,
    visible_by_index,
)
from greenexp.protocols import Availability, Meter, Reading, Shortest, Source
from greenexp.settings.checks import check_range

if TYPE_CHECKING:
    from zeus.monitor import ZeusMonitor
    from zeus.monitor.energy import Measurement

GPU_REFRESH_S = 0.1  # NVML's counter moves about ten times a second
CPU_REFRESH_S = 1e-3  # RAPL's about a thousand times
SOC_REFRESH_S = 0.1  # Zeus adds a Jetson's power up about ten times a second
SHORTEST_ON_GPU = Shortest(seconds=5.0, batches=32)  # as for the sensor behind it, see nvml.py
SAMPLE_S = 0.1  # s between samples of a GPU's power where it has no counter
W_PER_MW = 1e-3
MOST_W = 1000.0  # of a processor's package; Zeus assumes the same
QUIET_S = 0.3  # s without work after which a process that Zeus started is ready
READY_S = 10.0  # s that such processes are waited for at most


class Zeus(Meter):
    """Joules of each GPU (`gpu:0`), CPU package (`cpu:0`) and its memory (`dram:0`).

    Of a system on a chip: `cpu`, `gpu:0`, `dram`, `ane` (Apple's neural engine), and `board`, what
    the module's input took beyond its CPU and GPU (Jetson).

    A GPU of AMD's without an energy counter is integrated from its power: source `sampled`. One of
    NVIDIA's without a counter is the NVML meter's. Zeus itself is not asked for either: its power
    monitor keeps one core busy.

    A reading of zero means that the counter did not move, so it counts as not measured; so does one
    below zero: the counter was reset. A counter that can no longer be read gives no reading. At
    either end of a window a counter may be late by one refresh: the reading's resolution is its
    mean power times that.

    Args:
        gpu_relative_error: bound of the GPU sensor's systematic error, as a fraction.
        cpu_relative_error: bound of RAPL's systematic error, likewise.
    """

    def __init__(
        self, gpu_relative_error: float | None = None, cpu_relative_error: float | None = None
    ) -> None:
        check_range("meters.zeus.gpu_relative_error", gpu_relative_error, at_least=0)
        check_range("meters.zeus.cpu_relative_error", cpu_relative_error, at_least=0)
        self._errors = {"gpu": gpu_relative_error, "cpu": cpu_relative_error}
        self._monitors: list[ZeusMonitor] | None = None
        self._sampler: Sampler | None = None
        self._keys = itertools.count()

    def __enter__(self) -> Self:
        from zeus.monitor import ZeusMonitor

        # A counter that did not move is no reading here, which is all that Zeus warns of.
        warnings.filterwarnings("ignore", message="The energy consumption of one or more GPUs")
        everything = monitor_of_all()
        self._monitors = []
        if everything is None:
            return self
        counting, others = gpus_of(everything)
        # A monitor for each GPU and one for the packages: a counter that is lost takes no other
        # with it.
        with visible_by_index():
            for index in counting:
                self._monitors.append(ZeusMonitor(gpu_indices=[index], cpu_indices=[]))
            packages = packages_of(everything)
            if packages or (everything.soc_is_present and not counting):
                self._monitors.append(ZeusMonitor(gpu_indices=[], cpu_indices=packages))
        if others:
            self._sampler = Sampler(_power_reader(everything.gpus, others), SAMPLE_S)
            self._sampler.start()
        self._get_ready()
        return self

    def rest(self) -> None:
        """Samples nothing until `wake`."""
        if self._sampler is not None:
            self._sampler.rest()

    def wake(self) -> None:
        """Goes on sampling."""
        if self._sampler is not None:
            self._sampler.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._monitors = None
        if self._sampler is not None:
            self._sampler.stop()
            self._sampler = None

    def shortest_window(self, device: str) -> Shortest:
        """Returns what a GPU's counter needs where the run uses a GPU."""
        gpus = self._sampler or any(monitor.gpu_indices for monitor in self._monitors or ())
        return SHORTEST_ON_GPU if device == "cuda" and gpus else Shortest()

    def availability(self) -> Sequence[Availability]:
        """Returns the energy that Zeus tells of each component, and why the rest is absent."""
        monitor = monitor_of_all()
        if monitor is None:
            return [Availability("energy", "cpu", None, "Zeus can't be started", "see its log")]
        counting, others = gpus_of(monitor)
        sources: dict[int, Source] = dict.fromkeys(counting, "counter")
        sources |= dict.fromkeys(others, "sampled")
        gpus = [
            Availability("energy", f"gpu:{index}", source, f"Zeus, {monitor.gpus.get_name(index)}")
            for index, source in sorted(sources.items())
        ]
        if not monitor.soc_is_present:
            return [*gpus, *cpu_availability(monitor)]
        name = type(monitor.soc).__name__
        counts: Source = "counter" if name == "AppleSilicon" else "sampled"
        return [*gpus, Availability("energy", "cpu", counts, f"Zeus, {name}")]

    @contextmanager
    def window(self) -> Iterator[Sequence[Reading]]:
        """Yields a list that holds the joules once the context has ended."""
        if self._monitors is None:
            raise RuntimeError("the meter is used outside its context")
        readings: list[Reading] = []
        keys = {f"window-{next(self._keys)}": monitor for monitor in self._monitors}
        begun = {key: monitor for key, monitor in keys.items() if _begin(monitor, key)}
        start = self._sampler.now() if self._sampler is not None else None
        try:
            yield readings
        finally:
            ended = [(monitor, _end(monitor, key)) for key, monitor in begun.items()]
            stop = self._sampler.now() if self._sampler is not None else None
        if self._sampler is not None and start is not None and stop is not None:
            samples = self._sampler.between(start.t_s, stop.t_s)
            readings += _integrated(samples, self._errors["gpu"])
        for monitor, measured in ended:
            if measured is not None:
                readings += self._readings(monitor, measured)

    def _readings(self, monitor: ZeusMonitor, measured: Measurement) -> list[Reading]:
        readings = []
        for index, joules in measured.gpu_energy.items():
            late = _late(GPU_REFRESH_S, measured.time)
            readings += _energy(f"gpu:{index}", joules, "counter", self._errors["gpu"], late)
        late = _late(CPU_REFRESH_S, measured.time)
        for kind, by_index in (("cpu", measured.cpu_energy), ("dram", measured.dram_energy)):
            for index, counted_j in (by_index or {}).items():
                joules = unwrapped_j(counted_j, range_j(monitor, kind, index), measured.time)
                readings += _energy(f"{kind}:{index}", joules, "counter", self._errors["cpu"], late)
        late = _late(SOC_REFRESH_S, measured.time)
        for component, (joules, source) in soc_energies(measured.soc_energy).items():
            readings += _energy(component, joules, source, None, late)
        return readings

    def _get_ready(self) -> None:
        """Starts what Zeus starts at its first window, and waits until that is at rest.

        It counts a counter's wraps in processes that import for a while, beside whatever is
        measured meanwhile, and miss a wrap until they run.
        """
        before = set(psutil.Process().children(recursive=True))
        with self.window():
            pass
        started = set(psutil.Process().children(recursive=True)) - before
        deadline_s = time.monotonic() + READY_S
        while time.monotonic() < deadline_s:
            spent_s = _cpu_s(started)
            time.sleep(QUIET_S)
            if _cpu_s(started) == spent_s:
                return


def unwrapped_j(joules: float, range_j: float | None, seconds: float) -> float:
    """Returns the joules of a window, with the counter's wraps counted right.

    Zeus looks for wraps in another process, up to a second late, so a window's end may lack one
    that happened (joules below zero), and its beginning may (a whole range too many).

    Args:
        joules: as Zeus gives them.
        range_j: at which the counter wraps; None: unknown.
        seconds: length of the window; one in which a package may wrap twice is left as it is.
    """
    most_j = MOST_W * max(seconds, 1.0)
    if range_j is None or range_j <= most_j or 0 <= joules <= most_j:
        return joules
    right_j = joules + range_j if joules < 0 else joules - range_j
    return right_j if 0 <= right_j <= most_j else 0.0  # it was reset: not measured


def _power_reader(gpus: Any, indices: Sequence[int]) -> Any:
    refusals = failures()

    def read() -> Values:
        values = {}
        for index in indices:
            for power_mw in (gpus.get_instant_power_usage, gpus.get_average_power_usage):
                try:
                    values["power_w", f"gpu:{index}"] = power_mw(index) * W_PER_MW
                except refusals:
                    continue
                break
        return values

    return read


def _integrated(samples: Sequence[Sample], relative_error: float | None) -> list[Reading]:
    import numpy as np

    readings = []
    for key in dict.fromkeys(key for sample in samples for key in sample.values):
        if key not in samples[0].values or key not in samples[-1].values:
            continue  # a part of the window is not the window
        held = [(sample.t_s, sample.values[key]) for sample in samples if key in sample.values]
        times_s, power_w = zip(*held, strict=True)
        joules = float(np.trapezoid(power_w, times_s))
        late = _late(SAMPLE_S, times_s[-1] - times_s[0])
        readings += _energy(key[1], joules, "sampled", relative_error, late)
    return readings


def _begin(monitor: ZeusMonitor, key: str) -> bool:
    try:
        monitor.begin_window(key, sync_execution=False)
    except failures():
        return False
    return True


def _end(monitor: ZeusMonitor, key: str) -> Measurement | None:
    try:
        return monitor.end_window(key, sync_execution=False)
    except failures():
        return None


def _late(refresh_s: float, seconds: float) -> float:
    """Returns the share of a window that a counter may be behind; a short one is all lateness."""
    return refresh_s / max(seconds, refresh_s)


def _energy(
    component: str, joules: float, source: Source, relative_error: float | None, late: float
) -> list[Reading]:
    if joules <= 0:
        return []
    joules = float(joules)
    return [Reading("energy_j", component, joules, source, "zeus", relative_error, joules * late)]


def _cpu_s(processes: set[psutil.Process]) -> float:
    """Returns the CPU time that the processes have taken so far."""
    total_s = 0.0
    for process in processes:
        try:
            times = process.cpu_times()
        except psutil.Error:
            continue
        total_s += times.user + times.system
    return total_s
