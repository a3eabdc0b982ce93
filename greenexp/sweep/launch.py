"""Runs a sweep: plan, check, launch. What happens is yielded as events; nothing is printed."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from pydantic import ValidationError

from greenexp.errors import BadInput, Unfit
from greenexp.measuring import isolation
from greenexp.measuring.environment import version
from greenexp.measuring.lock import machine_lock
from greenexp.measuring.machine import conditions, fingerprint
from greenexp.runs import journal
from greenexp.runs.cost import stale_quote
from greenexp.runs.files import write_atomically
from greenexp.runs.identity import BASELINE, INPUTS, cell_hash, peers_hash, settings_hash
from greenexp.runs.journalled import run_at, runs_below
from greenexp.runs.run import Run
from greenexp.settings.build import typed
from greenexp.settings.hardware import Hardware
from greenexp.settings.report import Report
from greenexp.settings.secrets import without_secrets
from greenexp.settings.sweep import Isolation, Sweep, Tracking
from greenexp.settings.workload import Workload
from greenexp.sweep import resume
from greenexp.sweep.events import (
    BlockStart,
    Composition,
    Event,
    Notice,
    Plan,
    PlanReady,
    RunEnd,
    SweepEnd,
)
from greenexp.sweep.forecast import forecast
from greenexp.sweep.plan import (
    Cell,
    Exclusion,
    Key,
    PlannedRun,
    blocks,
    exclusion_lines,
    left_of,
    product,
    title,
    told_apart,
    varying_keys,
    without_idle_baselines,
)
from greenexp.sweep.preflight import Preflight
from greenexp.tracking import tracker as tracking
from greenexp.tracking.delivery import Delivery, Receipt
from greenexp.tracking.reader import reader_there
from greenexp.tracking.waiting import waiting

PLAN = "plan.json"


@dataclass(frozen=True)
class LaunchResult:
    """How a launched run came back: its journal, or why it has none.

    Attributes:
        journal: path of its record.
        failure: one line where there is none.
        extra: records of baselines that were measured again for a part of the block.
    """

    journal: Path | None
    failure: str = ""
    extra: Sequence[Path] = ()


class Launcher(Protocol):
    """Starts blocks where they are to be measured, and waits for them.

    Attributes:
        in_turn: whether it runs one after the other on this machine, so that progress can be told.
    """

    in_turn: bool

    def launch(
        self, blocks: Sequence[Sequence[PlannedRun]], first: int
    ) -> Sequence[Sequence[LaunchResult]]:
        """Returns how each run of each block came back; `first` is the number of the first."""
        ...


def sweep(
    swept: Sequence[Sequence[str]],
    compose: Callable[[tuple[str, ...]], Composition],
    launcher: Launcher,
    folder: Path,
    left_out: Sequence[Exclusion] = (),
) -> Iterator[Event]:
    """Runs every cell of the product that fits, block by block, and yields what happens.

    Runs that the tracker has from an earlier call are not repeated.

    Args:
        swept: the overrides of each swept key.
        compose: overrides to a configuration.
        launcher: of the runs.
        folder: of the sweep.
        left_out: options known not to fit, which are not in `swept`.

    Raises:
        BadInput: before anything has run, where a cell can't run or none fits.
    """
    yield from map(Notice, exclusion_lines(left_out, "options"))
    products = product(swept)
    if not products:
        reason = left_out[0].reason if left_out else "a sweep over no option at all; give one"
        raise BadInput(f"no option is left to run: {reason}")
    first = compose(products[0]).configuration
    where = typed(first, "tracking", Tracking)
    rules = typed(first, "sweep", Sweep)
    alone = typed(first, "isolation", Isolation).alone and launcher.in_turn and not rules.dry_run
    with machine_lock(alone=alone):
        pass  # another's measurement is told of before this one costs anything
    cells, exclusions, notices = _cells(products, compose, Preflight(looks=not rules.dry_run))
    yield from map(Notice, notices)
    if not cells:
        raise BadInput(f"none of the {len(products)} runs can be done: {exclusions[0].reason}")
    if not rules.dry_run:
        isolation.prepare()
    tracker, delivery = None, Delivery()
    if not rules.dry_run and not where.offline:
        tracker = tracking.connect(where)  # what is wrong with it must not cost a run
        missed = _missed(Path(where.journal), where.uri)
        yield from map(Notice, dict.fromkeys(_failures(delivery.send(missed))))
    earlier, gone = _known(where)
    if gone:
        yield Notice(
            f"the files of {gone} runs are gone from {without_secrets(where.uri)}, so they are "
            "measured again where this sweep has them"
        )
    plan = _plan(cells, [*left_out, *exclusions], first, compose, earlier)
    yield from map(Notice, resume.changes([run.cell for run in plan.missing], earlier))
    write_atomically(folder / PLAN, plan.as_json())
    yield PlanReady(plan, folder / PLAN, where)
    if rules.dry_run:
        return
    failures: list[str] = []
    measured: list[Run] = []
    with machine_lock(alone=alone):
        for event in _launch(plan.left, launcher):
            if isinstance(event, RunEnd):
                failures += [event.failure] if event.failure is not None else []
                measured += event.measured
            yield event
    if tracker is not None:
        left = [record for run in measured if (record := _record_of(run)) is not None]
        yield from map(Notice, dict.fromkeys(_failures(delivery.send(left))))
        measured = [_as_sent(run) for run in measured]
    yield SweepEnd(
        failures=failures,
        cells=cells,
        measured=measured,
        earlier=earlier,
        unsent=sum(run.tracked is None for run in measured),
        tracking=where,
        tracker=tracker,
        report=typed(first, "report", Report),
    )


def _known(where: Tracking) -> tuple[list[Run], int]:
    """Returns the runs from earlier, and how many others have no files any more."""
    if where.offline:
        return runs_below(Path(where.journal)), 0
    known = reader_there(where)
    if known is None:
        return [], 0
    gone = known.without_files()
    return [run for run in known.runs(exact=False) if run.tracked not in gone], len(gone)


def _missed(folder: Path, uri: str) -> list[Path]:
    """Returns the records that one tracker has missed; those of others are left to the command."""
    missed = []
    for path in journal.unsent(folder):
        try:
            where = run_at(path).configuration.get("tracking", {})
        except (OSError, ValidationError):
            where = {"uri": uri}  # it is looked at, and set aside where it is damaged
        if where.get("uri", Tracking().uri) == uri:
            missed.append(path)
    return missed


def _failures(receipts: Iterable[Receipt]) -> Iterator[str]:
    return (f"greenexp: {receipt.failure}" for receipt in receipts if receipt.failure is not None)


def _record_of(run: Run) -> Path | None:
    """Returns the record of a run that the tracker lacks."""
    if run.folder is None or run.tracked is not None:
        return None
    return Path(run.folder) / journal.RECORD


def _as_sent(run: Run) -> Run:
    path = _record_of(run)
    return run if path is None else replace(run, tracked=journal.sent(path))


def _cells(
    products: Sequence[tuple[str, ...]],
    compose: Callable[[tuple[str, ...]], Composition],
    preflight: Preflight,
) -> tuple[list[Cell], list[Exclusion], list[str]]:
    """Composes and checks every cell.

    Returns those that fit, why others don't, and lines that the user must see.
    """
    varying = varying_keys(products)
    cells: dict[str, Cell] = {}
    exclusions: list[Exclusion] = []
    warnings: dict[str, None] = {}
    for overrides in products:
        composed = compose(overrides)
        configuration = composed.configuration
        try:
            inspection = preflight.check(configuration)
        except Unfit as unfit:
            shown = " · ".join(composed.choices[group] for group in ("model", "tactic", "dataset"))
            exclusions.append(Exclusion(shown, str(unfit)))
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
            *preflight.notices,
            *warnings,
        ],
    )


def _plan(
    cells: Sequence[Cell],
    exclusions: Sequence[Exclusion],
    first: Mapping[str, Any],
    compose: Callable[[tuple[str, ...]], Composition],
    earlier: Sequence[Run],
) -> Plan:
    """Orders the runs, finds those that are finished, and forecasts the rest."""
    rules = typed(first, "sweep", Sweep)
    planned = blocks(cells, first["repetitions"], rules.seed, rules.baselines)
    machine = fingerprint()
    known = resume.finished(earlier, machine, conditions(), version("greenexp"))
    finished: dict[Key, Run] = {}
    if not rules.rerun:
        keys = [run.key for block in planned for run in block]
        finished = {key: known[key] for key in keys if key in known}
        planned = [without_idle_baselines(block, finished) for block in planned]
    shortest_s = {
        cell.id: typed(compose(cell.overrides).configuration, "workload", Workload).at_least_s
        for cell in cells
    }
    left = [run.cell.id for block in planned for run in left_of(block, finished)]
    history = resume.usages(earlier, machine)
    predicted = forecast(left, [shortest_s[cell] for cell in left], history)
    return Plan(planned, finished, exclusions, predicted)


def _launch(blocks: Sequence[Sequence[PlannedRun]], launcher: Launcher) -> Iterator[Event]:
    """Launches the blocks and yields how they go."""

    def ended(run: PlannedRun, launched: LaunchResult) -> RunEnd:
        if launched.journal is None:
            return RunEnd(run, launched.failure, None, f"{run.name}: {launched.failure}")
        measured = run_at(launched.journal)
        outcome, reason = measured.outcome, measured.reason
        well = outcome == "ok" or measured.is_finding
        failure = None if well else f"{run.name}: {outcome}: {reason}"
        every = [measured, *map(run_at, launched.extra)]
        return RunEnd(run, outcome, measured.seconds, failure, every)

    if not launcher.in_turn:  # side by side, on other machines
        with waiting(f"{len(blocks)} blocks that the launcher runs"):
            launched = launcher.launch(blocks, 0)
        for block, back in zip(blocks, launched, strict=True):
            yield from map(ended, block, back)
        return
    for index, block in enumerate(blocks):
        yield BlockStart(block)
        (back,) = launcher.launch([block], index)
        yield from map(ended, block, back)
