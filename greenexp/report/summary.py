"""What some runs say: the study that tables, figures and page are made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from datetime import UTC, datetime
from functools import partial
from typing import Any, Protocol

from greenexp.quantities import ENERGY, with_own
from greenexp.report.words import notes, ran
from greenexp.report.workers import Workers
from greenexp.runs.outcomes import ImageOutcomes
from greenexp.runs.run import Run
from greenexp.settings.report import Report
from greenexp.study import decide
from greenexp.study.effects import compare
from greenexp.study.labels import of_runs
from greenexp.study.machines import machines
from greenexp.study.pairs import groups
from greenexp.study.power import total_power
from greenexp.study.select import Reprice, own_prices, priced, stand_aside
from greenexp.study.study import Cell, Study
from greenexp.study.tasks import begun
from greenexp.study.uncompared import aside, failures
from greenexp.study.undecided import paces

POWER_RUNS = 4  # shown over time


class Evidence(Protocol):
    """Where the predictions of runs and their power over time are read from."""

    @property
    def title(self) -> str:
        """What the runs are."""
        ...

    def predictions(self, run_id: str) -> ImageOutcomes | None:
        """Returns which images a run had right; None where that is gone."""
        ...

    def begin_predictions(self, run_ids: Sequence[str], pool: Executor) -> None:
        """May begin to read in another process what `predictions` will be asked for."""
        return

    def power_series(self, run_id: str) -> Mapping[str, Sequence[tuple[float, float]]]:
        """Returns power over time, (s into the run, W), of each component that was sampled."""
        ...


def study(
    every: Sequence[Run],
    opened: Evidence,
    options: Report,
    reprice: Reprice = own_prices,
    label: str | None = None,
    *,
    pools: Workers | None = None,
    earlier: Sequence[Run] = (),
) -> Study:
    """Returns what the runs say.

    Args:
        every: the runs.
        opened: where their predictions and their power over time are.
        options: what is asked and assumed.
        reprice: a run's preset to the one to price with.
        label: what to call the preset where it is one for all.
        pools: processes that do a part meanwhile; None: all is done here.
        earlier: other runs; those that were measured together on the same machine and in the same
            setting help to tell how processes differ.
    """
    labels = of_runs(every)
    pricing: dict[str, Any] = {
        "reprice": reprice,
        "label": label,
        "keep_flagged": options.keep_flagged,
    }
    used, left_out = priced(every, labels, **pricing)
    others = stand_aside(every, labels, **pricing)
    used_ids = {run.id for run in used or others}
    counted = [run for run in every if (run.tracked or run.id) in used_ids]
    doubts = {run.tracked or run.id: run.doubts for run in every}
    quantities = with_own(own for run in every for own in run.quantities)
    pool = None
    if pools is not None:
        pool = pools.statistics
        spoken_for = [run.id for group in groups(used) for run in group.first_runs()]
        opened.begin_predictions(spoken_for, pools.pictures)
    beside, _ = priced([run for run in earlier if run.together], of_runs(earlier), **pricing)
    compared = compare(used, opened.predictions, options, quantities, pool, beside)
    of_cells = partial(decide.advice, compared.cells, compared.overall, options, paces(used))
    advice = begun(pool, of_cells)
    advised = advice()
    repriced = None if reprice is own_prices else label or "those of the runs, with changes"
    return Study(
        title=opened.title,
        cells=compared.cells,
        overall=compared.overall,
        noise=compared.noise,
        left_out=left_out,
        aside=aside(others, doubts),
        failures=failures(every, labels),
        machines=machines(used, compared.cells, advised),
        notes=[
            *notes.of_flagged(used),
            *notes.notes(used or others, compared.cells or aside(others, doubts), repriced),
        ],
        next_steps=notes.next_steps(used, compared.cells, left_out, advised),
        advice=advised,
        prices=notes.prices(used),
        requests_per_month=options.requests_per_month,
        months=options.months,
        max_top1_drop=options.max_top1_drop,
        runs=len(used),
        ran_on=ran.machines(counted),
        measured=ran.days(counted),
        flagged=sum(bool(run.doubts) for run in used),
        made=datetime.now(UTC).isoformat(timespec="seconds"),
        quantities=quantities,
        power=_power(compared.cells, opened),
    )


def _power(cells: Sequence[Cell], opened: Evidence) -> dict[str, list[tuple[float, float]]]:
    """Returns power over time of a few runs: the baseline and best tactics of one model."""
    compared = [cell for cell in cells if ENERGY in cell.effects]
    if not compared:
        return {}
    best = min(compared, key=lambda cell: cell.effects[ENERGY].ratio)
    of_model = [c for c in cells if (c.setting, c.model) == (best.setting, best.model)]
    traces = {}
    for cell in of_model[:POWER_RUNS]:
        points = total_power(opened.power_series(cell.run_ids[0]))
        if points:
            traces[f"{cell.model} · {cell.tactic}"] = points
    return traces
