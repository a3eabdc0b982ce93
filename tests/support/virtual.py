"""Time that passes only when it is told to, and a meter that reads what it is told to."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from greenexp.protocols import Reading, Series, Shortest
from greenexp.quantities import Quantity

Read = Callable[[float, float], Sequence[Reading]]
"""What is read over a stretch, by its start and end in seconds of the timeline's clock."""


class Timeline:
    """A clock that only `sleep` moves, so that nobody waits."""

    def __init__(self, now_s: float = 1000.0) -> None:  # clocks don't start at zero
        self.now_s = now_s

    def clock(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds


class FakeMeter:
    """Reads over each stretch what `read` says; keeps the stretches it was asked about."""

    def __init__(self, timeline: Timeline, read: Read = lambda start_s, end_s: ()) -> None:
        self.timeline = timeline
        self.read = read
        self.stretches_s: list[tuple[float, float]] = []

    def quantities(self) -> Sequence[Quantity]:
        return ()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Holds nothing open."""

    def shortest_window(self, device: str) -> Shortest:
        return Shortest()

    @contextmanager
    def window(self) -> Iterator[Sequence[Reading]]:
        readings: list[Reading] = []
        start_s = self.timeline.now_s
        try:
            yield readings
        finally:
            end_s = self.timeline.now_s
            self.stretches_s.append((start_s, end_s))
        readings += self.read(start_s, end_s)

    def series(self, origin_s: float) -> Sequence[Series]:
        return ()
