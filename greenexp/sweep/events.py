"""What a sweep plans and what happens in it, told to whoever shows it."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from greenexp.runs.run import Run
from greenexp.settings.report import Report
from greenexp.settings.sweep import Tracking
from greenexp.sweep.forecast import Forecast
from greenexp.sweep.plan import Cell, Exclusion, Key, PlannedRun, left_of
from greenexp.tracking.tracker import Tracker


@dataclass(frozen=True)
class Composition:
    """A cell's configuration as plain containers, and the options chosen."""

    configuration: Mapping[str, Any]
    choices: Mapping[str, str]


@dataclass(frozen=True)
class Plan:
    """What a sweep is to do.

    Attributes:
        blocks: every block, in order, with its runs.
        finished: those that need not be measured again, by their key; they are skipped.
        exclusions: cells that can't be run, and why.
        forecast: of the runs left to measure.
        notices: lines that the user must see: which flagged runs are measured again.
    """

    blocks: Sequence[Sequence[PlannedRun]]
    finished: Mapping[Key, Run]
    exclusions: Sequence[Exclusion]
    forecast: Forecast
    notices: Sequence[str] = ()

    @property
    def runs(self) -> list[PlannedRun]:
        """Every run, in order."""
        return [run for block in self.blocks for run in block]

    @property
    def missing(self) -> list[PlannedRun]:
        """The runs that have not been measured, in order."""
        return [run for run in self.runs if run.key not in self.finished]

    @cached_property
    def left(self) -> list[list[PlannedRun]]:
        """The blocks to measure, with the runs that are left of each."""
        every = [left_of(block, self.finished) for block in self.blocks]
        return [block for block in every if block]

    def as_json(self) -> str:
        """Returns the plan as it is written before anything runs."""
        runs = [
            {
                "title": run.cell.title,
                "block": run.block,
                "replicate": run.replicate,
                "cell": run.cell.id,
                "finished": run.key in self.finished,
            }
            for run in self.runs
        ]
        exclusions = [dataclasses.asdict(exclusion) for exclusion in self.exclusions]
        plan = {
            "forecast": dataclasses.asdict(self.forecast),
            "runs": runs,
            "excluded": exclusions,
        }
        return json.dumps(plan, indent=1, ensure_ascii=False)


@dataclass(frozen=True)
class Notice:
    """A line that the user must see."""

    line: str


@dataclass(frozen=True)
class PlanReady:
    """The plan stands and is written to `path`; nothing has run yet."""

    plan: Plan
    path: Path
    tracking: Tracking


@dataclass(frozen=True)
class BlockStart:
    """A block begins; `host` is the machine where that is another than this one, or may be."""

    block: Sequence[PlannedRun]
    host: str | None = None


@dataclass(frozen=True)
class RunEnd:
    """A run has ended; `failure` is one line where it did not end well.

    Attributes:
        run: as it was planned.
        outcome: of it.
        seconds: that it took itself; None where that is not known.
        failure: one line where it did not end well.
        measured: what the journal holds of it, and of baselines measured again for a part.
    """

    run: PlannedRun
    outcome: str
    seconds: float | None
    failure: str | None = None
    measured: Sequence[Run] = ()


@dataclass(frozen=True)
class SweepEnd:
    """Every run has ended.

    Attributes:
        failures: a line for each run that did not end well.
        cells: of the sweep.
        measured: in it.
        earlier: all runs that were known before it.
        unsent: how many of the measured the tracker does not have.
        tracking: where its runs are.
        tracker: the same, open; None where runs stay in the journal.
        answers: whether it still does, as far as is known.
        report: what the summary assumes.
    """

    failures: Sequence[str]
    cells: Sequence[Cell]
    measured: Sequence[Run]
    earlier: Sequence[Run]
    unsent: int
    tracking: Tracking
    tracker: Tracker | None
    answers: bool
    report: Report


Event = Notice | PlanReady | BlockStart | RunEnd | SweepEnd
