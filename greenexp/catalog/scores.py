"""What models scored in runs, for the catalogue. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from greenexp.quantities import TOP1
from greenexp.runs.run import Run

MACS = "complexity/macs"


@dataclass(frozen=True)
class Score:
    """What a model scored in its latest finished run on a data set.

    Attributes:
        model: the choice, as is `dataset`.
        dataset: likewise.
        place: hub id or folder of the data set; None where it has neither.
        limit: images that the data set was limited to; None: all.
        top1: fraction right.
        macs: multiply-accumulates for one image; None where they could not be counted.
    """

    model: str
    dataset: str
    place: str | None
    limit: int | None
    top1: float
    macs: float | None


def scores(runs: Iterable[Run], tactic: str) -> list[Score]:
    """Returns what each model scored in its latest finished run of a tactic on each data set.

    The latest come first.

    Args:
        runs: oldest first.
        tactic: the choice.
    """
    latest: dict[tuple[object, ...], Score] = {}
    for run in runs:
        if run.outcome == "ok" and run.choices.get("tactic") == tactic and TOP1 in run.metrics:
            score = _score(run)
            key = score.model, score.dataset, score.place, score.limit
            latest.pop(key, None)  # so that the latest come last
            latest[key] = score
    return list(reversed(latest.values()))


def _score(run: Run) -> Score:
    dataset = run.configuration.get("dataset", {})
    limit = dataset.get("limit")
    return Score(
        model=run.choices["model"],
        dataset=run.choices["dataset"],
        place=dataset.get("id") or dataset.get("path"),
        limit=None if limit is None else int(limit),
        top1=run.metrics[TOP1],
        macs=run.metrics.get(MACS),
    )
