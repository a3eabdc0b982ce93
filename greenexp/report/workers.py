"""The processes that test, tabulate and draw a report while its caller reads and studies runs.

They import little before they are told to: what a worker needs takes seconds to import.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING

from greenexp.errors import NotDrawn
from greenexp.measuring.isolation import lead_a_group
from greenexp.runs.files import write_atomically
from greenexp.runs.texts import spreadsheet_cell

if TYPE_CHECKING:
    import pandas as pd

    from greenexp.report.figures.plot import Figure
    from greenexp.study.study import Study

DRAWING = "greenexp.report.figures.with_matplotlib"
STATISTICS = (
    "scipy.stats",
    "statsmodels.stats.contingency_tables",
    "statsmodels.stats.power",
    "greenexp.study.effects",
    "pandas",
    "pyarrow.parquet",
    "greenexp.report.tables.latex",
    DRAWING,
)
PICTURES = ("pyarrow.csv", "greenexp.tracking.predictions", DRAWING)
NICE = 10  # the caller goes first while all have work


@dataclass(frozen=True)
class Workers:
    """Two processes, each with what it has imported; the caller has work of its own.

    Attributes:
        statistics: tests, tables and the largest picture.
        pictures: files of predictions, and the other pictures.
    """

    statistics: Executor
    pictures: Executor


@contextmanager
def workers(ahead: Sequence[str] = ()) -> Iterator[Workers]:
    """Starts the processes, which prepare while the caller goes on.

    Args:
        ahead: paths of files that the caller is about to read, in its order. One process reads the
            second half of them from its end, so that the system has them at hand by then.

    Raises:
        NotDrawn: where one of the processes was killed.
    """
    try:
        with _worker() as statistics, _worker() as pictures:
            pictures.submit(_read, ahead[: len(ahead) // 2 : -1])
            statistics.submit(_import, STATISTICS)
            pictures.submit(_import, PICTURES)
            yield Workers(statistics, pictures)
    except BrokenProcessPool:
        raise NotDrawn(
            "a process that draws the report was killed; python -m greenexp.report draws it again"
        ) from None


def tabulate(made: Study, folder: Path) -> None:
    """Writes the tables of a study into a folder, as CSV, Parquet and LaTeX."""
    from greenexp.report.tables import frames, latex

    tables = frames.frames(made)
    if "machines" not in tables:  # of an earlier report in this folder
        for kind in ("csv", "parquet"):
            (folder / f"machines.{kind}").unlink(missing_ok=True)
    for name, frame in tables.items():
        harmless(frame).to_csv(folder / f"{name}.csv", index=False)
        frame.to_parquet(folder / f"{name}.parquet", index=False)
    write_atomically(folder / "report.tex", latex.latex(made))


def harmless(frame: pd.DataFrame) -> pd.DataFrame:
    """Returns a table in which no text is a formula to a spreadsheet."""
    return frame.map(lambda cell: spreadsheet_cell(cell) if isinstance(cell, str) else cell)


def draw(figure: Figure, path: Path) -> None:
    """Writes a figure as PNG."""
    from greenexp.report.figures.with_matplotlib import png

    path.write_bytes(png(figure))


def _worker() -> ProcessPoolExecutor:
    return ProcessPoolExecutor(1, mp_context=get_context("spawn"), initializer=_prepare)


def _prepare() -> None:
    lead_a_group()
    os.environ["MPLBACKEND"] = "agg"  # a notebook names one of its own
    os.nice(NICE)
    gc.disable()  # it does its few tasks and ends
    atexit.register(os._exit, 0)  # taking the libraries down would take half a second


def _import(modules: Sequence[str]) -> None:
    for module in modules:
        importlib.import_module(module)


def _read(paths: Sequence[str]) -> None:
    for path in paths:
        with suppress(OSError), open(path, "rb", buffering=0) as file:  # noqa: PTH123 - as `Reader` does
            file.readall()
