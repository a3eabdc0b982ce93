"""Runs a sweep: plan, check, launch. What happens is yielded as events; nothing is printed."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from greenexp.errors import BadInput
from greenexp.measuring import isolation
from greenexp.measuring.lock import machine_lock
from greenexp.runs import journal
from greenexp.runs.amounts import plural
from greenexp.runs.files import write_atomically
from greenexp.runs.journalled import run_at
from greenexp.runs.run import Run
from greenexp.settings.build import typed
from greenexp.settings.report import Report
from greenexp.settings.secrets import without_secrets
from greenexp.settings.sweep import Isolation, Sweep, Tracking
from greenexp.sweep import resume
from greenexp.sweep.events import (
    BlockStart,
    Composition,
    Event,
    Notice,
    PlanReady,
    RunEnd,
    SweepEnd,
)
from greenexp.sweep.forecast import Forecast, limit_min
from greenexp.sweep.jobs import JobEnd, JobStart, LaunchResult
from greenexp.sweep.known import known_runs, missed_records, still_missed
from greenexp.sweep.launcher import Launcher
from greenexp.sweep.plan import Exclusion, PlannedRun, exclusion_lines, product
from greenexp.sweep.planning import cells_of, plan_of, surveyed
from greenexp.tracking import tracker as tracking
from greenexp.tracking.delivery import Delivery, Receipt

PLAN = "plan.json"


def sweep(
    swept: Sequence[Sequence[str]],
    compose: Callable[[tuple[str, ...]], Composition],
    launcher: Launcher,
    folder: Path,
    left_out: Sequence[Exclusion] = (),
    lacks: Collection[tuple[str, str]] = (),
) -> Iterator[Event]:
    """Runs every cell of the product that fits, block by block, and yields what happens.

    Runs that the tracker has from an earlier call are not repeated.

    Args:
        swept: the overrides of each swept key.
        compose: overrides to a configuration.
        launcher: of the runs.
        folder: of the sweep.
        left_out: options known not to fit, which are not in `swept`.
        lacks: see `product`.

    Raises:
        BadInput: before anything has run, where a cell can't run or none fits.
    """
    yield from map(Notice, exclusion_lines(left_out, "options"))
    products = product(swept, lacks)
    if not products:
        reason = left_out[0].reason if left_out else "a sweep over no option at all; give one"
        raise BadInput(f"no option is left to run: {reason}")
    first = compose(products[0]).configuration
    where = typed(first, "tracking", Tracking)
    rules = typed(first, "sweep", Sweep)
    isolated = typed(first, "isolation", Isolation)
    lock = partial(
        machine_lock,
        alone=isolated.alone and launcher.in_turn and not rules.dry_run,
        waits=isolated.wait,
        device=first["device"],
    )
    with lock():
        pass  # another's measurement is told of before this one costs anything
    answer = yield from surveyed(products, compose, launcher, rules)
    cells, exclusions, notices = cells_of(products, compose, answer)
    yield from map(Notice, notices)
    if not cells:
        raise BadInput(f"none of the {len(products)} runs can be done: {exclusions[0].reason}")
    if launcher.is_here and not rules.dry_run:
        isolation.prepare()
    tracker, delivery = None, Delivery()
    missed = [] if where.offline else missed_records(Path(where.journal), where.uri)
    if not rules.dry_run and not where.offline:
        tracker = tracking.connect(where)  # what is wrong with it must not cost a run
        yield from map(Notice, dict.fromkeys(_failures(delivery.send(missed))))
    earlier, gone = known_runs(where)
    earlier = sorted(
        [*earlier, *still_missed(missed, where.experiment)], key=lambda run: run.started
    )
    if gone:
        yield Notice(
            f"the files of {plural(gone, 'run')} are gone from {without_secrets(where.uri)}, so "
            "they are measured again where this sweep has them"
        )
    plan = plan_of(cells, [*left_out, *exclusions], first, compose, earlier, answer)
    yield from map(Notice, resume.changes([run.cell for run in plan.missing], earlier))
    yield from map(Notice, plan.notices)
    write_atomically(folder / PLAN, plan.as_json())
    yield PlanReady(plan, folder / PLAN, where)
    if rules.dry_run:
        return
    failures: list[str] = []
    measured: list[Run] = []
    with lock():
        for event in _launch(plan.left, launcher, plan.forecast):
            if isinstance(event, RunEnd):
                failures += [event.failure] if event.failure is not None else []
                measured += event.measured
            yield event
    answers = tracker is not None
    if tracker is not None:
        left = [record for run in measured if (record := _record_of(run)) is not None]
        receipts = list(delivery.send(left))
        answers = not any(receipt.is_unanswered for receipt in receipts)
        yield from map(Notice, dict.fromkeys(_failures(receipts)))
        measured = [_as_sent(run) for run in measured]
    yield SweepEnd(
        failures=failures,
        cells=cells,
        measured=measured,
        earlier=earlier,
        unsent=sum(run.tracked is None for run in measured),
        tracking=where,
        tracker=tracker,
        answers=answers,
        report=typed(first, "report", Report),
    )


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


def _launch(
    blocks: Sequence[Sequence[PlannedRun]], launcher: Launcher, predicted: Forecast
) -> Iterator[Event]:
    """Launches the blocks and yields how they go."""

    def ended(run: PlannedRun, launched: LaunchResult) -> RunEnd:
        if launched.journal is None:
            return RunEnd(run, launched.failure, None, f"{run.name}: {launched.failure}")
        measured = run_at(launched.journal)
        outcome, reason = measured.outcome, measured.reason
        well = outcome == "ok" or measured.is_finding
        failure = None if well else f"{run.name}: {outcome}: {reason}"
        every = [measured, *map(run_at, launched.extra)]
        took_s = None if measured.machine is None else measured.seconds  # its job was lost
        return RunEnd(run, outcome, took_s, failure, every)

    if not launcher.in_turn:
        limit = limit_min(predicted, max(map(len, blocks), default=0))
        for job in launcher.side_by_side(blocks, limit) if blocks else ():
            match job:
                case JobStart(number, host):
                    yield BlockStart(blocks[number], host)
                case JobEnd(number, back):
                    yield from map(ended, blocks[number], back)
        return
    for number, block in enumerate(blocks):
        yield BlockStart(block)
        yield from map(ended, block, launcher.launch(block, number))
