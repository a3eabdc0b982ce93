"""The time that a sweep has left, by its forecast and by the blocks that have ended. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from greenexp.runs.amounts import duration, plural


@dataclass
class Pace:
    """How a sweep gets on; times are seconds since it began.

    The runs of a block end together, so it goes by blocks: a run that is halfway tells nothing.

    Attributes:
        total: runs of the sweep.
        forecast_s: what they were forecast to take; None where nothing told.
        ended: runs whose block has ended.
        ended_s: when the last of those did.
    """

    total: int
    forecast_s: float | None = None
    ended: int = 0
    ended_s: float = 0.0

    def end_block(self, runs: int, now_s: float) -> None:
        """A block of so many runs has ended."""
        self.ended += runs
        self.ended_s = now_s

    def left(self, now_s: float) -> str:
        """Returns the time left as a person reads it."""
        left_s = self.left_s(now_s)
        if left_s is None:
            return f"{plural(self.total, 'run')} to go"
        if self.ended >= self.total:
            return "done"
        return f"about {duration(left_s)} left" if left_s > 0 else "longer than forecast"

    def left_s(self, now_s: float) -> float | None:
        """Returns the time left; None where nothing tells, 0 or less where it is used up."""
        if self.ended:
            each_s = self.ended_s / self.ended
            return each_s * (self.total - self.ended) - (now_s - self.ended_s)
        return None if self.forecast_s is None else self.forecast_s - now_s
