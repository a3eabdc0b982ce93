"""A sweep on the terminal: its notices, progress, final table and summary."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from greenexp.cli import console
from greenexp.errors import GreenexpError, NotTracked, RunsFailed
from greenexp.report.words.format import plural
from greenexp.sweep.events import (
    BlockStart,
    Event,
    Notice,
    PlanReady,
    RunEnd,
    SweepEnd,
)
from greenexp.sweep.plan import Key, PlannedRun
from greenexp.tracking import tracker as tracking
from greenexp.tracking.opening import reader


def show(events: Iterable[Event], folder: Path) -> None:
    """Shows a sweep as it goes, then its table and summary.

    Raises:
        RunsFailed: after the last run, where some did not end well.
    """
    events = iter(events)
    for event in events:
        match event:
            case Notice(line):
                console.note(line)
            case PlanReady():
                _show_plan(event)
                runs = sum(map(len, event.plan.left))
                completed = _progress(events, runs, event.plan.forecast.seconds)
                if completed is not None:
                    _show_end(completed, runs, folder)


def _show_plan(planned: PlanReady) -> None:
    plan = planned.plan
    skipped = len(plan.runs) - sum(map(len, plan.left))
    if skipped:
        where = planned.tracking
        console.note(
            f"skipped {skipped} of {len(plan.runs)} runs, which "
            f"{where.journal if where.offline else where.uri} has from earlier; "
            "sweep.rerun=true measures them again"
        )
    console.note(f"plan: {plan.forecast.line()} (in {planned.path})")


def _progress(events: Iterator[Event], runs: int, forecast_s: float | None) -> SweepEnd | None:
    """Shows the runs under a progress bar; returns the end, None for a dry run."""
    shown = console.SweepProgress(runs, forecast_s=forecast_s)
    ending: dict[Key, Sequence[Key]] = {}  # the runs whose end an end tells, for they share it
    with shown.shown() as progress:
        for event in events:
            match event:
                case BlockStart(block, host):
                    keys = [run.key for run in block]
                    ending.update(dict.fromkeys(keys, keys))
                    progress.start(f"{len(block)} together" if len(block) > 1 else block[0].name)
                    if host is not None:
                        console.note(f"{_called(block)} begins on {host}")
                case RunEnd(run, outcome, seconds):
                    ended = ending.pop(run.key, [run.key])
                    if ended:
                        progress.end_block(len(ended))
                    ending.update(dict.fromkeys(set(ended) - {run.key}, ()))
                    progress.finish(run.name, outcome, seconds)
                case SweepEnd():
                    return event
    return None


def _called(block: Sequence[PlannedRun]) -> str:
    """Returns what a block is called: by its first run and how many go with it."""
    more = f" and {len(block) - 1} with it" if len(block) > 1 else ""
    return f"{block[0].name}{more}"


def _show_end(completed: SweepEnd, runs: int, folder: Path) -> None:
    with console.telling(lambda: "reading what is known of the runs"):
        _summarize(completed, folder)
    if completed.tracker is not None:
        console.note(tracking.how_to_open(completed.tracking, completed.tracker))
    if completed.unsent:
        console.note(
            f"in the journal alone, not in MLflow: {plural(completed.unsent, 'run')} of {runs}; "
            f"python -m greenexp.store {shlex.quote(str(folder))} sends them"
        )
    if completed.failures:
        raise RunsFailed(
            f"{len(completed.failures)} of {runs} runs failed; first: {completed.failures[0]} "
            f"(journal in {folder})"
        )
    if completed.unsent and completed.tracker is not None:
        raise NotTracked(f"MLflow has not taken {plural(completed.unsent, 'run')}")


def _summarize(completed: SweepEnd, folder: Path) -> None:
    """Shows what the sweep's runs say, and makes its summary in the tracker.

    What was measured is read from the journal, so that a tracker that fails hides nothing.
    """
    from greenexp.report import summary
    from greenexp.report.journalled import JournalEvidence

    cells = {cell.id for cell in completed.cells}
    opened = None
    every = list(completed.earlier)
    if completed.tracker is not None and completed.answers:
        try:
            opened = reader(completed.tracking)
            every = opened.runs(without={run.tracked for run in completed.measured})
        except GreenexpError as error:  # every run is recorded, and the table needs none of it
            console.note(f"greenexp: {error}")
    new = {run.id for run in completed.measured}
    known = [run for run in every if run.id not in new]
    of_sweep = sorted(
        [*(run for run in known if run.cell in cells), *completed.measured],
        key=lambda run: (run.started, run.tracked or run.id),
    )
    earlier = [run for run in known if run.cell not in cells]
    evidence = JournalEvidence(of_sweep, opened)
    made = summary.study(of_sweep, evidence, completed.report, earlier=earlier)
    console.show_study(made)
    if not completed.report.after_sweep or opened is None:
        return
    from greenexp.report import write  # its figures take a second to import

    tracked = [run for run in of_sweep if run.tracked is not None]
    sweep = "/".join(folder.parts[-2:])
    try:
        write.track(completed.tracking, completed.report, made, tracked, sweep)
    except GreenexpError as error:  # python -m greenexp.report tries again
        console.note(f"greenexp: {error}")
