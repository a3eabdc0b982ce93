"""What no comparison is made with: single runs, doubted runs, runs that did not end well."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

from greenexp.runs.run import Run
from greenexp.study.effects import plain_cell
from greenexp.study.labels import Labels
from greenexp.study.select import PricedRun
from greenexp.study.study import Cell, Failure, Setting

AGAIN = "baseline again (A/A)"


def aside(runs: Sequence[PricedRun], doubts: Mapping[str, Sequence[str]]) -> list[Cell]:
    """Returns the cells of runs that stand aside, with their figures alone.

    Args:
        runs: that ended well and count in no comparison.
        doubts: of each run, by its id.
    """
    members: dict[tuple[Setting, str, str], list[PricedRun]] = defaultdict(list)
    for run in runs:
        tactic = AGAIN if run.is_repeat else run.tactic
        members[run.setting, run.model, tactic].append(run)
    return [
        replace(
            plain_cell(*place, [[run] for run in of_cell]),
            doubts=list(dict.fromkeys(doubt for run in of_cell for doubt in doubts[run.id])),
        )
        for place, of_cell in members.items()
    ]


def failures(runs: Sequence[Run], labels: Mapping[str, Labels]) -> list[Failure]:
    """Returns what did not end well; runs that ended alike are counted together."""
    counts: dict[tuple[str, str, str, str], int] = defaultdict(int)
    for run in runs:
        if run.outcome != "ok":
            called = labels[run.cell]
            counts[called.model, called.tactic, run.outcome, run.reason or ""] += 1
    return [Failure(*alike, runs=count) for alike, count in counts.items()]
