"""The CPU's energy where no counter tells it: an estimate from utilization, marked `model`."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Self

import psutil

from greenexp.meters.processor import cpu_name, cpu_time
from greenexp.meters.sampler import Sampling, Values
from greenexp.protocols import Availability, Reading
from greenexp.settings.checks import check_range
from greenexp.settings.device_names import names

TICKS_TELL_S = 1.0  # s, in which a tick is a percent of one CPU


class CpuEstimate(Sampling):
    """power = idle + utilization x (rated - idle), over all logical CPUs.

    A linear model: real processors are not linear in utilization, and memory, disks and losses are
    outside it. Its figures compare runs on one machine; they are not its meter.

    The system counts the machine's time in ticks of about 10 ms, too coarse for a short stretch.
    Over less than `TICKS_TELL_S` the time of this process, which is counted in ns, stands for it.

    Args:
        interval_s: seconds between samples of the series.
        idle_w_per_thread: W of one logical CPU at rest.
        rated_w_per_thread: W of one logical CPU at full load.
        idle_w: W of the whole CPU at rest, in place of the figure per thread; None if unknown.
        rated_w: W of the whole CPU at full load, likewise.
        cpu: word in the name of the CPU that `idle_w` and `rated_w` belong to; on another CPU
            they are not used. None: they hold for any.
        relative_error: bound that is stated for the estimate, as a fraction.
    """

    name = "cpu_estimate"
    source = "model"

    def __init__(
        self,
        interval_s: float,
        idle_w_per_thread: float,
        rated_w_per_thread: float,
        idle_w: float | None = None,
        rated_w: float | None = None,
        cpu: str | None = None,
        relative_error: float | None = None,
    ) -> None:
        key = "meters.cpu_estimate"
        check_range(f"{key}.interval_s", interval_s, above=0)
        check_range(f"{key}.idle_w_per_thread", idle_w_per_thread, at_least=0)
        check_range(f"{key}.rated_w_per_thread", rated_w_per_thread, above=idle_w_per_thread)
        check_range(f"{key}.idle_w", idle_w, at_least=0)
        check_range(f"{key}.rated_w", rated_w, above=idle_w or 0.0)
        check_range(f"{key}.relative_error", relative_error, at_least=0)
        self._relative_error = relative_error
        self._interval_s = interval_s
        self._threads = psutil.cpu_count(logical=True) or 1
        if idle_w is not None and rated_w is not None and (cpu is None or names(cpu, cpu_name())):
            self._idle_w, self._rated_w = idle_w, rated_w
            self._figures = "the hardware preset's figures"
            self._cure = ""
        else:
            self._idle_w = idle_w_per_thread * self._threads
            self._rated_w = rated_w_per_thread * self._threads
            self._figures = f"default figures per thread, times {self._threads}"
            self._cure = (
                "give hardware.power.cpu_idle_w=… and hardware.power.cpu_rated_w=… of your CPU"
            )

    def __enter__(self) -> Self:
        last = cpu_time()

        def read() -> Values:
            nonlocal last
            now = cpu_time()
            utilization = now.utilization(last)
            if utilization is None:
                return {}
            last = now
            return {("power_w", "cpu"): self.power_w(utilization)}

        return self._sample(read, self._interval_s)

    def availability(self) -> Sequence[Availability]:
        """Returns the estimate, and whose figures it is made of."""
        bound = (
            "" if self._relative_error is None else f", may be off by {self._relative_error:.0%}"
        )
        detail = (
            f"from utilization, {self._idle_w:.1f} W idle to {self._rated_w:.1f} W at full load: "
            f"{self._figures}{bound}"
        )
        return [Availability("energy", "cpu", self.source, detail, self._cure)]

    def power_w(self, utilization: float) -> float:
        """Returns W at a utilization between 0 and 1."""
        return self._idle_w + utilization * (self._rated_w - self._idle_w)

    @contextmanager
    def window(self) -> Iterator[Sequence[Reading]]:
        """Yields a list that holds the joules once the context has ended."""
        readings: list[Reading] = []
        start_s = time.perf_counter()
        before, own_before_s = cpu_time(), time.process_time()
        try:
            yield readings
        finally:
            own_s = time.process_time() - own_before_s
            after = cpu_time()
            duration_s = time.perf_counter() - start_s
        utilization = after.utilization(before)
        if 0 < duration_s < TICKS_TELL_S:
            utilization = min(1.0, own_s / duration_s / self._threads)
        if utilization is not None:
            joules = self.power_w(utilization) * duration_s
            readings.append(
                Reading("energy_j", "cpu", joules, self.source, self.name, self._relative_error)
            )
