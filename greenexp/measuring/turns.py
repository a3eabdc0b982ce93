"""A run among its peers: parked in the steady state, it measures a window when its turn comes.

What a block and its runs say to each other over a connection is defined here.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Protocol

from greenexp.measuring.loop import Forward, measure_window, settle
from greenexp.measuring.memory import Memory, of_process
from greenexp.measuring.placement import Placement
from greenexp.measuring.processor import current_cpu, move_to
from greenexp.measuring.quiet import Guard
from greenexp.measuring.recorder import Recorder
from greenexp.measuring.windows import MeasuringEnd, measure_windows
from greenexp.protocols import Shortest
from greenexp.runs.energy import energy_holds, total_energy_j, used
from greenexp.runs.result import Phase, Window
from greenexp.runs.rounds import undisturbed_s
from greenexp.settings.workload import Workload

if TYPE_CHECKING:
    from torch import Tensor

PARKED = "parked"  # the phases in which every run of the block sleeps
SLICES = 5  # of a rest that is watched
SHORTEST_REST_S = 1.0  # s; a GPU's counter moves ten times a second


@dataclass(frozen=True)
class ParkedRun:
    """A run has reached the steady state and sleeps.

    Attributes:
        idle: what it saw of the machine at rest; empty where it was not to look.
        shortest: window that its meters need.
        memory: of its process, and what is free.
    """

    idle: Sequence[Phase]
    shortest: Shortest
    memory: Memory


@dataclass(frozen=True)
class RestRequest:
    """Asks for the phases `parked`: the machine while all sleep, for some seconds."""

    seconds: float


@dataclass(frozen=True)
class WindowRequest:
    """Asks for a window of a round, at least so long and of so many batches.

    It begins on the logical CPU that is given: a thread stays where it is, and CPUs need not be
    equally fast.
    """

    round: int
    seconds: float
    batches: int
    cpu: int | None = None


@dataclass(frozen=True)
class DropRequest:
    """Asks to forget the last window: something else disturbed it."""


@dataclass(frozen=True)
class FinishRequest:
    """Ends the rounds of a run; see `MeasuringEnd`."""

    measured: MeasuringEnd
    doubts: Sequence[str] = ()


@dataclass(frozen=True)
class Turn:
    """What a window took.

    Attributes:
        joules: an image; None where they are not measured, or estimated.
        latency_s: of an undisturbed batch, see `undisturbed_s`.
        kept: whether it was not disturbed.
        cpu: logical CPU that it began on; None where the system does not say.
    """

    joules: float | None
    latency_s: float
    kept: bool = True
    cpu: int | None = None


@dataclass(frozen=True)
class Steady:
    """A run in its steady state, ready to measure."""

    recorder: Recorder
    forward: Forward
    inputs: Iterator[Tensor]
    workload: Workload
    guard: Guard
    shortest: Shortest
    device: str = "cpu"

    @cached_property
    def placement(self) -> Placement | None:
        """Where what passes allocate lies; None: it stays there."""
        return Placement.of(self.workload, self.device)

    def take(self, asked: WindowRequest) -> Turn:
        """Measures a window; what parking has left cold is warmed first."""
        if asked.cpu is not None:
            move_to(asked.cpu)
        if self.placement is not None:
            self.placement.draw()
        settle(self.forward, self.inputs, self.recorder.clock)
        cpu = current_cpu()
        with self.recorder.window(self.workload.batch_size, asked.round) as latencies_s:
            latencies_s.extend(
                measure_window(
                    self.forward, self.inputs, asked.seconds, asked.batches, self.recorder.clock
                )
            )
        window = self.recorder.windows[-1]
        kept = self.guard.accepts([window])
        if not kept:
            self.recorder.windows.pop()
        return _turn(window, self.guard.components, kept, cpu)


def watch(recorder: Recorder, guard: Guard, name: str, seconds: float) -> list[Phase]:
    """Records the machine at rest, in slices, so that its power has a spread; returns them."""
    slices = min(SLICES, max(1, int(seconds / SHORTEST_REST_S)))
    while True:
        before = len(recorder.phases)
        for _ in range(slices):
            with recorder.phase(name):
                recorder.sleep(seconds / slices)
        if guard.accepts(recorder.phases[before:]):
            return recorder.phases[before:]
        del recorder.phases[before:]


class Place(Protocol):
    """Where a run measures: alone, or in a block."""

    @property
    def watches_idle(self) -> bool:
        """Whether it looks at the machine at rest."""
        ...

    @property
    def judges(self) -> bool:
        """Whether it predicts every image of the split."""
        ...

    def measure(self, steady: Steady) -> MeasuringEnd:
        """Lets the run measure its windows."""
        ...


@dataclass(frozen=True)
class SinglePlace:
    """No peers: one window after the other."""

    watches_idle: bool = True
    judges: bool = True

    def measure(self, steady: Steady) -> MeasuringEnd:
        """Measures windows until they tell enough."""
        return measure_windows(
            steady.recorder,
            steady.forward,
            steady.inputs,
            steady.workload,
            steady.guard,
            steady.shortest,
            steady.placement,
        )


@dataclass
class BlockPlace:
    """Among peers: it does what the block asks for, and sleeps in between.

    Attributes:
        connection: to the block.
        watches_idle: whether it looks at the machine at rest for all.
        judges: whether it predicts every image, or measures speed alone.
    """

    connection: Connection
    watches_idle: bool
    judges: bool = True
    _slept_s: float = field(default=0.0, init=False)

    def measure(self, steady: Steady) -> MeasuringEnd:
        """Parks, and serves the block until it says that the rounds are over."""
        recorder = steady.recorder
        idle = [phase for phase in recorder.phases if phase.name == "idle"]
        reply: object = ParkedRun(idle, steady.shortest, of_process(steady.device))
        while True:
            asked = self._asked(recorder, reply)
            match asked:
                case WindowRequest():
                    reply = steady.take(asked)
                case DropRequest():
                    recorder.windows.pop()
                    reply = None
                case RestRequest(seconds):
                    reply = watch(recorder, steady.guard, PARKED, seconds)
                    del recorder.phases[-len(reply) :]
                case FinishRequest(measured, doubts):
                    return MeasuringEnd(measured.discarded, measured.settled, self._slept_s, doubts)

    def _asked(self, recorder: Recorder, reply: object) -> object:
        with recorder.resting():
            self.connection.send(reply)
            began_s = time.perf_counter()
            asked: object = self.connection.recv()  # asleep in the kernel
            self._slept_s += time.perf_counter() - began_s
        return asked


def _turn(window: Window, components: Sequence[str], kept: bool, cpu: int | None) -> Turn:
    stretch = replace(window, readings=used(window.readings, components))
    holds = energy_holds([stretch])
    joules = None if "model" in holds.values() else total_energy_j(stretch, holds)
    per_image_j = None if joules is None else joules / window.images
    return Turn(per_image_j, undisturbed_s(window), kept, cpu)
