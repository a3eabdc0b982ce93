"""The catalogue as tables: on a terminal, as Markdown, as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

from greenexp.catalog.rows import DataSet, Model
from greenexp.catalog.scores import Score
from greenexp.report.tables.terminal import WIDTH_WITHOUT_TERMINAL
from greenexp.runs.texts import spreadsheet_cell

ABSENT = "–"
FOOTNOTES = (
    f"{ABSENT}: not known. Sources of each figure: conf/model, or --csv.",
    "GMACs: 10^9 multiply-accumulates for one image; of models without a figure, counted by a run.",
    "disk MiB: weights in the hub's cache or in the package. float32 MiB: 4 bytes a parameter.",
    "top-1: fraction right; reported by its author under their own preprocessing, measured by the "
    "latest finished baseline in the MLflow store.",
)


@dataclass(frozen=True)
class Listing:
    """A table: its columns, the texts of each row, and the same rows as plain values.

    Attributes:
        title: of the table.
        columns: names of the columns.
        numeric: those of them that hold numbers.
        folding: those of them that may take several lines even where there is room.
        rows: a text a column; None: absent.
        sections: a word a row; where it changes, a rule is drawn.
        records: each row in full, for other programs.
    """

    title: str
    columns: Sequence[str]
    numeric: Sequence[str]
    folding: Sequence[str]
    rows: Sequence[Sequence[str | None]]
    sections: Sequence[str | None]
    records: Sequence[Mapping[str, Any]]


def of_models(models: Sequence[Model], templates: Sequence[str]) -> Listing:
    """Returns the table of models; of a data set in `templates` it shows the place."""
    numeric = ("M param.", "GMACs", "px", "disk MiB", "float32 MiB (computed)", "top-1 reported")
    return Listing(
        title="Models",
        columns=(
            "model",
            "checkpoint",
            "family",
            "label space",
            "licence",
            *numeric,
            "top-1 measured",
        ),
        numeric=numeric,
        folding=("checkpoint", "top-1 measured"),
        rows=[
            (
                model.name,
                model.checkpoint,
                model.card.family,
                model.labels,
                model.card.licence,
                _figure(model.parameters_m, ".2f"),
                _figure(model.gmacs, ".3f"),
                _figure(model.card.image_size, "d"),
                _figure(model.disk_mib, ".1f"),
                _figure(model.float32_mib, ".1f"),
                _figure(model.card.reported_top1, ".4f"),
                "\n".join(f"{run.top1:.4f} {_place(run, templates)}" for run in model.measured)
                or None,
            )
            for model in models
        ],
        sections=[model.labels for model in models],
        records=[
            {
                "model": model.name,
                "checkpoint": model.checkpoint,
                "labels": model.labels,
                **asdict(model.card),
                "parameters_m": model.parameters_m,
                "disk_mib": model.disk_mib,
                "computed_float32_mib": model.float32_mib,
                "measured_gmacs": model.measured_gmacs,
            }
            | {f"measured_top1 {_place(run, templates)}": run.top1 for run in model.measured}
            for model in models
        ],
    )


def of_data_sets(data_sets: Sequence[DataSet]) -> Listing:
    """Returns the table of data sets."""
    return Listing(
        title="Data sets",
        columns=("data set", "id", "split", "label space", "gated", "licence", "images", "classes"),
        numeric=("images", "classes"),
        folding=("id", "licence"),
        rows=[
            (
                data_set.name,
                data_set.id,
                data_set.split,
                data_set.labels,
                None if data_set.gated is None else "yes" if data_set.gated else "no",
                data_set.licence,
                _figure(data_set.images, ",d"),
                _figure(data_set.classes, ",d"),
            )
            for data_set in data_sets
        ],
        sections=[None] * len(data_sets),
        records=[asdict(data_set) for data_set in data_sets],
    )


def table(listing: Listing, width: int) -> Table:
    """Returns the table for a terminal so many characters wide; a narrow one folds every column."""
    shown = Table(title=listing.title, box=box.SIMPLE_HEAD, padding=0, pad_edge=False)
    for name in listing.columns:
        shown.add_column(
            name.replace(" ", "\n"),
            justify="right" if name in listing.numeric else "left",
            overflow="fold",
            no_wrap=width >= WIDTH_WITHOUT_TERMINAL and name not in listing.folding,
        )
    for row, section, following in zip(
        listing.rows, listing.sections, [*listing.sections[1:], None], strict=True
    ):
        # Text: a name in brackets is no markup
        cells = (Text(ABSENT if text is None else text) for text in row)
        shown.add_row(*cells, end_section=section != following)
    return shown


def markdown(listing: Listing) -> str:
    """Returns the table in Markdown, without the columns that say nothing of any row."""
    mask = [any(row[index] for row in listing.rows) for index in range(len(listing.columns))]
    lines = [
        listing.columns,
        ["---:" if name in listing.numeric else "---" for name in listing.columns],
        *([(text or ABSENT).replace("\n", "; ") for text in row] for row in listing.rows),
    ]
    return "\n".join(
        f"| {' | '.join(text for text, wanted in zip(line, mask, strict=True) if wanted)} |"
        for line in lines
    )


def csv_text(listing: Listing) -> str:
    """Returns the records as CSV; what is absent is empty."""
    columns = list(dict.fromkeys(name for record in listing.records for name in record))
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(
        {
            name: spreadsheet_cell(value) if isinstance(value, str) else value
            for name, value in record.items()
        }
        for record in listing.records
    )
    return text.getvalue()


def _figure(value: float | None, form: str) -> str | None:
    return None if value is None else format(value, form)


def _place(run: Score, templates: Sequence[str]) -> str:
    """Returns on what a run measured, its limit included: part of a data set is not the whole."""
    name = run.dataset
    if name in templates and run.place is not None:
        name = f"{name} {run.place}"
    return name if run.limit is None else f"{name}, {run.limit} images"
