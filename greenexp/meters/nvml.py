"""What NVIDIA's management library says of the GPUs: utilization, power, temperature, memory."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from types import TracebackType
from typing import Any, Self

import numpy as np

from greenexp.meters.sampler import Sample, Sampling, Values
from greenexp.protocols import Availability, Reading, Shortest
from greenexp.settings.checks import check_range

BYTES_PER_MIB = 2**20
W_PER_MW = 1e-3
PERCENT = 100.0
# What slows a GPU down beyond its power limit: nvmlClocksEventReasons of nvml.h, heat and brakes.
SLOWDOWNS = (
    "nvmlClocksThrottleReasonHwSlowdown",
    "nvmlClocksThrottleReasonSwThermalSlowdown",
    "nvmlClocksThrottleReasonHwThermalSlowdown",
    "nvmlClocksThrottleReasonHwPowerBrakeSlowdown",
)
# Sampled power covers a quarter of the time on A100 and H100 (arXiv 2312.02741), and the counter
# moves about every 0.1 s: short windows tell nothing.
SHORTEST = Shortest(seconds=5.0, batches=32)
# What a user asks for, and the quantity that it takes.
TOLD = {
    "energy": "power_w",
    "utilization": "utilization_pct",
    "temperature": "temperature_c",
    "memory": "memory_mib",
    "clock": "clock_mhz",
}
NO_LIBRARY = "no NVIDIA driver: libnvidia-ml.so.1 is not there"
DRIVER_CURE = (
    "install NVIDIA's driver; in a container start it with --gpus all; "
    "under WSL use the Windows driver"
)
WHOLE_GPU = "MIG is on, and NVML tells the power of the whole GPU only"


class Nvml(Sampling):
    """Samples each visible GPU, numbered as CUDA numbers them; reads nothing where there is none.

    Over a window: mean utilization, joules integrated from power (source `sampled`), highest
    temperature, most memory in use on the device, mean clock of the multiprocessors, the share of
    the time in which heat or a power brake slowed the GPU down, and the most processes besides
    this one that computed on it.

    Args:
        interval_s: seconds between samples. NVML refreshes power about every 0.1 s.
        relative_error: bound of the power sensor's systematic error, as a fraction.
    """

    name = "nvml"
    source = "sampled"

    def __init__(self, interval_s: float, relative_error: float | None = None) -> None:
        check_range("meters.nvml.interval_s", interval_s, above=0)
        check_range("meters.nvml.relative_error", relative_error, at_least=0)
        self._interval_s = interval_s
        self._relative_error = relative_error
        self._handles: list[Any] = []
        self._opened = False

    def __enter__(self) -> Self:
        import pynvml

        try:
            pynvml.nvmlInit()
        except pynvml.NVMLError:  # no NVIDIA driver
            return self
        self._opened = True
        self._handles = visible_handles(pynvml)
        return self._sample(self._read, self._interval_s) if self._handles else self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            super().__exit__(kind, error, trace)
        finally:
            if self._opened:
                import pynvml

                pynvml.nvmlShutdown()
                self._opened = False

    def shortest_window(self, device: str) -> Shortest:
        """Returns what NVML's sensors need where the run uses a GPU."""
        return SHORTEST if device == "cuda" and self._handles else Shortest()

    def availability(self) -> Sequence[Availability]:
        """Returns what each visible GPU tells of itself, and why the rest is absent."""
        import pynvml

        try:
            pynvml.nvmlInit()
        except pynvml.NVMLError as error:
            missing = error.value == pynvml.NVML_ERROR_LIBRARY_NOT_FOUND
            why = NO_LIBRARY if missing else f"NVML can't be started: {error}"
            return [Availability("energy", "gpu", None, why, DRIVER_CURE)]
        try:
            handles = visible_handles(pynvml)
            told = [
                available
                for index, handle in enumerate(handles)
                for available in _told(pynvml, f"gpu:{index}", handle)
            ]
            return told or [_not_visible()]
        finally:
            pynvml.nvmlShutdown()

    @contextmanager
    def window(self) -> Iterator[Sequence[Reading]]:
        """Yields a list that holds the readings once the context has ended."""
        readings: list[Reading] = []
        if self._sampler is None:
            yield readings
            return
        start = self._sampler.now()
        try:
            yield readings
        finally:
            end = self._sampler.now()
        readings += _summary(self._sampler.between(start.t_s, end.t_s), self._relative_error)

    def _read(self) -> Values:
        import pynvml

        values: dict[tuple[str, str], float] = {}
        for index, handle in enumerate(self._handles):
            for quantity, read in _readers(pynvml, own=index == 0).items():
                try:
                    values[quantity, f"gpu:{index}"] = float(read(handle))
                except pynvml.NVMLError:  # this GPU doesn't tell: absent, not zero
                    continue
        return values


def _readers(pynvml: Any, *, own: bool) -> dict[str, Callable[[Any], float]]:
    """Returns what reads each quantity from a handle; `own`: of the GPU that the run may use."""
    return {
        "utilization_pct": lambda handle: pynvml.nvmlDeviceGetUtilizationRates(handle).gpu,
        "power_w": lambda handle: pynvml.nvmlDeviceGetPowerUsage(handle) * W_PER_MW,
        "temperature_c": lambda handle: pynvml.nvmlDeviceGetTemperature(
            handle, pynvml.NVML_TEMPERATURE_GPU
        ),
        "memory_mib": lambda handle: pynvml.nvmlDeviceGetMemoryInfo(handle).used / BYTES_PER_MIB,
        "clock_mhz": lambda handle: pynvml.nvmlDeviceGetClockInfo(handle, pynvml.NVML_CLOCK_SM),
        "throttled": lambda handle: _slowed_down(pynvml, handle),
        "other_gpu_processes": lambda handle: max(
            0,
            len(pynvml.nvmlDeviceGetComputeRunningProcesses(handle)) - (own and _computes_on_gpu()),
        ),
    }


def visible_handles(pynvml: Any) -> list[Any]:
    """Returns the handles as CUDA numbers them, which CUDA_VISIBLE_DEVICES sets.

    It lists indices or UUIDs; as for CUDA, a name that is not there ends the list.
    """
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    handles = []
    if visible is None:
        for index in range(pynvml.nvmlDeviceGetCount()):
            # CUDA has no number for one that was lost or that is not this user's.
            with suppress(pynvml.NVMLError):
                handles.append(pynvml.nvmlDeviceGetHandleByIndex(index))
        return handles
    for token in (part.strip() for part in visible.split(",")):
        try:
            handles.append(
                pynvml.nvmlDeviceGetHandleByIndex(int(token))
                if token.isdigit()
                else pynvml.nvmlDeviceGetHandleByUUID(token)
            )
        except pynvml.NVMLError:
            break
    return handles


def _computes_on_gpu() -> bool:
    """Tells whether this process is one of those that compute on the first visible GPU.

    By torch's word: in a container NVML gives other process ids than the system.
    """
    torch = sys.modules.get("torch")
    return torch is not None and torch.cuda.is_initialized()


def _told(pynvml: Any, component: str, handle: Any) -> Iterator[Availability]:
    """Yields what one GPU tells, by asking for each quantity once."""
    try:
        name = str(pynvml.nvmlDeviceGetName(handle))
    except pynvml.NVMLError:
        name = "NVIDIA GPU"
    mig = _mig(pynvml, handle)
    readers = _readers(pynvml, own=False)
    for wanted, quantity in TOLD.items():
        try:
            readers[quantity](handle)
        except pynvml.NVMLError as error:
            why = WHOLE_GPU if mig else f"NVML: {error}"
            cure = "sudo nvidia-smi -mig 0 turns MIG off" if mig else ""
            yield Availability(wanted, component, None, f"{name}, {why}", cure)
        else:
            note = f"; {WHOLE_GPU}" if mig and wanted == "energy" else ""
            yield Availability(wanted, component, "sampled", f"NVML, {name}{note}")


def _mig(pynvml: Any, handle: Any) -> bool:
    """Tells whether the GPU is cut into instances, or is such an instance."""
    try:
        current, _ = pynvml.nvmlDeviceGetMigMode(handle)
        return bool(current == pynvml.NVML_DEVICE_MIG_ENABLE)
    except pynvml.NVMLError:  # not supported, or the handle of an instance
        pass
    try:
        return bool(pynvml.nvmlDeviceIsMigDeviceHandle(handle))
    except pynvml.NVMLError:
        return False


def _not_visible() -> Availability:
    """Returns why a driver that answers shows no GPU."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is None:
        return Availability("energy", "gpu", None, "NVIDIA's driver shows no GPU", DRIVER_CURE)
    why = f"CUDA_VISIBLE_DEVICES={visible} names no GPU that is there"
    cure = "unset CUDA_VISIBLE_DEVICES, or name GPUs that nvidia-smi -L lists"
    return Availability("energy", "gpu", None, why, cure)


def _slowed_down(pynvml: Any, handle: Any) -> bool:
    reasons = pynvml.nvmlDeviceGetCurrentClocksThrottleReasons(handle)
    return any(reasons & getattr(pynvml, name) for name in SLOWDOWNS)


def _summary(samples: Sequence[Sample], relative_error: float | None) -> list[Reading]:
    readings: list[Reading] = []
    for key in dict.fromkeys(key for sample in samples for key in sample.values):
        quantity, component = key
        held = [sample for sample in samples if key in sample.values]
        times = np.array([sample.t_s for sample in held])
        values = np.array([sample.values[key] for sample in held])
        span_s = float(times[-1] - times[0])
        integral = float(np.trapezoid(values, times))
        mean = integral / span_s if span_s > 0 else float(values.mean())
        most = float(values.max())

        def add(quantity: str, value: float, component: str = component) -> None:
            readings.append(Reading(quantity, component, value, "sampled", "nvml"))

        match quantity:
            case "power_w":
                # Of a GPU that was lost in between, part of the window would pass for the whole.
                whole = key in samples[0].values and key in samples[-1].values
                if span_s > 0 and whole:
                    joules = Reading("energy_j", component, integral, "sampled", "nvml")
                    readings.append(replace(joules, relative_error=relative_error))
            case "utilization_pct" | "clock_mhz":
                add(quantity, mean)
            case "throttled":
                add("gpu_throttled_pct", mean * PERCENT)
            case _:
                add(quantity, most)
    return readings
