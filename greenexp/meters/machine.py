"""Utilization of the CPU, memory of the process, temperature: what the operating system tells."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Self

import psutil

from greenexp.meters.processor import PERCENT, cpu_time
from greenexp.meters.sampler import Sampling, Values
from greenexp.protocols import Availability, Reading
from greenexp.settings.checks import check_range

BYTES_PER_MIB = 2**20
CPU_SENSORS = ("coretemp", "k10temp")  # Linux's drivers of Intel's and AMD's sensors
SYSTEM = "the operating system, by psutil"


class Machine(Sampling):
    """Samples by psutil.

    Over a window: utilization of all logical CPUs together (0 to 100), most memory resident in
    this process, highest CPU temperature where a sensor is.

    Args:
        interval_s: seconds between samples.
    """

    name = "machine"
    source = "sampled"

    def __init__(self, interval_s: float) -> None:
        check_range("meters.machine.interval_s", interval_s, above=0)
        self._interval_s = interval_s

    def __enter__(self) -> Self:
        process = psutil.Process()
        last = cpu_time()

        def read() -> Values:
            nonlocal last
            values = {("memory_mib", "process"): process.memory_info().rss / BYTES_PER_MIB}
            now = cpu_time()
            utilization = now.utilization(last)
            if utilization is not None:
                values["utilization_pct", "cpu"] = utilization * PERCENT
                last = now
            temperature_c = _temperature_c()
            if temperature_c is not None:
                values["temperature_c", "cpu"] = temperature_c
            return values

        return self._sample(read, self._interval_s)

    def availability(self) -> Sequence[Availability]:
        """Returns what the operating system tells, and whether a sensor is."""
        told = [
            Availability("utilization", "cpu", self.source, SYSTEM),
            Availability("memory", "process", self.source, SYSTEM),
        ]
        if _temperature_c() is None:
            why = f"no sensor of the CPU ({', '.join(CPU_SENSORS)}); virtual machines hide it"
            return [*told, Availability("temperature", "cpu", None, why)]
        return [*told, Availability("temperature", "cpu", self.source, SYSTEM)]

    @contextmanager
    def window(self) -> Iterator[Sequence[Reading]]:
        """Yields a list that holds the readings once the context has ended."""
        if self._sampler is None:
            raise RuntimeError("the meter is used outside its context")
        readings: list[Reading] = []
        start = self._sampler.now()
        before = cpu_time()
        try:
            yield readings
        finally:
            after = cpu_time()
            end = self._sampler.now()
        utilization = after.utilization(before)
        if utilization is not None:
            readings.append(_reading("utilization_pct", "cpu", utilization * PERCENT))
        samples = self._sampler.between(start.t_s, end.t_s)
        for key in (("memory_mib", "process"), ("temperature_c", "cpu")):
            values = [sample.values[key] for sample in samples if key in sample.values]
            if values:
                readings.append(_reading(*key, max(values)))


def _reading(quantity: str, component: str, value: float) -> Reading:
    return Reading(quantity, component, value, Machine.source, Machine.name)


def _temperature_c() -> float | None:
    """Returns the hottest CPU sensor's reading; None where no sensor is (virtual machines)."""
    read = getattr(psutil, "sensors_temperatures", None)
    sensors = read() if read is not None else {}
    cpu = [entry.current for name in CPU_SENSORS for entry in sensors.get(name, ())]
    return max(cpu, default=None)
