"""A machine whose energy Zeus measures, by a monitor that replays its measurements.

It stands for what this machine can't simulate (AMD, Apple, Jetson) and for windows of an exact
length.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from zeus.exception import ZeusBaseError
from zeus.monitor.energy import Measurement

from greenexp.meters.zeus import Zeus
from greenexp.protocols import Reading

Joules = dict[int, float] | None

GPU_ERROR, CPU_ERROR = 0.05, 0.1


class NVIDIAGPUs(SimpleNamespace):
    """Zeus's object of the GPUs, by its name."""

    def __len__(self) -> int:
        return self.count

    def supports_get_total_energy_consumption(self, index: int) -> bool:
        return index in self.counting

    def get_name(self, index: int) -> str:
        return f"GPU model {index}"


class AMDGPUs(NVIDIAGPUs):
    """The same of AMD's, which tell their average power only."""

    def get_instant_power_usage(self, index: int) -> int:
        raise ZeusBaseError("not supported")

    def get_average_power_usage(self, index: int) -> int:
        return 1000 * (100 + index)


class CPUs(SimpleNamespace):
    """Zeus's object of the packages; the memory of some has a counter."""

    @property
    def cpus(self) -> list[SimpleNamespace]:
        return [
            SimpleNamespace(
                supports_get_dram_energy_consumption=lambda index=index: index in self.dram
            )
            for index in self.packages
        ]

    def __len__(self) -> int:
        return len(self.packages)


@dataclass
class Device:
    """What a machine measures in a window, in J by index; `counting` have an energy counter.

    A window lasts `seconds`. `lost` of "gpu" and "cpu" raise when they are read.
    """

    gpu: dict[int, float] = field(default_factory=dict)
    cpu: Joules = None
    dram: Joules = None
    soc: object = None
    counting: tuple[int, ...] = ()
    amd: bool = False
    seconds: float = 2.0
    lost: tuple[str, ...] = ()
    opened: list[str] = field(default_factory=list)
    closed: list[str] = field(default_factory=list)

    def monitor(
        self, gpu_indices: Sequence[int] | None = None, cpu_indices: Sequence[int] | None = None
    ) -> Monitor:
        return Monitor(
            self,
            list(self.gpu) if gpu_indices is None else list(gpu_indices),
            list(self.cpu or {}) if cpu_indices is None else list(cpu_indices),
        )


@dataclass
class Monitor:
    """ZeusMonitor over some of a device's GPUs and packages."""

    device: Device
    gpu_indices: list[int]
    cpu_indices: list[int]

    @property
    def gpus(self) -> Any:
        kind = AMDGPUs if self.device.amd else NVIDIAGPUs
        return kind(count=len(self.device.gpu), counting=self.device.counting)

    @property
    def cpus(self) -> CPUs:
        return CPUs(packages=list(self.device.cpu or {}), dram=list(self.device.dram or {}))

    @property
    def soc(self) -> object:
        return self.device.soc

    @property
    def soc_is_present(self) -> bool:
        return self.device.soc is not None

    def begin_window(self, key: str, sync_execution: bool = True) -> None:
        self._read()
        assert key not in self.device.opened
        self.device.opened.append(key)

    def end_window(self, key: str, sync_execution: bool = True) -> Measurement:
        assert key in self.device.opened
        self.device.closed.append(key)
        self._read()
        device = self.device
        return Measurement(
            time=device.seconds,
            gpu_energy={index: device.gpu[index] for index in self.gpu_indices},
            cpu_energy={index: (device.cpu or {})[index] for index in self.cpu_indices} or None,
            dram_energy=device.dram if self.cpu_indices else None,
            soc_energy=device.soc,
        )

    def _read(self) -> None:
        if ("gpu" in self.device.lost and self.gpu_indices) or (
            "cpu" in self.device.lost and self.cpu_indices
        ):
            raise ZeusBaseError("the counter can't be read")


def measured() -> list[Reading]:
    with Zeus(GPU_ERROR, CPU_ERROR) as zeus:
        with zeus.window() as readings:
            assert list(readings) == []
        return list(readings)
