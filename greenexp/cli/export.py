"""`python -m greenexp.export`: a measured tactic as an artefact that is proven to be the same."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from greenexp.cli.compose import GROUPS, configuration
from greenexp.cli.exit import exit_code, told
from greenexp.cli.explained import explained
from greenexp.errors import BadInput, RunsFailed, Unfit, Unsupported
from greenexp.quantities import ENERGY, LATENCY
from greenexp.settings.build import typed
from greenexp.settings.conf import config_dir
from greenexp.settings.export import Export
from greenexp.settings.report import Report
from greenexp.settings.sweep import Tracking

if TYPE_CHECKING:
    from greenexp.export.description import Description
    from greenexp.export.export import Source
    from greenexp.runs.run import Run
    from greenexp.tracking.models import Models
    from greenexp.tracking.reader import Reader

OWN = ("run", "advised", "register", "export", "report")  # keys that are not a cell's


def main() -> int:
    """Runs the command line; returns 1 where an artefact is not what was measured."""
    return exit_code(partial(explained, _hydra_main, "export"))


@hydra.main(version_base="1.3", config_path=str(config_dir()), config_name="export")
def _hydra_main(cfg: DictConfig) -> None:
    with told():
        _export(cfg)


def _export(cfg: DictConfig) -> None:
    """Exports each run that is asked for, and says what is shown of its artefact."""
    from greenexp.cli import console
    from greenexp.export.export import check, export
    from greenexp.export.publishing import publish, register
    from greenexp.tracking.models import Models
    from greenexp.tracking.opening import reader
    from greenexp.tracking.registry import CHAMPION

    where = typed(_plain(cfg, "tracking"), "tracking", Tracking)
    options = typed(_plain(cfg, "export"), "export", Export)
    opened = reader(where)
    runs = opened.runs()
    chosen = _chosen(cfg, runs, opened)
    models = Models(opened.client, opened.experiment_id)
    name = None if cfg.register is None else str(cfg.register)
    for run in chosen:  # before the first costs anything
        check(run)
    if name is not None:
        _check_register(name, chosen, models)
    failures = []
    for run in chosen:
        source = _source(run, runs, opened)
        try:
            folder, description = export(
                source, Path(options.folder), options.equal_within, lambda stage: None
            )
        except Unsupported as error:
            console.note(f"greenexp: {error}")
            failures.append(run.title)
            continue
        for line in _lines(folder, description):
            console.note(line)
        model_id = publish(models, run, run.tracked or "", folder, description)
        console.note(f"  in MLflow     models:/{model_id}")
        if description.proof is None or not description.proof.holds:
            failures.append(run.title)
        elif name is not None:
            version = register(models, name, model_id, run, description)
            console.note(f"  registered    {name}, version {version}: its {CHAMPION} now")
    if failures:
        raise RunsFailed(
            f"{len(failures)} of {len(chosen)} have no artefact that is proven: "
            f"{', '.join(failures)}"
        )


def _check_register(name: str, chosen: Sequence[Run], models: Models) -> None:
    """Checks that what is asked for can be registered, before it costs anything.

    Raises:
        BadInput: where the name is taken or impossible, or several would share it.
    """
    from greenexp.tracking.registry import check_name

    if len(chosen) > 1:
        raise BadInput(
            f"register={name} is one name for {len(chosen)} models; export one at a time with run=…"
        )
    check_name(models.client, name)


def _plain(cfg: DictConfig, *sections: str) -> dict[str, Any]:
    return {
        name: OmegaConf.to_container(cfg[name], resolve=True, throw_on_missing=False)
        for name in sections
    }


def _chosen(cfg: DictConfig, runs: Sequence[Run], opened: Reader) -> list[Run]:
    """Returns the runs that are asked for.

    Raises:
        BadInput: where there is none such.
    """
    if cfg.run is not None:
        given = str(cfg.run)
        of_id = [run for run in runs if given in (run.tracked, run.id)]
        if not of_id:
            raise BadInput(
                f"run={given} is no run of greenexp's in this experiment; give its MLflow run id"
            )
        return of_id[:1]
    if cfg.advised:
        return _advised(cfg, runs, opened)
    return [_latest(runs)]


def _advised(cfg: DictConfig, runs: Sequence[Run], opened: Reader) -> list[Run]:
    from greenexp.report import summary

    made = summary.study(runs, opened, typed(_plain(cfg, "report"), "report", Report))
    cells = {(cell.setting, cell.model, cell.tactic): cell for cell in made.cells}
    wanted = [
        cells[advice.setting, advice.model, advice.tactic].run_ids[-1]
        for advice in made.advice
        if advice.model is not None and advice.tactic is not None
    ]
    by_id = {run.tracked: run for run in runs}
    if not wanted:
        missing = made.next_steps[0] if made.next_steps else "The baseline is the best."
        raise BadInput(
            "the report advises no tactic, so there is nothing to export; give model=… tactic=…. "
            f"What is missing for advice: {missing}"
        )
    return [by_id[run_id] for run_id in wanted]


def _latest(runs: Sequence[Run]) -> Run:
    """Returns the latest run of the cell that the command describes.

    Raises:
        BadInput: where it has not been measured on this machine.
    """
    from greenexp.export.portable import nearest
    from greenexp.measuring.machine import fingerprint
    from greenexp.runs.identity import INPUTS, cell_hash
    from greenexp.sweep.preflight import Preflight

    given = [
        override
        for override in HydraConfig.get().overrides.task
        if override.lstrip("+").partition("=")[0].partition(".")[0] not in OWN
    ]
    composed, choices = configuration(given)
    try:
        inputs = Preflight().check(composed).inputs
    except Unfit as error:
        alike = nearest(choices["tactic"])
        raise Unfit(f"{error}; {alike} comes nearest" if alike else str(error)) from None
    cell = cell_hash({**composed, INPUTS: inputs})
    of_cell = [run for run in runs if run.cell == cell and run.machine == fingerprint()]
    well = [run for run in of_cell if run.outcome == "ok"] or of_cell
    if not well:
        shown = " ".join(f"{group}={choices[group]}" for group in GROUPS[:3])
        raise BadInput(
            f"{shown} has not been measured here as it is given; measure it first: python -m "
            f"greenexp -m {' '.join(given)}"
        )
    return well[-1]


def _source(run: Run, runs: Sequence[Run], opened: Reader) -> Source:
    """Returns a run with its predictions and what it is called.

    Raises:
        BadInput: where its record is gone.
    """
    from greenexp.export.export import Source
    from greenexp.study.labels import of_runs

    record = opened.record(run.tracked or "")
    predictions = None if record is None else record.result.predictions
    if predictions is None:
        raise BadInput(
            f"the record of {run.title} is gone, and nothing can be proven without it; measure it "
            "again with sweep.rerun=true"
        )
    labels = of_runs(runs)[run.cell]
    return Source(run, predictions, labels.model, labels.tactic)


def _lines(folder: Path, description: Description) -> list[str]:
    """Returns what is shown of an artefact, in lines."""
    proof = description.proof
    if proof is None:
        return [f"{folder}: nothing is proven"]
    same = "is" if proof.holds else "is NOT"
    ties = f" ({proof.ties} of them between classes as good as equal)" if proof.ties else ""
    lines = [
        f"{folder}: {description.form}, {same} what was measured",
        f"  predictions   {proof.flips} of {proof.images} differ{ties}; largest difference of "
        f"logits {proof.largest_difference:.2g}",
    ]
    names = {LATENCY: "latency", ENERGY: "energy"}
    for metric, ratio in proof.ratios.items():
        verdict = "equal" if ratio.equal else "not shown to be equal"
        lines.append(
            f"  {names[metric]:13} {ratio} of the tactic's: {verdict} within {proof.margin:.0%}"
        )
    if not proof.ratios:
        lines.append("  speed         too few rounds tell; give more with workload.min_windows=…")
    if description.is_of_one_machine:
        lines.append(f"  it runs on machines of this kind alone: {description.cpu}")
    return lines
