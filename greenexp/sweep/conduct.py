"""Runs a sweep: plan, check, launch, show progress and the final table."""

from __future__ import annotations

import dataclasses
import datetime
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra._internal.core_plugins.basic_launcher import BasicLauncher
from hydra.core.utils import JobReturn, JobStatus
from hydra.plugins.launcher import Launcher
from omegaconf import DictConfig, open_dict

from greenexp import console, isolation
from greenexp.config import GROUPS, settings, steps_given, typed
from greenexp.cost import stale_quote
from greenexp.errors import BadInput, GreenexpError, NotTracked, RunsFailed, Unfit
from greenexp.machine import fingerprint
from greenexp.report.table import row
from greenexp.schema import Hardware, Report, Sweep, Tracking, Workload
from greenexp.store import journal, tracking
from greenexp.store.journal import Record, write_atomically
from greenexp.store.tracking import Finished, Tracker
from greenexp.sweep.forecast import Forecast, Took, forecast
from greenexp.sweep.plan import (
    BASELINE,
    Cell,
    Exclusion,
    Planned,
    blocks,
    cell_hash,
    choices_of,
    exclusion_lines,
    peers_hash,
    product,
    title,
    varying_keys,
)
from greenexp.sweep.preflight import Preflight

PLAN = "plan.json"


@dataclass(frozen=True)
class Composed:
    """A cell's configuration as plain containers, and the options chosen."""

    configuration: Mapping[str, Any]
    choices: Mapping[str, str]

    @classmethod
    def of(cls, cell: DictConfig) -> Composed:
        """Returns a composed cell without Hydra's own section."""
        chosen = cell.hydra.runtime.choices
        with open_dict(cell):
            del cell["hydra"]
        return cls(settings(cell), choices_of(chosen, GROUPS, steps_given(cell)))


@dataclass(frozen=True)
class Plan:
    """What a sweep is to do.

    Attributes:
        runs: every run, in order.
        finished: those that the tracker has already, by their key; they are skipped.
        exclusions: cells that can't be run, and why.
        forecast: of the runs left to measure.
    """

    runs: Sequence[Planned]
    finished: Mapping[tuple[str, int, int], Finished]
    exclusions: Sequence[Exclusion]
    forecast: Forecast

    @property
    def left(self) -> list[Planned]:
        """The runs to measure."""
        return [run for run in self.runs if run.key not in self.finished]

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


def conduct(
    swept: Sequence[Sequence[str]],
    compose: Callable[[tuple[str, ...]], Composed],
    launcher: Launcher,
    folder: Path,
    left_out: Sequence[Exclusion] = (),
) -> None:
    """Runs every cell of the product that fits, block by block, and shows the table.

    Runs that the tracker has from an earlier call are not repeated.

    Args:
        swept: the overrides of each swept key.
        compose: overrides to a configuration.
        launcher: Hydra's; with its own basic one, cells run one by one under a progress bar.
        folder: of the sweep.
        left_out: options known not to fit, which are not in `swept`.

    Raises:
        BadInput: before anything has run, where a cell can't run or none fits.
        RunsFailed: after the last run, where some did not end well.
    """
    for line in exclusion_lines(left_out, "options"):
        console.note(line)
    products = product(swept)
    if not products:
        reason = left_out[0].reason if left_out else "a sweep over no option at all; give one"
        raise BadInput(f"no option is left to run: {reason}")
    first = compose(products[0]).configuration
    where = typed(first, "tracking", Tracking)
    rules = typed(first, "sweep", Sweep)
    cells, exclusions = _cells(products, compose, Preflight(looks=not rules.dry_run))
    if not rules.dry_run:
        isolation.prepare()
    tracker = None
    if not rules.dry_run or tracking.exists(where):
        tracker = tracking.connect(where)  # creating its database must not cost a run
        _send_what_was_missed(Path(where.journal))
    plan = _plan(cells, [*left_out, *exclusions], first, compose, tracker)
    write_atomically(folder / PLAN, plan.as_json())
    if plan.finished:
        console.note(
            f"skipped {len(plan.finished)} of {len(plan.runs)} runs, which {where.uri} has from "
            "earlier; sweep.rerun=true measures them again"
        )
    console.note(f"plan: {plan.forecast.line()} (in {folder / PLAN})")
    if rules.dry_run or tracker is None:
        return
    records, failures = _launch(plan.left, launcher)
    earlier = [tracker.record(finished.run_id) for finished in plan.finished.values()]
    records += [record for record in earlier if record is not None]
    place = {cell.id: number for number, cell in enumerate(cells)}
    records.sort(key=lambda record: (place[record.cell], record.replicate))
    console.show_table([row(record) for record in records])
    options = typed(first, "report", Report)
    if options.after_sweep:
        _summarize(where, options, cells, folder)
    console.note(tracking.how_to_open(where, tracker))
    if failures:
        raise RunsFailed(
            f"{len(failures)} of {len(plan.left)} runs failed; first: {failures[0]} "
            f"(journal in {folder})"
        )


def _summarize(where: Tracking, options: Report, cells: Sequence[Cell], folder: Path) -> None:
    """Makes the sweep's summary in the tracker, and shows what it advises."""
    from greenexp.report import summary  # its figures take a second to import

    sweep = "/".join(folder.parts[-2:])
    try:
        made, _ = summary.track(where, options, [cell.id for cell in cells], sweep)
    except GreenexpError as error:  # every run is recorded; python -m greenexp.report tries again
        console.note(f"greenexp: {error}")
        return
    for line in made.advice:
        console.out.print(line, markup=False, soft_wrap=True)
    for line in made.next_steps:
        console.note(line)


def _cells(
    products: Sequence[tuple[str, ...]],
    compose: Callable[[tuple[str, ...]], Composed],
    preflight: Preflight,
) -> tuple[list[Cell], list[Exclusion]]:
    """Composes and checks every cell; returns those that fit, and why others don't."""
    varying = varying_keys(products)
    cells: dict[str, Cell] = {}
    exclusions: list[Exclusion] = []
    warnings: dict[str, None] = {}
    for overrides in products:
        composed = compose(overrides)
        configuration = composed.configuration
        try:
            model_title = preflight.check(configuration)
        except Unfit as unfit:
            shown = " · ".join(composed.choices[group] for group in ("model", "tactic", "dataset"))
            exclusions.append(Exclusion(shown, str(unfit)))
            continue
        name = configuration["title"] or title(composed.choices, model_title, overrides, varying)
        cell = Cell(
            overrides=overrides,
            title=name,
            id=cell_hash(configuration),
            peers=peers_hash(configuration),
            is_baseline=composed.choices["tactic"] == BASELINE,
        )
        cells.setdefault(cell.id, cell)
        price = typed(configuration, "hardware", Hardware).price
        stale = stale_quote(price, datetime.date.today())
        if stale is not None:
            warnings[f"hardware={composed.choices['hardware']}: {stale}"] = None
    for line in [*exclusion_lines(exclusions, "runs"), *warnings]:
        console.note(line)
    if not cells:
        raise BadInput(f"none of the {len(products)} runs can be done: {exclusions[0].reason}")
    return list(cells.values()), exclusions


def _plan(
    cells: Sequence[Cell],
    exclusions: Sequence[Exclusion],
    first: Mapping[str, Any],
    compose: Callable[[tuple[str, ...]], Composed],
    tracker: Tracker | None,
) -> Plan:
    """Orders the runs, finds those that are finished, and forecasts the rest."""
    rules = typed(first, "sweep", Sweep)
    runs = blocks(cells, first["repetitions"], rules.seed)
    machine = fingerprint()
    found = {
        cell.id: tracker.finished(cell.id, machine) if tracker is not None else [] for cell in cells
    }
    by_key = {one.key: one for earlier in found.values() for one in reversed(earlier)}  # latest
    finished = {run.key: by_key[run.key] for run in runs if run.key in by_key}
    if rules.rerun:
        finished = {}
    shortest_s = {
        cell.id: typed(compose(cell.overrides).configuration, "workload", Workload).at_least_s
        for cell in cells
    }
    left = [run.cell.id for run in runs if run.key not in finished]
    history = {
        cell: [Took(one.seconds, one.joules, one.usd) for one in earlier]
        for cell, earlier in found.items()
    }
    predicted = forecast(left, [shortest_s[cell] for cell in left], history)
    return Plan(runs, finished, exclusions, predicted)


def _send_what_was_missed(folder: Path) -> None:
    """Sends the tracker what an earlier sweep journalled and was killed before it had sent."""
    for path in journal.unsent(folder):
        try:
            journal.mark_sent(path, tracking.send(journal.read(path), path))
        except NotTracked as error:
            console.note(f"greenexp: {error}")


def _launch(runs: Sequence[Planned], launcher: Launcher) -> tuple[list[Record], list[str]]:
    """Launches the runs; returns the records journalled, and a line for each that failed."""
    records: list[Record] = []
    failures: list[str] = []

    def take(run: Planned, job: JobReturn) -> str:
        if job.status is not JobStatus.COMPLETED:
            failures.append(f"{run.name}: {_failure(job)}")
            return _failure(job)
        record = journal.read(Path(job.return_value))
        records.append(record)
        if record.result.outcome != "ok":
            failures.append(f"{run.name}: {record.result.outcome}: {record.result.reason}")
        return record.result.outcome

    if not isinstance(launcher, BasicLauncher):  # others run cells side by side, on other machines
        jobs = launcher.launch([list(run.overrides) for run in runs], initial_job_idx=0)
        for run, job in zip(runs, jobs, strict=True):
            take(run, job)
        return records, failures
    with console.SweepProgress(len(runs)).shown() as progress:
        for index, run in enumerate(runs):
            progress.start(run.name)
            began_s = time.monotonic()
            (job,) = launcher.launch([list(run.overrides)], initial_job_idx=index)
            progress.finish(run.name, take(run, job), time.monotonic() - began_s)
    return records, failures


def _failure(job: JobReturn) -> str:
    try:
        return str(job.return_value)
    except Exception as error:  # whatever the job raised; a bug of one cell must not end the sweep
        return f"{type(error).__name__}: {error}"
