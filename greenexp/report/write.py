"""Everything the report is made of, from the runs in the tracker to files and a run of its own."""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path

from greenexp.errors import NotDrawn
from greenexp.measuring.isolation import lead_a_group
from greenexp.quantities import ENERGY
from greenexp.report.figures import figures
from greenexp.report.figures import with_plotly as interactive
from greenexp.report.figures.plot import Figure
from greenexp.report.tables import frames, latex, page
from greenexp.report.words import notes
from greenexp.report.words.advice import sentence
from greenexp.runs.files import write_atomically
from greenexp.runs.run import Run
from greenexp.settings.report import Report
from greenexp.settings.sweep import Tracking
from greenexp.study import decide
from greenexp.study.effects import compare
from greenexp.study.labels import of_runs
from greenexp.study.pairs import versus_baseline
from greenexp.study.select import Reprice, own_prices, priced
from greenexp.study.study import Cell, Study
from greenexp.tracking.findings import log_summary, log_versus
from greenexp.tracking.reader import Reader, reader, total_power

PAGE = "report.html"
POWER_RUNS = 4  # shown over time


def study(
    every: Sequence[Run],
    opened: Reader,
    options: Report,
    reprice: Reprice = own_prices,
    label: str | None = None,
) -> Study:
    """Returns what the runs say.

    Args:
        every: the runs.
        opened: the reader of their predictions and power over time.
        options: what is asked and assumed.
        reprice: a run's preset to the one to price with.
        label: what to call the preset where it is one for all.
    """
    used, left_out = priced(
        every, of_runs(every), reprice=reprice, label=label, keep_flagged=options.keep_flagged
    )
    compared = compare(used, opened.predictions, options)
    repriced = None if reprice is own_prices else label or "those of the runs, with changes"
    return Study(
        title=opened.settings.experiment,
        cells=compared.cells,
        overall=compared.overall,
        noise=compared.noise,
        left_out=left_out,
        notes=notes.notes(used, compared.cells, repriced),
        next_steps=notes.next_steps(used, compared.cells, left_out),
        advice=decide.advice(compared.cells, compared.overall, options),
        prices=notes.prices(used),
        requests_per_month=options.requests_per_month,
        months=options.months,
        max_top1_drop=options.max_top1_drop,
        runs=len(used),
        made=datetime.now(UTC).isoformat(timespec="seconds"),
        power=_power(compared.cells, opened),
    )


def track(
    where: Tracking, options: Report, cells: Collection[str], sweep: str
) -> tuple[Study, str]:
    """Makes the summary of a sweep in the tracker; returns what it says and its MLflow run id.

    The summary is a run of its own with page, tables and pictures. The sweep's runs get
    `vs_baseline/…`, those flagged too, for their validity stands beside it.

    Args:
        where: the runs are.
        options: what is asked and assumed.
        cells: of the sweep.
        sweep: its name.
    """
    opened = reader(where)
    of_sweep = [run for run in opened.runs() if run.cell in cells]
    made = study(of_sweep, opened, options)
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
    every_run, _ = priced(of_sweep, of_runs(of_sweep), keep_flagged=True)
    log_versus(where, versus_baseline(every_run), opened.tables().metrics)
    return made, run_id


def write(made: Study, folder: Path) -> Path:
    """Writes page, tables and pictures into a folder and returns the page's path.

    Raises:
        NotDrawn: where the process that draws was killed.
    """
    drawn = figures.figures(made)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / PAGE
    # Drawing pictures takes as long as all the rest, and needs nothing of it.
    context = get_context("spawn")
    try:
        with ProcessPoolExecutor(1, mp_context=context, initializer=lead_a_group) as beside:
            drawing = [beside.submit(_draw, one, folder / f"{one.name}.png") for one in drawn]
            for name, frame in frames.frames(made).items():
                frame.to_csv(folder / f"{name}.csv", index=False)
                frame.to_parquet(folder / f"{name}.parquet", index=False)
            write_atomically(folder / "report.tex", latex.latex(made))
            write_atomically(path, page.html(made, [_shown(one) for one in drawn]))
            for one in drawing:
                one.result()
    except BrokenProcessPool:
        raise NotDrawn(
            "the process that draws the report's pictures was killed; "
            "python -m greenexp.report draws them again"
        ) from None
    return path


def _shown(figure: Figure) -> page.Drawn:
    return page.Drawn(figure.name, figure.title, figure.caption, interactive.div(figure))


def _draw(figure: Figure, path: Path) -> None:
    from greenexp.report.figures import (
        with_matplotlib as pictures,  # matplotlib takes seconds to import
    )

    path.write_bytes(pictures.png(figure))


def _power(cells: Sequence[Cell], opened: Reader) -> dict[str, list[tuple[float, float]]]:
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
