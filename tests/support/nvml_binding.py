"""A fake of NVML's Python binding that replays a GPU's quantities on a clock of the test's own.

tests/meters/test_nvml_library.py shows the real binding.
"""

# ruff: noqa: N802, N815 - the fake has NVML's names

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import ModuleType, SimpleNamespace
from typing import TYPE_CHECKING

import numpy as np
import pynvml as real_pynvml

from greenexp.meters.nvml import Nvml
from greenexp.protocols import Reading

if TYPE_CHECKING:
    from tests.support.clock import Clock

MIB = 2**20
A, B, C = (f"GPU-{letter * 8}-0000-0000-0000-000000000000" for letter in "abc")


class NVMLError(Exception):
    """NVML's answer to what it does not know."""


Trace = Sequence[tuple[float, float]]  # (s, value), straight lines between


@dataclass
class Gpu:
    """A GPU whose quantities follow traces; None: it does not tell."""

    uuid: str
    power_w: Trace | None = ((0, 100),)
    utilization_pct: Trace | None = ((0, 50),)
    temperature_c: Trace | None = ((0, 40),)
    memory_mib: Trace | None = ((0, 1024),)
    clock_mhz: Trace | None = ((0, 1500),)
    slowdowns: Trace | None = ((0, 0),)  # a bit mask of nvmlClocksThrottleReason…
    processes: Trace | None = ((0, 1),)


class FakeNvml(ModuleType):
    """`pynvml` over a list of GPUs. `sessions` counts those open."""

    NVMLError = NVMLError
    NVML_TEMPERATURE_GPU = real_pynvml.NVML_TEMPERATURE_GPU
    NVML_CLOCK_SM = real_pynvml.NVML_CLOCK_SM
    nvmlClocksThrottleReasonHwSlowdown = real_pynvml.nvmlClocksThrottleReasonHwSlowdown
    nvmlClocksThrottleReasonSwThermalSlowdown = (
        real_pynvml.nvmlClocksThrottleReasonSwThermalSlowdown
    )
    nvmlClocksThrottleReasonHwThermalSlowdown = (
        real_pynvml.nvmlClocksThrottleReasonHwThermalSlowdown
    )
    nvmlClocksThrottleReasonHwPowerBrakeSlowdown = (
        real_pynvml.nvmlClocksThrottleReasonHwPowerBrakeSlowdown
    )

    def __init__(self, clock: Clock, gpus: list[Gpu]) -> None:
        super().__init__("pynvml")
        self.clock = clock
        self.gpus = gpus
        self.sessions = 0

    def nvmlInit(self) -> None:
        self.sessions += 1

    def nvmlShutdown(self) -> None:
        if self.sessions == 0:
            raise NVMLError("uninitialized")
        self.sessions -= 1

    def nvmlDeviceGetCount(self) -> int:
        return len(self.gpus)

    def nvmlDeviceGetHandleByIndex(self, index: int) -> Gpu:
        if not 0 <= index < len(self.gpus):
            raise NVMLError("invalid argument")
        return self.gpus[index]

    def nvmlDeviceGetPowerUsage(self, gpu: Gpu) -> int:
        return round(1000 * self._now(gpu.power_w))

    def nvmlDeviceGetUtilizationRates(self, gpu: Gpu) -> SimpleNamespace:
        return SimpleNamespace(gpu=round(self._now(gpu.utilization_pct)), memory=0)

    def nvmlDeviceGetTemperature(self, gpu: Gpu, sensor: int) -> int:
        if sensor != self.NVML_TEMPERATURE_GPU:
            raise NVMLError("invalid argument")
        return round(self._now(gpu.temperature_c))

    def nvmlDeviceGetMemoryInfo(self, gpu: Gpu) -> SimpleNamespace:
        return SimpleNamespace(used=round(self._now(gpu.memory_mib) * MIB))

    def nvmlDeviceGetClockInfo(self, gpu: Gpu, domain: int) -> int:
        if domain != self.NVML_CLOCK_SM:
            raise NVMLError("invalid argument")
        return round(self._now(gpu.clock_mhz))

    def nvmlDeviceGetCurrentClocksThrottleReasons(self, gpu: Gpu) -> int:
        return round(self._now(gpu.slowdowns))

    def nvmlDeviceGetComputeRunningProcesses(self, gpu: Gpu) -> list[SimpleNamespace]:
        return [SimpleNamespace(pid=pid) for pid in range(round(self._now(gpu.processes)))]

    def _now(self, trace: Trace | None) -> float:
        if self.sessions == 0:
            raise NVMLError("uninitialized")
        if trace is None:
            raise NVMLError("not supported")
        times_s, values = zip(*trace, strict=True)
        return float(np.interp(self.clock.now_s, times_s, values))


Install = Callable[..., FakeNvml]


def measured(
    clock: Clock, *, interval_s: float = 0.07, from_s: float, to_s: float
) -> list[Reading]:
    """The readings of one window; the meter is on before and after it."""
    with Nvml(interval_s) as meter:
        clock.run_to(from_s)
        with meter.window() as readings:
            clock.run_to(to_s)
            assert list(readings) == []
        clock.run_to(to_s + 3.0)
    return list(readings)
