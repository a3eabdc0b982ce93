"""Hydra's launchers: a job measures a block, here in turn or wherever the launcher takes it."""

from __future__ import annotations

import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra._internal.core_plugins.basic_launcher import BasicLauncher
from hydra.core.utils import JobReturn, JobStatus
from hydra.plugins.launcher import Launcher

from greenexp.cli import slurm
from greenexp.cli.jobs import LOOK_EVERY_S, Jobs, Pending, executor, is_joblib
from greenexp.errors import BadInput
from greenexp.measuring.waiting import waiting
from greenexp.runs.identity import INPUTS
from greenexp.runs.result import Outcome
from greenexp.sweep.events import Composition
from greenexp.sweep.jobs import (
    Answer,
    JobEnd,
    JobEvent,
    JobFiles,
    JobStart,
    LaunchResult,
    launch_results,
)
from greenexp.sweep.plan import PlannedRun
from greenexp.sweep.record import Request, record_lost, write_requests
from greenexp.sweep.survey import Survey, survey_of, write_configurations
from greenexp.sweep.titles import quoted

BY_FORECAST = 0  # as hydra.launcher.timeout_min
SURVEY_MIN = 30  # that a job may take which looks at a sweep's cells
ATTEMPTS = 2  # of a block that went down with the launcher's other jobs
PROGRAMS = ("sbatch", "scancel", "squeue")  # of SLURM


@dataclass(frozen=True)
class _Lost:
    """A job, by its number, will not come back."""

    number: int
    outcome: Outcome
    reason: str


@dataclass(frozen=True)
class _End:
    """A job, by its number, has ended with its answer."""

    number: int
    answer: Answer


class HydraLauncher:
    """Measures blocks by one of Hydra's launchers, a job each; with its basic one, in turn.

    Args:
        launcher: of Hydra.
        compose: overrides to a configuration.
        folder: of the sweep.
        journal: folder of all sweeps.

    Raises:
        BadInput: where the launcher's own options, or its machine, can't serve a sweep.
    """

    def __init__(
        self,
        launcher: Launcher,
        compose: Callable[[tuple[str, ...]], Composition],
        folder: Path,
        journal: Path,
    ) -> None:
        self._launcher = launcher
        self._compose = compose
        self._folder = folder
        self._journal = journal
        self._options: dict[str, Any] = getattr(launcher, "params", {})  # of submitit
        self._limit_min = self._options.get("timeout_min")
        _without_false(self._options)
        self.in_turn = isinstance(launcher, BasicLauncher)
        self.is_here = self.in_turn or is_joblib(launcher) or executor(launcher) == "local"
        check(launcher)

    def launch(self, block: Sequence[PlannedRun], number: int) -> Sequence[LaunchResult]:
        """Measures a block here; returns how each of its runs came back."""
        files = self._written(block, number)
        (job,) = self._launcher.launch([self._overrides(block, files)], initial_job_idx=number)
        if job.status is not JobStatus.COMPLETED:
            return [LaunchResult(None, _failure(job))] * len(block)
        answer = files.answer()
        return [] if answer is None else launch_results(answer, len(block))

    def survey(self, configurations: Iterable[Mapping[str, Any]]) -> Survey:
        """Asks the machine that a job comes to what it says of all configurations.

        Raises:
            BadInput: where the job does not come back, or says why the sweep can't be done.
        """
        path = (self._folder / "survey" / "cells.json").resolve()
        path.parent.mkdir(parents=True, exist_ok=True)
        write_configurations(configurations, path)
        files = {0: JobFiles(path)}
        overrides = {0: [f"sweep.survey={quoted(str(path))}", "hydra.sweep.subdir=survey"]}
        with waiting("the job that looks at models, images and packages"):
            *_, end = self._jobs(overrides, files, SURVEY_MIN)
        if isinstance(end, _Lost):
            raise BadInput(
                f"the job that looks at models, images and packages is lost ({end.outcome}): "
                f"{end.reason}; sweep.probe=false looks at them on this machine"
            )
        if not isinstance(end, _End) or end.answer.told is None:
            raise BadInput(end.answer.failure if isinstance(end, _End) else "the job did not end")
        return survey_of(end.answer.told)

    def side_by_side(
        self, blocks: Sequence[Sequence[PlannedRun]], limit_min: int
    ) -> Iterator[JobEvent]:
        """Measures blocks wherever the launcher takes them; yields what happens to each.

        The journal tells how they go. What the launcher itself says comes too late for that, or not
        at all: it waits for ever for a job that was cancelled.
        """
        files = {number: self._written(block, number) for number, block in enumerate(blocks)}
        overrides = {
            number: self._overrides(block, files[number]) for number, block in enumerate(blocks)
        }
        for event in self._jobs(overrides, files, limit_min):
            match event:
                case JobStart():
                    yield event
                case _End(number, answer):
                    yield JobEnd(number, launch_results(answer, len(blocks[number])))
                case _Lost(number, outcome, reason):
                    begun = files[number].begun()
                    host = None if begun is None else begun.host
                    requests = [self._request(run) for run in blocks[number]]
                    folder = self._folder / str(number) / "lost"
                    paths = record_lost(requests, folder, outcome, reason, host)
                    yield JobEnd(number, [LaunchResult(path) for path in paths])

    def _jobs(
        self, overrides: Mapping[int, list[str]], files: Mapping[int, JobFiles], limit_min: int
    ) -> Iterator[JobStart | _End | _Lost]:
        """Starts jobs and yields what happens to each, by its number."""
        if executor(self._launcher) == "slurm":
            slurm.refuse_beside(self._journal)
        self._set_limit(limit_min, len(files))
        pending = Pending(files)
        attempts: Counter[int] = Counter()
        while pending.numbers:
            numbers = sorted(pending.numbers)
            attempts.update(numbers)
            # A job's folder of Hydra's own is named by its number, and is new in each attempt.
            first = len(files) * (max(attempts.values()) - 1)
            listed = [overrides[number] for number in numbers]
            with Jobs(self._launcher, listed, numbers, first, self._folder) as jobs:
                while pending.numbers and not jobs.are_over(pending):
                    yield from _changes(pending, jobs)
                    jobs.check(pending)
                    if pending.numbers:
                        time.sleep(LOOK_EVERY_S)
                yield from _changes(pending, jobs)
            for number in [n for n in pending.numbers if attempts[n] >= ATTEMPTS]:
                pending.numbers.discard(number)
                yield _Lost(number, "killed", jobs.failure)

    def _set_limit(self, limit_min: int, jobs: int) -> None:
        """Sets how long a job may take; on one machine that includes the wait for the others."""
        takes_turns = executor(self._launcher) == "local"
        needed_min = limit_min * jobs if takes_turns else limit_min
        if self._limit_min == BY_FORECAST or takes_turns:
            self._options["timeout_min"] = max(self._limit_min or 0, needed_min)

    def _overrides(self, block: Sequence[PlannedRun], files: JobFiles) -> list[str]:
        return [*block[0].cell.overrides, f"sweep.requests={quoted(str(files.requests))}"]

    def _written(self, block: Sequence[PlannedRun], number: int) -> JobFiles:
        """Writes what a block's job is to measure."""
        path = (self._folder / "blocks" / f"{number}.json").resolve()
        write_requests([self._request(run) for run in block], path)
        return JobFiles(path)

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


def check(launcher: Launcher) -> None:
    """Checks that a launcher's options and this machine serve a sweep.

    Raises:
        BadInput: where they do not.
    """
    options: Mapping[str, Any] = getattr(launcher, "params", {})
    for name in ("nodes", "tasks_per_node"):
        if (options.get(name) or 1) != 1:
            raise BadInput(
                f"hydra.launcher.{name}={options[name]} starts a block several times; leave it "
                "out: a block is one task on one node"
            )
    if executor(launcher) == "slurm":
        missing = [program for program in PROGRAMS if shutil.which(program) is None]
        if missing:
            raise BadInput(
                f"hydra/launcher=slurm needs SLURM, and {', '.join(missing)} is not on the PATH "
                "here; give the command on a login node of the cluster"
            )


def _without_false(options: dict[str, Any]) -> None:
    """Leaves out the flags that are false; submitit would write `--exclusive=False` for sbatch."""
    flags = options.get("additional_parameters") or {}
    if flags:
        options["additional_parameters"] = {
            name: value for name, value in flags.items() if value not in (False, None)
        }


def _changes(pending: Pending, jobs: Jobs) -> Iterator[JobStart | _End | _Lost]:
    pending.look()
    for number, host in pending.newly_begun().items():
        yield JobStart(number, host)
    for number, answer in pending.answers().items():
        yield _End(number, answer)
    for number, (outcome, reason) in jobs.lost(pending).items():
        pending.numbers.discard(number)
        yield _Lost(number, outcome, reason)


def _failure(job: JobReturn) -> str:
    try:
        raised: Any = job.return_value
        return str(raised)
    except Exception as error:  # whatever the job raised; a bug of one cell must not end the sweep
        return f"{type(error).__name__}: {error}"
