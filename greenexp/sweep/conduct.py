"""Runs a sweep: plan, check, launch one by one, show progress and the final table."""

from __future__ import annotations

import datetime
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
from greenexp.config import GROUPS, Hardware, Tracking, settings, typed
from greenexp.cost import stale_quote
from greenexp.errors import BadInput, RunsFailed, Unfit
from greenexp.report.table import row
from greenexp.store import journal, tracking
from greenexp.sweep.plan import (
    Cell,
    Exclusion,
    exclusion_lines,
    product,
    title,
    title_override,
    varying_keys,
)
from greenexp.sweep.preflight import Preflight


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
        return cls(settings(cell), {group: str(chosen[group]) for group in GROUPS})


def conduct(
    swept: Sequence[Sequence[str]],
    compose: Callable[[Sequence[str]], Composed],
    launcher: Launcher,
    folder: Path,
) -> None:
    """Runs every cell of the product that fits, and shows the table.

    Args:
        swept: the overrides of each swept key.
        compose: overrides to a configuration.
        launcher: Hydra's; with its own basic one, cells run one by one under a progress bar.
        folder: of the sweep.

    Raises:
        BadInput: before anything has run, where a cell can't run or none fits.
        RunsFailed: after the last run, where some did not end well.
    """
    cells = _plan(product(swept), compose)
    settings_of_all = typed(compose(cells[0].overrides).configuration, "tracking", Tracking)
    isolation.prepare()
    tracker = tracking.connect(settings_of_all)  # creating its database must not cost a run
    paths, failures = _launch(cells, launcher)
    records = [journal.read(path) for path in paths]
    console.show_table([row(record) for record in records])
    console.note(tracking.how_to_open(settings_of_all, tracker))
    failures += [
        f"{record.title}: {record.result.outcome}: {record.result.reason}"
        for record in records
        if record.result.outcome != "ok"
    ]
    if failures:
        raise RunsFailed(
            f"{len(failures)} of {len(cells)} runs failed; first: {failures[0]} "
            f"(journal in {folder})"
        )


def _plan(
    products: Sequence[Sequence[str]], compose: Callable[[Sequence[str]], Composed]
) -> list[Cell]:
    """Composes and checks every cell, and returns those that fit."""
    preflight = Preflight()
    varying = varying_keys(products)
    cells: list[Cell] = []
    exclusions: list[Exclusion] = []
    warnings: dict[str, None] = {}
    for overrides in products:
        cell = compose(overrides)
        try:
            model_title = preflight.check(cell.configuration)
        except Unfit as unfit:
            pair = f"{cell.choices['model']} with {cell.choices['dataset']}"
            exclusions.append(Exclusion(pair, str(unfit)))
            continue
        name = cell.configuration["title"] or title(cell.choices, model_title, overrides, varying)
        cells.append(Cell((*overrides, title_override(name)), name))
        price = typed(cell.configuration, "hardware", Hardware).price
        stale = stale_quote(price, datetime.date.today())
        if stale is not None:
            warnings[f"hardware={cell.choices['hardware']}: {stale}"] = None
    for line in [*exclusion_lines(exclusions, len(products)), *warnings]:
        console.note(line)
    if not cells:
        raise BadInput(f"none of the {len(products)} runs can be done: {exclusions[0].reason}")
    return cells


def _launch(cells: Sequence[Cell], launcher: Launcher) -> tuple[list[Path], list[str]]:
    """Launches the cells; returns the journals written, and a line for each job that broke."""
    paths: list[Path] = []
    failures: list[str] = []

    def take(cell: Cell, job: JobReturn) -> str:
        if job.status is JobStatus.COMPLETED:
            paths.append(Path(job.return_value))
            return journal.read(paths[-1]).result.outcome
        failures.append(f"{cell.title}: {_failure(job)}")
        return _failure(job)

    if not isinstance(launcher, BasicLauncher):  # others run cells side by side, on other machines
        jobs = launcher.launch([list(cell.overrides) for cell in cells], initial_job_idx=0)
        for cell, job in zip(cells, jobs, strict=True):
            take(cell, job)
        return paths, failures
    with console.SweepProgress(len(cells)).shown() as progress:
        for index, cell in enumerate(cells):
            progress.start(cell.title)
            began_s = time.monotonic()
            (job,) = launcher.launch([list(cell.overrides)], initial_job_idx=index)
            progress.finish(cell.title, take(cell, job), time.monotonic() - began_s)
    return paths, failures


def _failure(job: JobReturn) -> str:
    try:
        return str(job.return_value)
    except Exception as error:  # whatever the job raised; a bug of one cell must not end the sweep
        return f"{type(error).__name__}: {error}"
