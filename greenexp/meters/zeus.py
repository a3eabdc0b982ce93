"""Energy by Zeus: the GPUs' counters and the CPU's RAPL, where there are any."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Self

from greenexp.errors import check_range
from greenexp.protocols import Meter, Reading, Shortest, Source

if TYPE_CHECKING:
    from zeus.monitor import ZeusMonitor

GPU_REFRESH_S = 0.1  # NVML's counter moves about ten times a second
CPU_REFRESH_S = 1e-3  # RAPL's about a thousand times
SHORTEST_ON_GPU = Shortest(seconds=5.0, batches=32)  # as for the sensor behind it, see nvml.py


class Zeus(Meter):
    """Joules of each GPU (`gpu:0`), CPU package (`cpu:0`) and its memory (`dram:0`).

    A GPU without an energy counter is integrated from its power by Zeus: source `sampled`.
    A reading of zero means that the counter did not move, so it counts as not measured; so does one
    below zero: the counter was reset. At either end of a window a counter may be late by one
    refresh: the reading's resolution is its mean power times that.

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
        self._monitor: ZeusMonitor | None = None
        self._keys = itertools.count()

    def __enter__(self) -> Self:
        logging.getLogger("zeus").setLevel(logging.ERROR)  # it warns that there is no GPU
        from zeus.monitor import ZeusMonitor

        self._monitor = ZeusMonitor()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._monitor = None

    def shortest_window(self, device: str) -> Shortest:
        """Returns what NVML's counter needs where the run uses a GPU."""
        gpus = self._monitor.gpu_indices if self._monitor is not None else []
        return SHORTEST_ON_GPU if device == "cuda" and gpus else Shortest()

    @contextmanager
    def window(self) -> Iterator[Sequence[Reading]]:
        """Yields a list that holds the joules once the context has ended."""
        if self._monitor is None:
            raise RuntimeError("the meter is used outside its context")
        readings: list[Reading] = []
        key = f"window-{next(self._keys)}"
        self._monitor.begin_window(key, sync_execution=False)
        try:
            yield readings
        finally:
            measured = self._monitor.end_window(key, sync_execution=False)
        seconds = max(measured.time, GPU_REFRESH_S)  # a shorter window is all lateness
        for index, joules in measured.gpu_energy.items():
            counted = self._monitor.gpus.supports_get_total_energy_consumption(index)
            source: Source = "counter" if counted else "sampled"
            late = GPU_REFRESH_S / seconds
            readings += _energy(f"gpu:{index}", joules, source, self._errors["gpu"], late)
        late = CPU_REFRESH_S / seconds
        for kind, by_index in (("cpu", measured.cpu_energy), ("dram", measured.dram_energy)):
            for index, joules in (by_index or {}).items():
                readings += _energy(f"{kind}:{index}", joules, "counter", self._errors["cpu"], late)


def _energy(
    component: str, joules: float, source: Source, relative_error: float | None, late: float
) -> list[Reading]:
    """Returns the reading; `late` is the share of the window that a counter may be behind."""
    if joules <= 0:
        return []
    joules = float(joules)
    return [Reading("energy_j", component, joules, source, "zeus", relative_error, joules * late)]
