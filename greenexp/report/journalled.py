"""The evidence that a journal holds, by itself or before what a tracker has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

from greenexp.errors import DamagedRecord, GreenexpError
from greenexp.report.summary import Evidence
from greenexp.runs import journal
from greenexp.runs.outcomes import ImageOutcomes
from greenexp.runs.run import Run


class JournalEvidence(Evidence):
    """Predictions of runs that a journal holds, and what a tracker has of others.

    Args:
        runs: with the folders of their records.
        tracker: what it has of runs without a folder; None: nothing is known of them.
    """

    def __init__(self, runs: Sequence[Run], tracker: Evidence | None = None) -> None:
        self._folders = {run.tracked or run.id: run.folder for run in runs}
        self._tracker = tracker

    @property
    def title(self) -> str:
        """What the runs are."""
        return "greenexp" if self._tracker is None else self._tracker.title

    def predictions(self, run_id: str) -> ImageOutcomes | None:
        """Returns which images a run had right; None where its record is not at hand."""
        folder = self._folders.get(run_id)
        if folder is None:
            return None if self._tracker is None else self._tracker.predictions(run_id)
        try:
            predictions = journal.read(Path(folder) / journal.RECORD).result.predictions
        except DamagedRecord:
            return None
        return None if predictions is None else ImageOutcomes.of(predictions)

    def begin_predictions(self, run_ids: Sequence[str], pool: Executor) -> None:
        """Lets the tracker begin with those that the journal does not hold."""
        if self._tracker is not None:
            others = [run_id for run_id in run_ids if self._folders.get(run_id) is None]
            self._tracker.begin_predictions(others, pool)

    def power_series(self, run_id: str) -> Mapping[str, Sequence[tuple[float, float]]]:
        """Returns power over time as the tracker has it; nothing of runs that it lacks."""
        nothing: dict[str, Any] = {}
        if self._tracker is None:
            return nothing
        try:
            return self._tracker.power_series(run_id)
        except GreenexpError:  # the tables need no power over time
            return nothing
