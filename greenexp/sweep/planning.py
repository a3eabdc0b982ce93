"""From the overrides of a sweep to its plan: cells, what fits, what is finished, a forecast."""

from __future__ import annotations

import datetime
import math
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from typing import Any

from greenexp.runs.cost import stale_quote
from greenexp.runs.identity import BASELINE, INPUTS, cell_hash, peers_hash, settings_hash
from greenexp.runs.run import Run
from greenexp.settings.build import typed
from greenexp.settings.hardware import Hardware
from greenexp.settings.report import Report
from greenexp.settings.sweep import Sweep
from greenexp.settings.workload import Workload
from greenexp.sweep import resume
from greenexp.sweep.events import Composition, Notice, Plan
from greenexp.sweep.forecast import forecast
from greenexp.sweep.launcher import Launcher
from greenexp.sweep.plan import (
    Cell,
    Exclusion,
    Key,
    blocks,
    exclusion_lines,
    left_of,
    without_idle_baselines,
)
from greenexp.sweep.preflight import Preflight
from greenexp.sweep.survey import Survey, fetch, survey
from greenexp.sweep.titles import title, told_apart, varying_keys


def surveyed(
    products: Sequence[tuple[str, ...]],
    compose: Callable[[tuple[str, ...]], Composition],
    launcher: Launcher,
    rules: Sweep,
) -> Generator[Notice, None, Survey]:
    """Asks the machine that is to measure about every cell; a dry run starts no job for that."""

    def configurations() -> Iterator[Mapping[str, Any]]:
        return (compose(overrides).configuration for overrides in products)

    if launcher.is_here:
        return survey(configurations(), Preflight(looks=not rules.dry_run))
    if rules.dry_run:
        yield Notice(
            "a dry run starts no job: packages and device of the machines that measure are not "
            "looked at, and what is finished is told as for this machine"
        )
        return survey(configurations(), Preflight(looks=False, here=False))
    if not rules.probe:
        return survey(configurations(), Preflight())
    yield Notice(
        "a job looks at models, images and packages where they will be measured; "
        "sweep.probe=false looks at them here"
    )
    fetch(configurations())
    return launcher.survey(configurations())


def cells_of(
    products: Sequence[tuple[str, ...]],
    compose: Callable[[tuple[str, ...]], Composition],
    answer: Survey,
) -> tuple[list[Cell], list[Exclusion], list[str]]:
    """Returns the cells that fit, why others don't, and lines that the user must see."""
    varying = varying_keys(products)
    cells: dict[str, Cell] = {}
    exclusions: list[Exclusion] = []
    warnings: dict[str, None] = {}
    for overrides, inspection in zip(products, answer.inspections, strict=True):
        composed = compose(overrides)
        configuration = composed.configuration
        if isinstance(inspection, str):
            shown = " · ".join(composed.choices[group] for group in ("model", "tactic", "dataset"))
            exclusions.append(Exclusion(shown, inspection))
            continue
        choices = composed.choices
        name = configuration["title"] or title(choices, inspection.title, overrides, varying)
        configuration = {**configuration, INPUTS: inspection.inputs}
        cell = Cell(
            overrides=overrides,
            title=name,
            id=cell_hash(configuration),
            peers=peers_hash(configuration),
            is_baseline=choices["tactic"] == BASELINE,
            inputs=inspection.inputs,
            settings=settings_hash(configuration),
        )
        cells.setdefault(cell.id, cell)
        price = typed(configuration, "hardware", Hardware).price
        stale = stale_quote(price, datetime.date.today(), overrides)
        if stale is not None:
            warnings[f"hardware={choices['hardware']}: {stale}"] = None
    return (
        told_apart(list(cells.values())),
        exclusions,
        [
            *exclusion_lines(exclusions, "runs"),
            *answer.notices,
            *warnings,
        ],
    )


def plan_of(
    cells: Sequence[Cell],
    exclusions: Sequence[Exclusion],
    first: Mapping[str, Any],
    compose: Callable[[tuple[str, ...]], Composition],
    earlier: Sequence[Run],
    answer: Survey,
) -> Plan:
    """Orders the runs, finds those that are finished, and forecasts the rest."""
    rules = typed(first, "sweep", Sweep)
    planned = blocks(cells, first["repetitions"], rules.seed, rules.baselines, rules.processes)
    machine = answer.machine
    here = resume.measured_here(earlier, machine, answer.conditions)
    counts = typed(first, "report", Report).keep_flagged
    attempts = rules.attempts if rules.rerun == "flagged" and not counts else 1
    finished: dict[Key, Run] = {}
    lines: list[str] = []
    if rules.rerun is not True:
        known = resume.finished(here, answer.version, attempts)
        keys = [run.key for block in planned for run in block]
        finished = {key: known[key] for key in keys if key in known}
        planned = [without_idle_baselines(block, finished) for block in planned]
        kept = [run.key for block in planned for run in block]
        lines = resume.flagged_lines(kept, here, finished, attempts)
    workloads = {
        cell.id: typed(compose(cell.overrides).configuration, "workload", Workload)
        for cell in cells
    }
    left = [run.cell.id for block in planned for run in left_of(block, finished)]
    predicted = forecast(
        left,
        [workloads[cell].at_least_s for cell in left],
        resume.usages(earlier, machine),
        at_most_s=[workloads[cell].at_most_s for cell in left],
        slow_batch_s=min((workloads[cell].slow_batch_s for cell in left), default=math.inf),
        peers={cell.id: cell.peers for cell in cells},
    )
    return Plan(planned, finished, exclusions, predicted, lines)
