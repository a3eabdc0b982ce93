"""What a plan will take, judged by runs that were. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

SECONDS_PER_MINUTE = 60


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
        known: how many of them have an earlier run of the same cell to go by; the others are
            taken to be like the median of those.
        at_least_s: seconds that the settings alone make the runs last.
        seconds: of the whole plan.
        joules: likewise, of the earlier runs' sources.
        usd: likewise.
    """

    runs: int
    known: int
    at_least_s: float
    seconds: float | None
    joules: float | None
    usd: float | None

    def line(self) -> str:
        """Returns the forecast as a person reads it."""
        if self.runs == 0:
            return "nothing is left to measure"
        if self.seconds is None:
            return (
                f"{self.runs} runs, at least {_duration(self.at_least_s)}; no earlier run tells "
                "how long they take, nor what energy"
            )
        parts = [f"about {_duration(max(self.seconds, self.at_least_s))}"]
        if self.joules is not None:
            parts.append(f"{self.joules:.3g} J")
        if self.usd is not None:
            parts.append(f"{self.usd:.3g} USD")
        ground = f"by earlier runs of {self.known} of them"
        return f"{self.runs} runs, {', '.join(parts)}, {ground}"


def forecast(
    cells: Sequence[str], at_least_s: Sequence[float], history: Mapping[str, Sequence[Usage]]
) -> Forecast:
    """Returns what some runs will take.

    Args:
        cells: the cell of each run to measure.
        at_least_s: seconds each of them lasts at least.
        history: earlier runs of each cell.
    """
    known = [cell for cell in cells if history.get(cell)]
    figures: dict[str, float | None] = {}
    for name in ("seconds", "joules", "usd"):
        by_cell = {
            cell: _median([getattr(run, name) for run in history[cell]]) for cell in set(known)
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
    )


def _median(values: Sequence[float | None]) -> float | None:
    told = [value for value in values if value is not None]
    return statistics.median(told) if told else None


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), SECONDS_PER_MINUTE)
    return f"{minutes} min {rest:02} s" if minutes else f"{rest} s"
