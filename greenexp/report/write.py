"""Everything the report is made of, from the runs in the tracker to files and a run of its own."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from greenexp.report.figures import figures
from greenexp.report.figures import with_plotly as interactive
from greenexp.report.figures.plot import Figure
from greenexp.report.kept import PAGE
from greenexp.report.tables import page
from greenexp.report.words.advice import markdown
from greenexp.report.words.marks import intervals, marks
from greenexp.report.workers import Workers, draw, tabulate, workers
from greenexp.runs.files import write_atomically
from greenexp.runs.run import Run
from greenexp.settings.report import Report
from greenexp.settings.sweep import Tracking
from greenexp.study.labels import of_runs
from greenexp.study.pairs import versus_baseline
from greenexp.study.select import priced
from greenexp.study.study import Study
from greenexp.tracking.findings import log_marks, log_summary, log_versus
from greenexp.tracking.opening import reader


def track(where: Tracking, options: Report, made: Study, runs: Sequence[Run], sweep: str) -> str:
    """Writes the summary of a sweep into the tracker and returns its MLflow run id.

    The summary is a run of its own with page, tables and pictures. The sweep's runs get
    `vs_baseline/…`, those flagged too, for the tag `greenexp.verdict` beside it marks them.

    Args:
        where: the runs are.
        options: what is asked and assumed.
        made: what the runs say.
        runs: of the sweep that the tracker has.
        sweep: its name.
    """
    with tempfile.TemporaryDirectory(prefix="greenexp-") as folder:
        write(made, Path(folder))
        run_id = log_summary(
            where,
            f"summary · {sweep}",
            params={
                f"report.{key}": value
                for key, value in asdict(options).items()
                if value is not None
            },
            tags={"greenexp.sweep": sweep, "mlflow.note.content": markdown(made)},
            metrics={
                "summary/runs": made.runs,
                "summary/left_out": sum(exclusion.runs for exclusion in made.left_out),
            },
            folder=Path(folder),
            cells={run.cell for run in runs},
        )
    every_run, _ = priced(runs, of_runs(runs), keep_flagged=True)
    tables = reader(where).tables()
    versus = versus_baseline(every_run)
    for marked, ends in intervals(made).items():
        versus.setdefault(marked, {}).update(ends)
    there = {run.tracked for run in runs}
    versus = {run_id: figures for run_id, figures in versus.items() if run_id in there}
    log_versus(where, versus, tables.metrics)
    log_marks(where, marks(made, runs), tables.tags)
    return run_id


def write(made: Study, folder: Path, pools: Workers | None = None) -> Path:
    """Writes page, tables and pictures into a folder and returns the page's path.

    Args:
        made: what the runs say.
        folder: made where it is missing.
        pools: of `workers`; None: new ones.

    Raises:
        NotDrawn: where a process that draws was killed.
    """
    if pools is None:
        with workers() as own:
            return write(made, folder, own)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / PAGE
    writing = [pools.statistics.submit(tabulate, made, folder)]
    drawn = figures.figures(made)
    for rank, figure in enumerate(sorted(drawn, key=lambda chart: -len(chart.panels))):
        pool = pools.pictures if rank else pools.statistics
        writing.append(pool.submit(draw, figure, folder / f"{figure.name}.png"))
    write_atomically(path, page.html(made, [_shown(figure) for figure in drawn]))
    for future in writing:
        future.result()
    return path


def _shown(figure: Figure) -> page.PageFigure:
    return page.PageFigure(figure.name, figure.title, figure.caption, interactive.div(figure))
