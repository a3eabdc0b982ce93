"""What a plan will take, judged by runs that were. Pure."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from greenexp.runs.amounts import duration, joules, plural

SECONDS_PER_MINUTE = 60
MS_PER_S = 1000
START_S = 3.0  # of a run: process, imports, a small model and its images; measured on two cores
UNKNOWN_S = 120.0  # that a run may take of which nothing is known
PATIENCE = 3.0  # times the forecast
LOADS_MIN = 15.0  # for imports, downloads and the queue of a slow disk
CENT = 0.01


@dataclass(frozen=True)
class Usage:
    """What one earlier run took; None where it didn't tell."""

    seconds: float | None
    joules: float | None
    usd: float | None


@dataclass(frozen=True)
class Forecast:
    """What the runs of a plan will take; None where no earlier run tells.

    Attributes:
        runs: how many are to be measured.
        known: how many of them have an earlier run of the same cell to go by. The others are taken
            to be like those that differ in their tactic alone, else like the median of all.
        at_least_s: seconds that the settings alone make the runs last.
        seconds: of the whole plan.
        joules: likewise, of the earlier runs' sources.
        usd: likewise.
        at_most_s: seconds that the settings let the runs last, where no batch is slow.
        slow_batch_s: seconds of a batch from which on windows last longer than the settings say.
    """

    runs: int
    known: int
    at_least_s: float
    seconds: float | None
    joules: float | None
    usd: float | None
    at_most_s: float = 0.0
    slow_batch_s: float = math.inf

    def line(self) -> str:
        """Returns the forecast as a person reads it."""
        if self.runs == 0:
            return "nothing is left to measure"
        if self.seconds is None:
            return (
                f"{plural(self.runs, 'run')}, {self._range()}, longer where a batch takes over "
                f"{_batch(self.slow_batch_s)}; no earlier run tells more, nor what energy"
            )
        parts = [f"about {duration(max(self.seconds, self.at_least_s))}"]
        if self.joules is not None:
            parts.append(joules(self.joules))
        if self.usd is not None:
            parts.append(_dollars(self.usd))
        ground = "" if self.known == self.runs else f" of {self.known:,} of them"
        return f"{plural(self.runs, 'run')}, {', '.join(parts)}, by earlier runs{ground}"

    def _range(self) -> str:
        starts_s = START_S * self.runs
        low, high = (duration(s + starts_s) for s in (self.at_least_s, self.at_most_s))
        return low if low == high else f"{low} to {high}"


def forecast(
    cells: Sequence[str],
    at_least_s: Sequence[float],
    history: Mapping[str, Sequence[Usage]],
    *,
    at_most_s: Sequence[float] = (),
    slow_batch_s: float = math.inf,
    peers: Mapping[str, str] | None = None,
) -> Forecast:
    """Returns what some runs will take.

    Args:
        cells: the cell of each run to measure.
        at_least_s: seconds each of them lasts at least.
        history: earlier runs of each cell, and of peers.
        at_most_s: seconds each of them lasts at most.
        slow_batch_s: see `Forecast`.
        peers: of each cell, a key of `history`.
    """
    known = [cell for cell in cells if history.get(cell)]
    ground = {cell: history.get(cell) or history.get((peers or {}).get(cell, "")) for cell in cells}
    figures: dict[str, float | None] = {}
    for name in ("seconds", "joules", "usd"):
        by_cell = {
            cell: _median([getattr(run, name) for run in runs])
            for cell, runs in ground.items()
            if runs
        }
        told = {cell: value for cell, value in by_cell.items() if value is not None}
        typical = _median(list(told.values()))
        figures[name] = None if typical is None else sum(told.get(cell, typical) for cell in cells)
    return Forecast(
        runs=len(cells),
        known=len(known),
        at_least_s=sum(at_least_s),
        seconds=figures["seconds"],
        joules=figures["joules"],
        usd=figures["usd"],
        at_most_s=sum(at_most_s),
        slow_batch_s=slow_batch_s,
    )


def limit_min(forecast: Forecast, longest: int) -> int:
    """Returns the minutes that the job of a block may take before it is taken to hang.

    Args:
        forecast: of all runs.
        longest: runs of the largest block.
    """
    told_s = forecast.seconds or max(forecast.at_least_s, UNKNOWN_S * forecast.runs)
    of_block_s = told_s / max(1, forecast.runs) * longest
    return math.ceil(LOADS_MIN + PATIENCE * of_block_s / SECONDS_PER_MINUTE)


def _median(values: Sequence[float | None]) -> float | None:
    told = [value for value in values if value is not None]
    return statistics.median(told) if told else None


def _batch(seconds: float) -> str:
    """Returns how long a batch takes."""
    return f"{seconds:.2g} s" if seconds >= 1 else f"{seconds * MS_PER_S:.2g} ms"


def _dollars(usd: float) -> str:
    """Returns dollars as a person counts them; zero is what costs nothing."""
    return f"under {CENT} USD" if 0 < usd < CENT else f"{usd:,.2f} USD"
