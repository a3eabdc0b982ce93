"""Energy by Zeus: the GPUs' counters and the CPU's RAPL, where there are any."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Self

from greenexp.protocols import Reading, Series, Source

if TYPE_CHECKING:
    from zeus.monitor import ZeusMonitor


class Zeus:
    """Joules of each GPU (`gpu:0`), CPU package (`cpu:0`) and its memory (`dram:0`).

    A GPU without an energy counter is integrated from its power by Zeus: source `sampled`.
    A reading of zero means that the counter did not move, so it counts as not measured.
    """

    def __init__(self) -> None:
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
        for index, joules in measured.gpu_energy.items():
            counted = self._monitor.gpus.supports_get_total_energy_consumption(index)
            readings += _energy(f"gpu:{index}", joules, "counter" if counted else "sampled")
        readings += _energies("cpu", measured.cpu_energy)
        readings += _energies("dram", measured.dram_energy)

    def series(self, origin_s: float) -> Iterable[Series]:
        """Returns nothing: counters are read at the ends of windows only."""
        return ()


def _energies(kind: str, by_index: Mapping[int, float] | None) -> list[Reading]:
    return [
        reading
        for index, joules in (by_index or {}).items()
        for reading in _energy(f"{kind}:{index}", joules, "counter")
    ]


def _energy(component: str, joules: float, source: Source) -> list[Reading]:
    if joules <= 0:
        return []
    return [Reading("energy_j", component, float(joules), source, "zeus")]
