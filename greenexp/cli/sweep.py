"""A sweep on the terminal: its notices, progress, final table and summary."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from hydra._internal.core_plugins.basic_launcher import BasicLauncher
from hydra.core.utils import JobReturn, JobStatus
from hydra.plugins.launcher import Launcher
from omegaconf import DictConfig, open_dict

from greenexp.cli import console
from greenexp.cli.compose import GROUPS, settings, steps_given
from greenexp.errors import GreenexpError, NotTracked, RunsFailed
from greenexp.report.words.format import plural
from greenexp.runs.identity import INPUTS
from greenexp.sweep.events import (
    BlockStart,
    Composition,
    Event,
    Notice,
    PlanReady,
    RunEnd,
    SweepEnd,
)
from greenexp.sweep.launch import LaunchResult
from greenexp.sweep.plan import PlannedRun, choices_of, quoted
from greenexp.sweep.record import Request, write_requests
from greenexp.tracking import tracker as tracking
from greenexp.tracking.reader import reader


def composed(cell: DictConfig) -> Composition:
    """Returns a composed cell without Hydra's own section."""
    chosen = cell.hydra.runtime.choices
    with open_dict(cell):
        del cell["hydra"]
    return Composition(settings(cell), choices_of(chosen, GROUPS, steps_given(cell)))


class HydraLauncher:
    """Measures blocks by one of Hydra's launchers, a job each; with its basic one, in turn.

    Args:
        launcher: of Hydra.
        compose: overrides to a configuration.
        folder: of the sweep.
    """

    def __init__(
        self, launcher: Launcher, compose: Callable[[tuple[str, ...]], Composition], folder: Path
    ) -> None:
        self._launcher = launcher
        self._compose = compose
        self._folder = folder
        self.in_turn = isinstance(launcher, BasicLauncher)

    def launch(
        self, blocks: Sequence[Sequence[PlannedRun]], first: int
    ) -> Sequence[Sequence[LaunchResult]]:
        """Returns how each run of each block came back."""
        overrides = [self._job(block, number) for number, block in enumerate(blocks, first)]
        jobs = self._launcher.launch(overrides, initial_job_idx=first)
        return [_launched(job, len(block)) for job, block in zip(jobs, blocks, strict=True)]

    def _job(self, block: Sequence[PlannedRun], number: int) -> list[str]:
        """Returns the overrides of a block's job; what it measures stands in a file."""
        path = (self._folder / "blocks" / f"{number}.json").resolve()
        write_requests([self._request(run) for run in block], path)
        return [*block[0].cell.overrides, f"sweep.requests={quoted(str(path))}"]

    def _request(self, run: PlannedRun) -> Request:
        cell = self._compose(run.cell.overrides)
        place = {"block": run.block, "replicate": run.replicate}
        configuration = {
            **cell.configuration,
            "title": run.cell.title,
            INPUTS: run.cell.inputs,
            "sweep": {**cell.configuration["sweep"], **place},
        }
        sweep = "/".join(self._folder.parts[-2:])
        return Request(configuration, cell.choices, run.cell.title, sweep)


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
                completed = _progress(events, runs)
                if completed is not None:
                    _show_end(completed, runs, folder)


def _show_plan(planned: PlanReady) -> None:
    plan = planned.plan
    skipped = len(plan.runs) - sum(map(len, plan.left))
    if skipped:
        console.note(
            f"skipped {skipped} of {len(plan.runs)} runs, which {planned.tracking.uri} "
            "has from earlier; sweep.rerun=true measures them again"
        )
    console.note(f"plan: {plan.forecast.line()} (in {planned.path})")


def _progress(events: Iterator[Event], runs: int) -> SweepEnd | None:
    """Shows the runs under a progress bar; returns the end, None for a dry run."""
    shown = console.SweepProgress(runs)
    with shown.shown() as progress:
        for event in events:
            match event:
                case BlockStart(block):
                    progress.start(f"{len(block)} together" if len(block) > 1 else block[0].name)
                case RunEnd(run, outcome, seconds):
                    progress.finish(run.name, outcome, seconds)
                case SweepEnd():
                    return event
    return None


def _show_end(completed: SweepEnd, runs: int, folder: Path) -> None:
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
    if completed.tracker is not None:
        try:
            opened = reader(completed.tracking)
            every = opened.runs()
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


def _launched(job: JobReturn, runs: int) -> list[LaunchResult]:
    if job.status is JobStatus.COMPLETED:
        journals = json.loads(job.return_value)
        extra = [Path(path) for path in journals["extra"]]
        return [
            LaunchResult(Path(journals["runs"][str(number)]), extra=[] if number else extra)
            for number in range(runs)
        ]
    return [LaunchResult(None, _failure(job))] * runs


def _failure(job: JobReturn) -> str:
    try:
        raised: Any = job.return_value
        return str(raised)
    except Exception as error:  # whatever the job raised; a bug of one cell must not end the sweep
        return f"{type(error).__name__}: {error}"
