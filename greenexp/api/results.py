"""What runs say: compared, as a table, as figures, at other prices."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from greenexp.cli import console
from greenexp.report import summary
from greenexp.report.frame import frame as runs_frame
from greenexp.report.journalled import JournalEvidence
from greenexp.runs.journalled import runs_below
from greenexp.runs.run import Run
from greenexp.settings.hardware import Hardware
from greenexp.settings.report import Report
from greenexp.settings.sweep import Tracking
from greenexp.study.study import Study

if TYPE_CHECKING:
    import pandas as pd

    from greenexp.report.figures.plot import Figure


def compare(
    runs: Sequence[Run],
    *,
    hardware: Hardware | None = None,
    requests_per_month: float = 1e6,
    months: float = 12.0,
    max_top1_drop: float = 0.01,
    keep_flagged: bool = False,
) -> Study:
    """Returns what runs say of each tactic against the baseline.

    Args:
        runs: measured, read from a journal or fetched from MLflow.
        hardware: at whose prices, see `preset`; None: each run's own.
        requests_per_month: images served a month.
        months: over which bills are summed.
        max_top1_drop: fraction of top-1 that advice may give up.
        keep_flagged: whether runs that something stands against count as well.
    """
    options = Report(
        max_top1_drop=max_top1_drop,
        requests_per_month=requests_per_month,
        months=months,
        keep_flagged=keep_flagged,
    )
    evidence = JournalEvidence(runs)
    if hardware is None:
        return summary.study(runs, evidence, options)
    return summary.study(runs, evidence, options, lambda own: hardware, label=hardware.description)


def show(study: Study) -> None:
    """Prints what a study says: tables, notes and advice."""
    console.show_study(study)


def frame(runs: Sequence[Run]) -> pd.DataFrame:
    """Returns the runs as a table: a row a run, a column a metric; see `load` for the columns."""
    return runs_frame(runs)


def frames(study: Study) -> dict[str, pd.DataFrame]:
    """Returns a study as tables: overall, cells, paybacks, sensitivities, left_out."""
    from greenexp.report.tables.frames import frames as study_frames

    return study_frames(study)


def figures(study: Study) -> list[Figure]:
    """Returns the figures of a study as plain values; `write` draws them."""
    from greenexp.report.figures.figures import figures as study_figures

    return study_figures(study)


def write(study: Study, folder: str | Path = "multirun/report") -> Path:
    """Writes page, tables and pictures of a study into a folder; returns the page's path."""
    from greenexp.report.write import write as write_study

    return write_study(study, Path(folder))


def read(folder: str | Path = "multirun") -> list[Run]:
    """Returns the runs of a journal and of all journals below it, oldest first.

    One that can't be read is left out, with a warning that names its file.
    """
    return runs_below(Path(folder))


def fetch(experiment: str = "greenexp", uri: str = "sqlite:///mlruns/mlflow.db") -> list[Run]:
    """Returns the runs of an MLflow experiment, oldest first.

    Raises:
        BadInput: where store or experiment is missing, or the store can't be read.
    """
    from greenexp.tracking.reader import reader

    return reader(Tracking(uri=uri, experiment=experiment)).runs()
