"""Everything the report is made of, from the runs in the tracker to files and a run of its own."""

from __future__ import annotations

import gc
import importlib
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import asdict
from multiprocessing import get_context
from pathlib import Path

from greenexp.errors import NotDrawn
from greenexp.measuring.isolation import lead_a_group
from greenexp.report.figures import figures
from greenexp.report.figures import with_plotly as interactive
from greenexp.report.figures.plot import Figure
from greenexp.report.kept import PAGE
from greenexp.report.tables import frames, latex, page
from greenexp.report.words.advice import sentence
from greenexp.runs.files import write_atomically
from greenexp.runs.run import Run
from greenexp.settings.report import Report
from greenexp.settings.sweep import Tracking
from greenexp.study.labels import of_runs
from greenexp.study.pairs import versus_baseline
from greenexp.study.select import priced
from greenexp.study.study import Study
from greenexp.tracking.findings import log_summary, log_versus
from greenexp.tracking.reader import reader

PICTURES = "greenexp.report.figures.with_matplotlib"
ARTISTS = 2  # processes that draw


def track(where: Tracking, options: Report, made: Study, runs: Sequence[Run], sweep: str) -> str:
    """Writes the summary of a sweep into the tracker and returns its MLflow run id.

    The summary is a run of its own with page, tables and pictures. The sweep's runs get
    `vs_baseline/…`, those flagged too, for their validity stands beside it.

    Args:
        where: the runs are.
        options: what is asked and assumed.
        made: what the runs say.
        runs: of the sweep.
        sweep: its name.
    """
    advised = "\n\n".join(sentence(one, made) for one in made.advice)
    with tempfile.TemporaryDirectory(prefix="greenexp-") as folder:
        write(made, Path(folder))
        run_id = log_summary(
            where,
            f"summary · {sweep}",
            params={f"report.{key}": value for key, value in asdict(options).items()},
            tags={"greenexp.sweep": sweep, "mlflow.note.content": advised},
            metrics={
                "summary/runs": made.runs,
                "summary/left_out": sum(one.runs for one in made.left_out),
            },
            folder=Path(folder),
        )
    every_run, _ = priced(runs, of_runs(runs), keep_flagged=True)
    log_versus(where, versus_baseline(every_run), reader(where).tables().metrics)
    return run_id


@contextmanager
def artists() -> Iterator[Executor]:
    """Holds the processes that draw pictures; they import what they need while others read runs."""
    context = get_context("spawn")
    with ProcessPoolExecutor(ARTISTS, mp_context=context, initializer=_prepare) as pool:
        for _ in range(ARTISTS):
            pool.submit(_wait)
        yield pool


def write(made: Study, folder: Path, pool: Executor | None = None) -> Path:
    """Writes page, tables and pictures into a folder and returns the page's path.

    Args:
        made: what the runs say.
        folder: made where it is missing.
        pool: of `artists`; None: new ones.

    Raises:
        NotDrawn: where a process that draws was killed.
    """
    if pool is None:
        with artists() as own:
            return write(made, folder, own)
    drawn = figures.figures(made)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / PAGE
    try:
        # Drawing pictures takes as long as all the rest, and needs nothing of it.
        drawing = [
            pool.submit(_draw, figure, folder / f"{figure.name}.png")
            for figure in sorted(drawn, key=lambda figure: -len(figure.panels))
        ]
        for name, frame in frames.frames(made).items():
            frame.to_csv(folder / f"{name}.csv", index=False)
            frame.to_parquet(folder / f"{name}.parquet", index=False)
        write_atomically(folder / "report.tex", latex.latex(made))
        write_atomically(path, page.html(made, [_shown(figure) for figure in drawn]))
        for picture in drawing:
            picture.result()
    except BrokenProcessPool:
        raise NotDrawn(
            "the process that draws the report's pictures was killed; "
            "python -m greenexp.report draws them again"
        ) from None
    return path


def _prepare() -> None:
    """Makes a process ready to draw."""
    lead_a_group()
    gc.disable()  # it draws a few pictures and ends
    importlib.import_module(PICTURES)  # matplotlib takes seconds to import


def _wait() -> None:
    """Starts a process of the pool, which does nothing before it has work."""


def _shown(figure: Figure) -> page.Drawn:
    return page.Drawn(figure.name, figure.title, figure.caption, interactive.div(figure))


def _draw(figure: Figure, path: Path) -> None:
    pictures = importlib.import_module(PICTURES)
    path.write_bytes(pictures.png(figure))
