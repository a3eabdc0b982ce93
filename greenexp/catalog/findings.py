"""What runs found out about models, for the catalogue. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from greenexp.quantities import TOP1
from greenexp.runs.run import Run

MACS = "complexity/macs"


@dataclass(frozen=True)
class Finding:
    """What the latest finished run of a model on a data set found.

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


def findings(runs: Iterable[Run], tactic: str) -> list[Finding]:
    """Returns what a tactic's latest finished run of each model on each data set found.

    The latest come first.

    Args:
        runs: oldest first.
        tactic: the choice.
    """
    latest: dict[tuple[object, ...], Finding] = {}
    for run in runs:
        if run.outcome == "ok" and run.choices.get("tactic") == tactic and TOP1 in run.metrics:
            finding = _finding(run)
            key = finding.model, finding.dataset, finding.place, finding.limit
            latest.pop(key, None)  # so that the latest come last
            latest[key] = finding
    return list(reversed(latest.values()))


def _finding(run: Run) -> Finding:
    dataset = run.configuration.get("dataset", {})
    limit = dataset.get("limit")
    return Finding(
        model=run.choices["model"],
        dataset=run.choices["dataset"],
        place=dataset.get("id") or dataset.get("path"),
        limit=None if limit is None else int(limit),
        top1=run.metrics[TOP1],
        macs=run.metrics.get(MACS),
    )
