"""Measures experiments, each in a fresh process, in complete blocks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from greenexp.api.experiments import Experiment
from greenexp.cli.console import SweepProgress, stage
from greenexp.errors import BadInput, NotTracked
from greenexp.runs.files import claim
from greenexp.runs.journal import RECORD
from greenexp.runs.run import Run
from greenexp.settings.sweep import Sweep
from greenexp.sweep.plan import Cell, PlannedRun, blocks
from greenexp.sweep.preflight import Preflight
from greenexp.sweep.record import Request, measure_block
from greenexp.sweep.titles import told_apart
from greenexp.tracking.delivery import Delivery


def measure(
    experiments: Experiment | Sequence[Experiment],
    *,
    repetitions: int = 1,
    seed: int = 0,
    baselines: int | None = None,
    processes: int = 1,
    journal: str | Path = "multirun",
    track: bool = False,
    progress: bool = True,
) -> list[Run]:
    """Measures experiments and returns their runs.

    Those that differ in their tactic alone are measured together, each in a fresh process: a block
    holds every one of them, and the baseline several times (A/A). A run that fails is among the
    runs, with its outcome and reason.

    Args:
        experiments: to measure; those that differ in their tactic alone are compared.
        repetitions: complete blocks.
        seed: of the order within each block.
        baselines: of a block; None: two, and more where there are few blocks.
        processes: of each tactic in a block, so that more than its rounds is repeated.
        journal: folder that holds a new folder of the records.
        track: whether the runs are sent to the MLflow store of `tracking.uri` as well.
        progress: whether a bar, or on no terminal a line a run, is shown.

    Raises:
        BadInput: before anything is measured, where an experiment can't be.
        NotTracked: where the tracker does not take a run, which stays in the journal.
    """
    listed = [experiments] if isinstance(experiments, Experiment) else list(experiments)
    if not listed:
        raise BadInput("there is no experiment to measure; give at least one")
    rules = Sweep(seed=seed, baselines=baselines, processes=processes)
    preflight = Preflight()
    listed = [experiment.with_inputs(preflight) for experiment in listed]
    by_cell = {experiment.cell: experiment for experiment in listed}
    cells = [
        Cell((), experiment.title, cell, experiment.peers, experiment.is_baseline)
        for cell, experiment in by_cell.items()
    ]
    planned = blocks(told_apart(cells), repetitions, rules.seed, rules.baselines, rules.processes)
    folder = _new_folder(Path(journal))
    runs = []
    with SweepProgress(sum(map(len, planned)), quiet=not progress).shown() as shown:
        for number, block in enumerate(planned):
            requests = [_request(by_cell[run.cell.id], run, folder) for run in block]
            tell = stage([run.name for run in block])
            measured = measure_block(requests, folder / str(number), tell)
            shown.end_block(len(block))
            for measurement in measured:
                runs.append(replace(measurement.run, folder=str(measurement.path.parent)))
                if not measurement.is_extra:
                    shown.finish(
                        block[measurement.request].name,
                        measurement.run.outcome,
                        measurement.run.seconds,
                    )
    delivery = Delivery()
    return [_tracked(run, delivery) for run in runs] if track else runs


def _tracked(run: Run, delivery: Delivery) -> Run:
    path = Path(run.folder or "") / RECORD
    (receipt,) = delivery.send([path])
    if receipt.failure is not None:
        raise NotTracked(receipt.failure)
    return replace(run, tracked=receipt.run_id)


def _request(experiment: Experiment, place: PlannedRun, folder: Path) -> Request:
    own: dict[str, Any] = dict(experiment.configuration)
    own["sweep"] = {**own.get("sweep", {}), "block": place.block, "replicate": place.replicate}
    sweep = "/".join(folder.parts[-2:])
    return Request(own, experiment.choices, place.cell.title, sweep)


def _new_folder(journal: Path) -> Path:
    """Makes a folder that nobody else has, named by the time as a sweep's is."""
    now = datetime.now()
    return claim(journal / f"{now:%Y-%m-%d}" / f"{now:%H-%M-%S}")
