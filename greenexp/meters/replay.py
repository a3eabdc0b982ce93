"""A meter that replays a trace: for known answers, and for GPUs that are not there."""

from __future__ import annotations

import csv
import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray

from greenexp.errors import BadInput
from greenexp.protocols import Availability, Meter, Reading, Series
from greenexp.settings.checks import check_choice, check_range

MEANS = ("utilization_pct", "clock_mhz", "gpu_throttled_pct", "steal_pct", "other_processes_pct")
POWER = "power_w"
COUNTER = "counter_j"
ROUNDING = (
    1e-9  # of an update: at 5.0 s a counter of 0.1 s has moved 50 times, whatever 5.0 / 0.1 is
)
Kind = Literal["counter", "sampled"]
Channel = tuple[str, str]
"""(component, quantity)"""


@dataclass(frozen=True)
class Trace:
    """Quantities over time, straight lines between the points given.

    Attributes:
        t_s: seconds from the trace's beginning, growing; float64 (points,).
        channels: (component, quantity) to values, float64 (points,). `power_w` is W;
            `counter_j` is an energy counter in J, which may fall where it is reset.
    """

    t_s: NDArray[np.float64]
    channels: Mapping[Channel, NDArray[np.float64]]

    @classmethod
    def read(cls, path: Path) -> Trace:
        """Reads a CSV file: a column `t_s`, and one `<component> <quantity>` for each channel.

        Raises:
            BadInput: where the file is none.
        """
        try:
            with path.open(encoding="utf-8", newline="") as file:
                header, *rows = list(csv.reader(file))
            columns = np.array(rows, dtype=np.float64).T
            names = [tuple(name.split(" ")) for name in header[1:]]
            if header[0] != "t_s" or any(len(name) != 2 for name in names):
                raise ValueError("the header is another")
            channels = {
                (name[0], name[1]): column for name, column in zip(names, columns[1:], strict=True)
            }
            if np.any(np.diff(columns[0]) <= 0):
                raise ValueError("t_s does not grow")
        except (OSError, ValueError, IndexError) as error:
            raise BadInput(
                f"meters.replay.path={path} is no trace ({error}); allowed: a CSV file with the "
                "columns t_s and `<component> <quantity>`, e.g. `gpu:0 power_w`"
            ) from None
        return cls(columns[0], channels)

    def at(self, channel: Channel, t_s: float) -> float:
        """Returns a channel's value at a time; before and after the trace its first and last."""
        return float(np.interp(t_s, self.t_s, self.channels[channel]))

    def mean(self, channel: Channel, start_s: float, end_s: float) -> float:
        """Returns a channel's mean over a stretch of time, exactly."""
        integral = self.integral(channel, end_s) - self.integral(channel, start_s)
        return integral / (end_s - start_s)

    def integral(self, channel: Channel, t_s: float) -> float:
        """Returns the integral of a channel from the trace's beginning to a time, exactly."""
        sums = self._sums[channel]
        values = self.channels[channel]
        index = int(np.searchsorted(self.t_s, t_s, side="right")) - 1
        if index < 0:
            return float(values[0] * (t_s - self.t_s[0]))
        return float(
            sums[index] + (t_s - self.t_s[index]) * (values[index] + self.at(channel, t_s)) / 2
        )

    @cached_property
    def _sums(self) -> dict[Channel, NDArray[np.float64]]:
        steps = np.diff(self.t_s)
        return {
            channel: np.concatenate([[0.0], np.cumsum(steps * (values[1:] + values[:-1]) / 2)])
            for channel, values in self.channels.items()
        }


class Replay(Meter):
    """Reads a trace as an instrument with flaws would; it begins when the meter is switched on.

    Power becomes joules: with `kind` counter as a counter that moves every `interval_s` tells
    them, with `kind` sampled as samples every `interval_s` (and at both ends) add up to. A channel
    `counter_j` is read as it is, every `interval_s`; where it fell over a window it was reset, and
    there is no reading. Of other channels the mean or the highest value of the window counts.

    Args:
        path: CSV file, see `Trace.read`; not used where `trace` is given.
        kind: counter or sampled.
        interval_s: seconds between two updates of the counter, or two samples.
        relative_error: bound of the systematic error that readings state, as a fraction.
        trace: in place of a file.
        clock: seconds that only grow.
    """

    def __init__(
        self,
        path: str | None = None,
        kind: Kind = "counter",
        interval_s: float = 0.1,
        relative_error: float | None = None,
        trace: Trace | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        check_choice("meters.replay.kind", kind, ("counter", "sampled"))
        check_range("meters.replay.interval_s", interval_s, above=0)
        check_range("meters.replay.relative_error", relative_error, at_least=0)
        if trace is None:
            if path is None:
                raise BadInput("meters.replay.path is missing; give meters.replay.path=trace.csv")
            trace = Trace.read(Path(path))
        self._trace = trace
        self._kind: Kind = kind
        self._interval_s = interval_s
        self._relative_error = relative_error
        self._clock = clock
        self._origin_s = clock()

    def __enter__(self) -> Self:
        self._origin_s = self._clock()
        return self

    def availability(self) -> Sequence[Availability]:
        """Returns the energy of the trace's components."""
        return [
            Availability(
                "energy",
                component,
                "counter" if quantity == COUNTER else self._kind,
                "replayed trace in place of an instrument",
            )
            for component, quantity in self._trace.channels
            if quantity in (POWER, COUNTER)
        ]

    @contextmanager
    def window(self) -> Iterator[Sequence[Reading]]:
        """Yields a list that holds the readings once the context has ended."""
        readings: list[Reading] = []
        start_s = self._clock() - self._origin_s
        try:
            yield readings
        finally:
            end_s = self._clock() - self._origin_s
        if end_s > start_s:
            for channel in self._trace.channels:
                readings += self._read(channel, start_s, end_s)

    def series(self, origin_s: float) -> Iterable[Series]:
        """Returns every channel of the trace up to now."""
        shift_s = self._origin_s - origin_s
        past = self._trace.t_s <= self._clock() - self._origin_s
        for (component, quantity), values in self._trace.channels.items():
            times = (self._trace.t_s[past] + shift_s).tolist()
            yield Series(quantity, component, "sampled", "replay", times, values[past].tolist())

    def _read(self, channel: Channel, start_s: float, end_s: float) -> list[Reading]:
        component, quantity = channel
        if quantity in (POWER, COUNTER):
            joules = self._joules(channel, start_s, end_s)
            if joules <= 0:
                return []
            late = self._interval_s / (end_s - start_s)
            source: Kind = "counter" if quantity == COUNTER else self._kind
            return [
                Reading(
                    "energy_j",
                    component,
                    joules,
                    source,
                    "replay",
                    self._relative_error,
                    joules * late if source == "counter" else None,
                )
            ]
        if quantity in MEANS:
            value = self._trace.mean(channel, start_s, end_s)
        else:
            value = max(self._trace.at(channel, t_s) for t_s in self._samples(start_s, end_s))
        return [Reading(quantity, component, value, "sampled", "replay")]

    def _joules(self, channel: Channel, start_s: float, end_s: float) -> float:
        if channel[1] == COUNTER:
            return self._trace.at(channel, self._last(end_s)) - self._trace.at(
                channel, self._last(start_s)
            )
        if self._kind == "counter":
            return self._trace.integral(channel, self._last(end_s)) - self._trace.integral(
                channel, self._last(start_s)
            )
        times = self._samples(start_s, end_s)
        return float(np.trapezoid([self._trace.at(channel, t_s) for t_s in times], times))

    def _last(self, t_s: float) -> float:
        """Returns when the counter moved last."""
        return math.floor(t_s / self._interval_s + ROUNDING) * self._interval_s

    def _samples(self, start_s: float, end_s: float) -> list[float]:
        between = np.arange(self._last(start_s) + self._interval_s, end_s, self._interval_s)
        return [start_s, *(float(t_s) for t_s in between if t_s > start_s), end_s]
