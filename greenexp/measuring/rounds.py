"""When the runs of a block are known well enough: pure bookkeeping of their turns."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from greenexp.measuring.turns import Turn
from greenexp.settings.workload import Workload
from greenexp.stats import in_turn
from greenexp.stats.in_turn import Share
from greenexp.stats.robust import Center

LOOKED_AT_EVERY = 5  # rounds; fewer looks keep the interval's coverage
CLEAR = 10.0  # half-widths that an effect is from none: its verdict stands, however wide it is


@dataclass
class Rounds:
    """The rounds of a block so far.

    Attributes:
        open: runs that still measure, by their numbers.
        baselines: those that the others are compared with.
        workload: how precise the ratios are to be, and how many rounds that may take.
        number: rounds so far.
        settled: for each run that has left, whether its figures are as precise as asked.
    """

    open: list[int]
    baselines: Sequence[int]
    workload: Workload
    number: int = 0
    settled: dict[int, bool] = field(default_factory=dict)
    _turns: dict[int, dict[int, Turn]] = field(default_factory=dict)

    def add(self, taken: Mapping[int, Turn], gone: Sequence[int] = ()) -> None:
        """Adds a round; runs that are known, or gone, leave.

        Args:
            taken: what each run took, without windows that do not count.
            gone: runs that have ended.
        """
        self.number += 1
        for run, turn in taken.items():
            self._turns.setdefault(run, {})[self.number] = turn
        self.open = [run for run in self.open if run not in gone]
        if self.number >= self.workload.max_windows:
            for run in self.open:
                self._leave(run)
        elif self.number >= self.workload.min_windows:
            if self.workload.half_width is None:
                for run in self.open:
                    self._leave(run)
            elif self.number % LOOKED_AT_EVERY == 0:
                self._let_go()
        self.open = [run for run in self.open if run not in self.settled]

    def _let_go(self) -> None:
        for run in self.open:
            if run not in self.baselines and self._known(run):
                self._leave(run)
        left = [run for run in self.open if run not in self.settled]
        if any(run not in self.baselines for run in left):
            return
        # The baselines tell how far equal processes are apart, so theirs is to be as sharp; one
        # that tactics were held against, and has no second, has done its part.
        if (len(left) == 1 and len(self._turns) > 1) or all(map(self._known, left)):
            for run in left:
                self._leave(run)

    def _leave(self, run: int) -> None:
        self.settled.setdefault(run, self._known(run))

    def _known(self, run: int) -> bool:
        asked = self.workload.half_width
        if asked is None:
            return True
        ratio = self.ratio(run)
        if ratio is None:
            return False
        return ratio.half_width <= max(asked, abs(ratio.value) / CLEAR)

    def ratio(self, run: int) -> Center | None:
        """Returns the logarithm of what a run takes relative to the baselines of the same rounds.

        Energy where all of them measure it, else time; of a baseline relative to the others, of a
        run without baselines relative to its own mean. None for too few rounds.
        """
        others = [base for base in self.baselines if base != run]
        metered = self._metered([run, *others])
        own, *against = (
            {number: _share(turn, metered) for number, turn in self._turns.get(member, {}).items()}
            for member in (run, *others)
        )
        return in_turn.log_ratio([own], against)

    def _metered(self, runs: Sequence[int]) -> bool:
        return all(
            turn.joules is not None and turn.joules > 0
            for run in runs
            for turn in self._turns.get(run, {}).values()
        )


def _share(turn: Turn, metered: bool) -> Share:
    time = math.log(turn.latency_s)
    return Share(time, math.log(turn.joules) if metered and turn.joules else time)
