"""The command: compose, check, run in a child, record."""

from __future__ import annotations

import datetime
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from greenexp.cli.compose import GROUPS
from greenexp.cli.exit import exit_code
from greenexp.errors import BadInput, GreenexpError, RunsFailed
from greenexp.settings.conf import config_dir

if TYPE_CHECKING:
    from greenexp.runs.run import Run
    from greenexp.sweep.preflight import Preflight
    from greenexp.sweep.record import Request


def main() -> int:
    """Runs the command line; returns 0 where every run ended well, else 1."""
    return exit_code(_run)


def _run() -> None:
    from greenexp.cli import console
    from greenexp.cli.arguments import expand

    expanded = expand(sys.argv[1:], config_dir())
    for line in expanded.notes:
        console.note(line)
    sys.argv[1:] = expanded.arguments
    _hydra_main()


@hydra.main(version_base="1.3", config_path=str(config_dir()), config_name="config")
def _hydra_main(cfg: DictConfig) -> str:
    """Measures and records what is asked for; returns where its journal is."""
    from greenexp.cli import console

    try:
        return _measure(cfg)
    except GreenexpError as error:
        if HydraConfig.get().mode is not RunMode.RUN:
            raise
        console.note(f"greenexp: {error}")
        raise SystemExit(1) from None  # an exception would make Hydra print lines of its own


def _measure(cfg: DictConfig) -> str:
    """Measures what a job of Hydra's is for: a block of a sweep, a cell of one, a single run."""
    from greenexp.cli.compose import settings

    context = HydraConfig.get()
    configuration = settings(cfg)
    folder = Path(context.runtime.output_dir)
    requests = configuration["sweep"]["requests"]
    if requests is not None:
        return _measure_block(Path(requests), folder)
    from greenexp.sweep.preflight import Preflight

    preflight = Preflight()
    request = _request(cfg, configuration, preflight)
    if context.mode is RunMode.RUN:
        return _measure_single(request, folder, list(preflight.notices))
    return _measure_cell(request, folder)


def _measure_block(requests: Path, folder: Path) -> str:
    """Measures a block of a sweep; returns the path of each run's journal, as JSON."""
    from greenexp.cli import console
    from greenexp.sweep.record import measure_block, read_requests, send

    listed = read_requests(requests)
    measured = measure_block(listed, folder / "runs", console.stage([r.title for r in listed]))
    for measurement in measured:
        send(measurement.path)
    return json.dumps(
        {measurement.request: str(measurement.path) for measurement in reversed(measured)}
    )


def _measure_single(request: Request, folder: Path, notices: Sequence[str]) -> str:
    """Measures a run and shows what it says; returns the path of its journal.

    Args:
        request: the run.
        folder: of its journal.
        notices: lines to show first.
    """
    from greenexp.cli import console
    from greenexp.report import summary
    from greenexp.runs.cost import stale_quote
    from greenexp.runs.files import claim
    from greenexp.settings.build import typed
    from greenexp.settings.hardware import Hardware
    from greenexp.settings.report import Report
    from greenexp.settings.sweep import Tracking
    from greenexp.sweep.record import measure, send
    from greenexp.tracking import tracker as tracking
    from greenexp.tracking.reader import reader

    configuration = request.configuration
    stale = stale_quote(typed(configuration, "hardware", Hardware).price, datetime.date.today())
    for line in filter(None, [*notices, stale, f"measuring {request.title}"]):
        console.note(line)
    run, path = measure(request, claim(folder))  # of a folder that was given, another than before
    send(path)
    where = typed(configuration, "tracking", Tracking)
    options = typed(configuration, "report", Report)
    console.show_study(summary.study([run], reader(where), options))
    console.note(tracking.how_to_open(where, tracking.connect(where)))
    return _checked(request, run, path)


def _measure_cell(request: Request, folder: Path) -> str:
    """Measures a cell for a sweeper that is not greenexp's; returns the path of its journal."""
    from greenexp.sweep.record import measure, send

    run, path = measure(request, folder)
    send(path)
    return _checked(request, run, path)


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
    from greenexp.sweep.plan import choices_of, title
    from greenexp.sweep.record import Request

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
