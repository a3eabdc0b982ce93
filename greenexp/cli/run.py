"""The command: compose, check, run in a child, record."""

from __future__ import annotations

import datetime
import os
import socket
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from greenexp.cli import slurm
from greenexp.cli.compose import GROUPS
from greenexp.cli.exit import exit_code, told
from greenexp.errors import BadInput, GreenexpError, NotTracked, RunsFailed
from greenexp.settings.conf import config_dir

if TYPE_CHECKING:
    from greenexp.runs.run import Run
    from greenexp.sweep.preflight import Preflight
    from greenexp.sweep.record import Request
    from greenexp.tracking.delivery import Delivery


OUT_OF_TIME = "UncompletedJobError"  # submitit raises it shortly before a job's time limit


def main() -> int:
    """Runs the command line; returns 0 where every run ended well, else 1."""
    return exit_code(_run)


def _run() -> None:
    from greenexp.cli import console
    from greenexp.cli.arguments import expand, without_password
    from greenexp.cli.explained import explained

    expanded = expand([without_password(word) for word in sys.argv[1:]], config_dir())
    for line in expanded.notes:
        console.note(line)
    sys.argv[1:] = expanded.arguments
    explained(_hydra_main, "config")


@hydra.main(version_base="1.3", config_path=str(config_dir()), config_name="config")
def _hydra_main(cfg: DictConfig) -> str:
    """Measures and records what is asked for; returns where its journal is."""
    alone = HydraConfig.get().mode is RunMode.RUN
    with told() if alone else nullcontext():
        return _measure(cfg)


def _measure(cfg: DictConfig) -> str:
    """Measures what a job of Hydra's is for: a block of a sweep, a cell of one, a single run."""
    from greenexp.cli.compose import hide_password, refuse_chdir, settings

    context = HydraConfig.get()
    configuration = settings(cfg)
    folder = Path(context.runtime.output_dir)
    refuse_chdir(changes=context.job.chdir)
    hide_password(folder / (context.output_subdir or ""), str(cfg.tracking.uri))
    cells = configuration["sweep"]["survey"]
    if cells is not None:
        return _survey(Path(cells))
    requests = configuration["sweep"]["requests"]
    if requests is not None:
        return _measure_block(Path(requests))
    from greenexp.sweep.preflight import Preflight

    preflight = Preflight()
    request = _request(cfg, configuration, preflight)
    if context.mode is RunMode.RUN:
        return _measure_single(request, folder, list(preflight.notices))
    return _measure_cell(request, folder)


def _survey(cells: Path) -> str:
    """Looks at the cells of a sweep where they are to be measured, and tells the sweep of them."""
    from greenexp.cli.messages import one_line
    from greenexp.sweep.jobs import JobFiles
    from greenexp.sweep.preflight import Preflight
    from greenexp.sweep.survey import read_configurations, survey

    files = JobFiles(cells)
    files.begin()
    try:
        answer = survey(read_configurations(cells), Preflight())
    except Exception as error:
        files.fail(one_line(error) or f"{type(error).__name__}: {error}")
        raise
    files.end(answer.as_json())
    return str(cells)


def _measure_block(requests: Path) -> str:
    """Measures a block of a sweep; its job's files tell the sweep how it ended.

    A job that is started again, after its machine was taken from it, measures what is missing.
    """
    from greenexp.cli import console
    from greenexp.cli.messages import one_line
    from greenexp.sweep.jobs import JobFiles, block_told, take_threads
    from greenexp.sweep.record import (
        machine_of,
        measure_block,
        measured_before,
        read_requests,
        record_lost,
    )

    take_threads()
    listed = read_requests(requests)
    files = JobFiles(requests)
    if files.answer() is not None:
        return str(requests)
    files.begin()
    runs = requests.parents[1] / requests.stem / "runs"
    tell = console.stage([request.title for request in listed])
    try:
        with machine_of(listed[0]):  # recording takes CPU time, which another's block must not lack
            with _printed():
                measured = measured_before(runs) or measure_block(listed, runs, tell)
            _send([measurement.path for measurement in measured], listed[0])
    except Exception as error:
        if type(error).__name__ == OUT_OF_TIME:
            host = socket.gethostname()
            paths = record_lost(listed, runs.with_name("lost"), "timeout", slurm.TIME_LIMIT, host)
            _send(paths, listed[0])
            files.end(block_told(dict(enumerate(paths))))
        elif isinstance(error, GreenexpError) or slurm.JOB not in os.environ:
            files.fail(one_line(error) or f"{type(error).__name__}: {error}")
        # Else SLURM may be ending the job's processes one by one, to start it again elsewhere.
        raise
    of_requests = {run.request: run.path for run in measured if not run.is_extra}
    files.end(block_told(of_requests, [run.path for run in measured if run.is_extra]))
    return str(requests)


def _measure_single(request: Request, folder: Path, notices: Sequence[str]) -> str:
    """Measures a run and shows what it says; returns the path of its journal.

    Args:
        request: the run.
        folder: of its journal.
        notices: lines to show first.
    """
    from greenexp.cli import console
    from greenexp.report import summary
    from greenexp.report.journalled import JournalEvidence
    from greenexp.runs.cost import stale_quote
    from greenexp.runs.files import claim
    from greenexp.runs.journalled import run_at
    from greenexp.settings.build import typed
    from greenexp.settings.hardware import Hardware
    from greenexp.settings.report import Report
    from greenexp.settings.sweep import Tracking
    from greenexp.sweep.record import measure
    from greenexp.tracking import tracker as tracking

    configuration = request.configuration
    where = typed(configuration, "tracking", Tracking)
    tracker = None if where.offline else tracking.connect(where)  # before anything is measured
    price = typed(configuration, "hardware", Hardware).price
    stale = stale_quote(price, datetime.date.today(), HydraConfig.get().overrides.task)
    for line in filter(None, [*notices, stale, f"measuring {request.title}"]):
        console.note(line)
    with _printed(), console.telling(lambda: f"still measuring {request.title}"):
        # In a folder that was given, another than before.
        run, path = measure(request, claim(folder))
    with console.telling(lambda: f"recording {request.title}"):
        _send([path], request)
    run = run_at(path)
    options = typed(configuration, "report", Report)
    console.show_study(summary.study([run], JournalEvidence([run]), options))
    if tracker is not None:
        console.note(tracking.how_to_open(where, tracker))
    shown = _checked(request, run, path)
    if run.tracked is None and not where.offline:
        raise NotTracked(f"MLflow has not taken the run; its journal is {path}")
    return shown


def _measure_cell(request: Request, folder: Path) -> str:
    """Measures a cell for a sweeper that is not greenexp's; returns the path of its journal."""
    from greenexp.sweep.record import measure

    with _printed():
        run, path = measure(request, folder)
    _send([path], request)
    return _checked(request, run, path)


def _send(paths: Sequence[Path], request: Request) -> None:
    """Sends records of one tracker, unless it is offline, and says once what it does not take."""
    from greenexp.cli import console
    from greenexp.settings.build import typed
    from greenexp.settings.sweep import Tracking

    if typed(request.configuration, "tracking", Tracking).offline:
        return
    failures = [receipt.failure for receipt in _delivery().send(paths) if receipt.failure]
    for failure in dict.fromkeys(failures):
        console.note(f"greenexp: {failure}")


@cache
def _delivery() -> Delivery:
    """Returns the one delivery of this process, which knows the trackers that do not answer."""
    from greenexp.tracking.delivery import Delivery

    return Delivery()


@contextmanager
def _printed() -> Iterator[None]:
    """Prints what neither journal nor tracker takes, a line of JSON a run."""
    from greenexp.errors import NotJournalled

    try:
        yield
    except NotJournalled as error:
        for line in error.records:
            sys.stdout.write(f"{line}\n")
        raise


def _checked(request: Request, run: Run, path: Path) -> str:
    if run.outcome != "ok":
        raise RunsFailed(f"{request.title}: {run.outcome}: {run.reason}")
    return str(path)


def _request(cfg: DictConfig, configuration: dict[str, Any], preflight: Preflight) -> Request:
    """Returns the run that a command asks for, once it is checked."""
    from greenexp.cli.compose import steps_given
    from greenexp.runs.identity import INPUTS
    from greenexp.settings.build import typed
    from greenexp.settings.sweep import Sweep
    from greenexp.sweep.record import Request
    from greenexp.sweep.titles import choices_of, title

    context = HydraConfig.get()
    choices = choices_of(context.runtime.choices, GROUPS, steps_given(cfg))
    inspection = preflight.check(configuration)
    if typed(configuration, "sweep", Sweep).dry_run:
        raise BadInput(
            "sweep.dry_run=true shows the plan of a sweep, and this is a single run; "
            "give -m, or a choice of several options"
        )
    name = configuration["title"] or title(choices, inspection.title, context.overrides.task)
    alone = context.mode is RunMode.RUN
    sweep = None if alone else "/".join(Path(context.sweep.dir).parts[-2:])
    identified = {**configuration, INPUTS: inspection.inputs}
    return Request(identified, choices, name, sweep)
