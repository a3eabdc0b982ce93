"""The evidence that a journal holds, by itself or before what a tracker has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Executor, Future
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from greenexp.errors import DamagedRecord, GreenexpError
from greenexp.report.summary import Evidence
from greenexp.runs import journal
from greenexp.runs.journalled import folders_below, runs_in
from greenexp.runs.outcomes import ImageOutcomes
from greenexp.runs.run import RUN, Run
from greenexp.tracking.state import FilesRead

POWER, ESTIMATE = "power_w", "model"  # as meters call the quantity, and its source
Images = tuple[str, ...]


class JournalEvidence(Evidence):
    """Predictions of runs that a journal holds, and what a tracker has of others.

    Args:
        runs: with the folders of their records.
        tracker: what it has of runs without a folder; None: nothing is known of them.
    """

    def __init__(self, runs: Sequence[Run], tracker: Evidence | None = None) -> None:
        self._folders = {run.tracked or run.id: run.folder for run in runs}
        self._tracker = tracker
        self._images: dict[Images, Images] = {}

    @property
    def title(self) -> str:
        """What the runs are."""
        return "greenexp" if self._tracker is None else self._tracker.title

    def predictions(self, run_id: str) -> ImageOutcomes | None:
        """Returns which images a run had right; None where its record is not at hand."""
        folder = self._folders.get(run_id)
        if folder is None:
            return None if self._tracker is None else self._tracker.predictions(run_id)
        record = Path(folder) / journal.RECORD
        return outcomes_in({run_id: record}, self._images)[run_id]

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


class Journal(Evidence):
    """A journal that is there, read without any tracker.

    Args:
        folder: that holds it and all journals below it.
        title: what its runs are.
        ignored: a folder below that is not looked into, such as the report's own.
    """

    def __init__(self, folder: Path, title: str, ignored: Path | None = None) -> None:
        self.files = FilesRead()
        self._title = title
        self._folders = folders_below(folder, ignored, self.files.note)
        self._read: dict[str, Path] = {}
        self._begun: list[Future[dict[str, ImageOutcomes | None]]] = []
        self._images: dict[Images, Images] = {}

    @property
    def title(self) -> str:
        """What the runs are."""
        return self._title

    def is_empty(self) -> bool:
        """Tells whether it holds no run."""
        return not self._folders

    def paths(self) -> list[str]:
        """Returns the files that `runs` reads, in its order."""
        return [f"{folder}/{RUN}" for folder in self._folders]

    def runs(self) -> list[Run]:
        """Returns the runs, oldest first."""
        for folder, path in zip(self._folders, self.paths(), strict=True):
            self.files.note(path)
            if self.files.stamps[path] is None:
                self.files.note(f"{folder}/{journal.RECORD}")
        runs = runs_in(self._folders)
        self._read = {run.tracked or run.id: Path(run.folder or "") for run in runs}
        return runs

    def predictions(self, run_id: str) -> ImageOutcomes | None:
        """Returns which images a run had right; None where its record can't be read."""
        for begun in self._begun:
            if run_id in begun.result():
                return begun.result()[run_id]
        return outcomes_in(self._records([run_id]), self._images)[run_id]

    def begin_predictions(self, run_ids: Sequence[str], pool: Executor) -> None:
        """Begins to read in another process what `predictions` will be asked for."""
        self._begun.append(pool.submit(outcomes_in, self._records(run_ids), {}))

    def power_series(self, run_id: str) -> Mapping[str, Sequence[tuple[float, float]]]:
        """Returns power over time, (s into the run, W), of each component that was sampled.

        An estimate counts only where nothing else was sampled.
        """
        series: dict[str, Sequence[tuple[float, float]]] = {}
        for path in self._records([run_id]).values():
            with suppress(DamagedRecord):
                sampled = [s for s in journal.read(path).result.series if s.quantity == POWER]
                for trace in sorted(sampled, key=lambda s: (s.source != ESTIMATE, s.meter)):
                    points = sorted(zip(trace.t_s, trace.values, strict=True))
                    series[trace.component.replace(":", "_")] = points
        return series

    def _records(self, run_ids: Sequence[str]) -> dict[str, Path]:
        paths = {run_id: self._read[run_id] / journal.RECORD for run_id in run_ids}
        for path in paths.values():
            self.files.note(str(path))
        return paths


def outcomes_in(
    records: Mapping[str, Path], images: dict[Images, Images]
) -> dict[str, ImageOutcomes | None]:
    """Returns which images the runs of records had right; None of what can't be read.

    Args:
        records: by the id of their runs.
        images: names that are in memory already, for 50,000 names a run would take gigabytes.
    """
    every: dict[str, ImageOutcomes | None] = dict.fromkeys(records)
    for run_id, path in records.items():
        with suppress(DamagedRecord):
            predictions = journal.read(path).result.predictions
            if predictions is not None:
                outcomes = ImageOutcomes.of(predictions)
                shared = images.setdefault(outcomes.images, outcomes.images)
                every[run_id] = replace(outcomes, images=shared)
    return every
