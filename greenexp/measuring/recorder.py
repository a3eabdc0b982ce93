"""Times the stretches of a run and reads every meter over each."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

from greenexp.protocols import Meter, Reading
from greenexp.runs.result import Phase, Window

Clock = Callable[[], float]


@dataclass
class Recorder:
    """The phases and windows of one run so far.

    Attributes:
        meters: inside their contexts.
        clock: seconds that only grow; `time.perf_counter`, which the meters' series go by.
        sleep: waits for seconds of that clock.
    """

    meters: Sequence[Meter]
    clock: Clock = time.perf_counter
    sleep: Callable[[float], None] = time.sleep
    origin_s: float = field(init=False)
    phases: list[Phase] = field(default_factory=list)
    windows: list[Window] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.origin_s = self.clock()

    def elapsed_s(self) -> float:
        """Returns the seconds since the run began."""
        return self.clock() - self.origin_s

    @contextmanager
    def phase(self, name: str, step: str = "") -> Iterator[None]:
        """Records what happens inside as a phase; `step` names a part of several."""
        with self._read() as stretch:
            yield
        phase = Phase(name, stretch.start_s, stretch.duration_s, stretch.readings, step)
        self.phases.append(phase)

    @contextmanager
    def window(self, batch_size: int, round_: int = 0) -> Iterator[list[float]]:
        """Records what happens inside as a window; the caller fills in the latencies."""
        latencies_s: list[float] = []
        with self._read() as stretch:
            yield latencies_s
        self.windows.append(
            Window(
                start_s=stretch.start_s,
                duration_s=stretch.duration_s,
                images=batch_size * len(latencies_s),
                latencies_s=latencies_s,
                readings=stretch.readings,
                round=round_,
            )
        )

    @contextmanager
    def resting(self) -> Iterator[None]:
        """Lets the meters rest inside: the run is parked."""
        for meter in self.meters:
            meter.rest()
        try:
            yield
        finally:
            for meter in self.meters:
                meter.wake()

    def glance(self, seconds: float) -> Phase:
        """Returns what the meters read while the run sleeps for some seconds; keeps nothing."""
        with self._read() as stretch:
            self.sleep(seconds)
        return Phase("glance", stretch.start_s, stretch.duration_s, stretch.readings)

    @contextmanager
    def _read(self) -> Iterator[_Stretch]:
        stretch = _Stretch()
        with ExitStack() as stack:
            read = [stack.enter_context(meter.window()) for meter in self.meters]
            start_s = self.clock()
            yield stretch
            stretch.duration_s = self.clock() - start_s
        stretch.start_s = start_s - self.origin_s
        stretch.readings = [reading for readings in read for reading in readings]


@dataclass
class _Stretch:
    start_s: float = 0.0
    duration_s: float = 0.0
    readings: list[Reading] = field(default_factory=list)
