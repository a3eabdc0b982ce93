"""What runs say: compared, as a table, as figures, at other prices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from greenexp.cli import console
from greenexp.report import summary
from greenexp.report.asked import asked
from greenexp.report.frame import fetched
from greenexp.report.frame import frame as runs_frame
from greenexp.report.journalled import JournalEvidence
from greenexp.report.words.advice import Answer, answers
from greenexp.runs.journalled import runs_below
from greenexp.runs.merged import merged
from greenexp.runs.run import Run
from greenexp.settings.hardware import Hardware
from greenexp.study.study import Study

if TYPE_CHECKING:
    import pandas as pd

    from greenexp.report.figures.plot import Figure


def compare(
    runs: Sequence[Run],
    *,
    hardware: Hardware | None = None,
    requests_per_month: float | None = None,
    months: float | None = None,
    max_top1_drop: float | None = None,
    keep_flagged: bool | None = None,
) -> Study:
    """Returns what runs say of each tactic against the baseline.

    What is not given is what the latest of the runs was given, `settings={"report.months": 3}`;
    else a million requests a month, 12 months, 0.01, and no flagged run.

    Args:
        runs: measured, read from journals or fetched from MLflow. One that stands in several of
            them counts once.
        hardware: at whose prices, see `preset`; None: each run's own.
        requests_per_month: images served a month.
        months: over which bills are summed.
        max_top1_drop: fraction of top-1 that advice may give up; 0.01 is one point.
        keep_flagged: whether runs that something stands against count as well, marked as such.
    """
    given = {
        "max_top1_drop": max_top1_drop,
        "requests_per_month": requests_per_month,
        "months": months,
        "keep_flagged": keep_flagged,
    }
    of = asked(merged(runs), {key: value for key, value in given.items() if value is not None})
    evidence = JournalEvidence(of.runs)
    if hardware is None:
        made = summary.study(of.runs, evidence, of.options)
    else:
        preset = hardware
        made = summary.study(
            of.runs, evidence, of.options, lambda own: preset, label=preset.description
        )
    return replace(made, notes=[*filter(None, [of.remembered]), *made.notes])


def advice(study: Study) -> list[Answer]:
    """Returns what a study advises on each model, then over models, in words.

    Each has a `headline`, at most three `points`, and the `rest`; `str` gives headline and points.
    """
    return answers(study)


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


def read(folder: str | Path | Sequence[str | Path] = "multirun") -> list[Run]:
    """Returns the runs of a journal and of all journals below it, oldest first.

    One that can't be read is left out, with a warning that names its file.

    Args:
        folder: of the journal; several are read as one, in which each run stands once.
    """
    folders = [folder] if isinstance(folder, str | Path) else folder
    return merged(
        replace(run, origin=f"journal {each}") for each in folders for run in runs_below(Path(each))
    )


def fetch(experiment: str | None = None, uri: str | Sequence[str] | None = None) -> list[Run]:
    """Returns the runs of an MLflow experiment, oldest first.

    Args:
        experiment: name of the MLflow experiment; None: `MLFLOW_EXPERIMENT_NAME`, else greenexp.
        uri: address of the MLflow store; several are read as one, in which each run stands once.
            None: `MLFLOW_TRACKING_URI`, else `sqlite:///mlruns/mlflow.db`.

    Raises:
        BadInput: where store or experiment is missing, or the store can't be read.
    """
    return fetched(uri, experiment)
