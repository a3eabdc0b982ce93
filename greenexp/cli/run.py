"""The command: compose, check, run in a child, record."""

from __future__ import annotations

import datetime
import sys
from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from greenexp.cli.compose import GROUPS, SWEEPER
from greenexp.cli.exit import exit_code
from greenexp.errors import BadInput, GreenexpError, RunsFailed
from greenexp.settings.conf import config_dir


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
    """Measures and records one cell; returns the path of its journal."""
    from greenexp.cli import console

    try:
        return _measure(cfg)
    except GreenexpError as error:
        if HydraConfig.get().mode is not RunMode.RUN:
            raise
        console.note(f"greenexp: {error}")
        raise SystemExit(1) from None  # an exception would make Hydra print lines of its own


def _measure(cfg: DictConfig) -> str:
    from greenexp.cli import console
    from greenexp.cli.compose import settings, steps_given
    from greenexp.report import summary
    from greenexp.runs.cost import stale_quote
    from greenexp.settings.build import typed
    from greenexp.settings.hardware import Hardware
    from greenexp.settings.report import Report
    from greenexp.settings.sweep import Sweep, Tracking
    from greenexp.sweep.plan import choices_of, title
    from greenexp.sweep.preflight import Preflight
    from greenexp.sweep.record import Request, measure, send
    from greenexp.tracking import tracker as tracking
    from greenexp.tracking.reader import reader

    context = HydraConfig.get()
    configuration = settings(cfg)
    choices = choices_of(context.runtime.choices, GROUPS, steps_given(cfg))
    alone = context.mode is RunMode.RUN
    checked = not alone and context.sweeper._target_ == SWEEPER
    model_title = None if checked else Preflight().check(configuration)
    if typed(configuration, "sweep", Sweep).dry_run:
        raise BadInput(
            "sweep.dry_run=true shows the plan of a sweep, and this is a single run; "
            "give -m, or a choice of several options"
        )
    name = configuration["title"] or title(choices, model_title, context.overrides.task)
    sweep = None if alone else "/".join(Path(context.sweep.dir).parts[-2:])
    request = Request(configuration, choices, name, sweep)
    if alone:
        stale = stale_quote(typed(configuration, "hardware", Hardware).price, datetime.date.today())
        for line in filter(None, [stale, f"measuring {request.title}"]):
            console.note(line)
    run, path = measure(request, Path(context.runtime.output_dir))
    send(path)
    if alone:
        where = typed(configuration, "tracking", Tracking)
        options = typed(configuration, "report", Report)
        console.show_study(summary.study([run], reader(where), options))
        console.note(tracking.how_to_open(where, tracking.connect(where)))
    if run.outcome != "ok" and not checked:  # our sweeper reads the journal instead
        raise RunsFailed(f"{request.title}: {run.outcome}: {run.reason}")
    return str(path)
