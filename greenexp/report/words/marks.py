"""What the tracker's table says of each run: how its tactic compares, or what the run is for."""

from __future__ import annotations

from collections.abc import Sequence

from greenexp.quantities import ENERGY, compared
from greenexp.report.words import format as wording
from greenexp.runs.identity import BASELINE
from greenexp.runs.run import Run
from greenexp.study.counted import against
from greenexp.study.labels import of_runs
from greenexp.study.study import Cell, Study

FLAGGED = "flagged"
SAME = "A/A"  # the baseline against itself


def marks(study: Study, runs: Sequence[Run]) -> dict[str, str]:
    """Returns a mark of each run by its id.

    A run of a tactic has the verdict on that tactic with ratio and interval; the two baselines of a
    block are called so. A run that something stands against is flagged; one that did not end well
    has its outcome.

    Args:
        study: what the runs say.
        runs: of a sweep, those that something stands against among them.
    """
    cells = {run_id: cell for cell in study.cells for run_id in cell.run_ids}
    labels = of_runs(runs)
    tracked = {run.tracked or run.id: run for run in runs}
    return {
        run_id: _mark(run, labels[run.cell].tactic, cells.get(run_id))
        for run_id, run in tracked.items()
    }


def intervals(study: Study) -> dict[str, dict[str, float]]:
    """Returns the ends of the intervals of each tactic's ratios, by the ids of its runs.

    Their names are those of `vs_baseline/…` with `_ci_low` and `_ci_high`.
    """
    return {
        run_id: {
            f"vs_baseline/{quantity.slug}_ratio_ci_{end}": getattr(interval, end)
            for quantity in compared()
            if (effect := cell.effects.get(quantity.name)) and (interval := effect.interval)
            for end in ("low", "high")
        }
        for cell in study.cells
        for run_id in cell.run_ids
    }


def _mark(run: Run, tactic: str, cell: Cell | None) -> str:
    if run.outcome != "ok":
        return run.outcome
    if cell is None and run.doubts:
        return f"{FLAGGED}: {', '.join(run.doubts)}"
    if tactic == BASELINE:
        return f"{SAME if run.is_repeat else BASELINE}{_flagged(against(run))}"
    if cell is None or not cell.effects:
        return wording.ABSENT
    effect = cell.effects.get(ENERGY) or next(iter(cell.effects.values()))
    ratio = wording.joined(wording.ratio(effect), wording.ratio_span(effect))
    return f"{wording.verdict(effect)} {ratio}{_flagged(cell.doubts)}"


def _flagged(doubts: Sequence[str]) -> str:
    """Returns what stands against runs that count all the same, after what else is said."""
    return f"; {FLAGGED}: {', '.join(doubts)}" if doubts else ""
