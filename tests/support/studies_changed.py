"""Studies with something changed: every cell, every payback, or a metric left out."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from greenexp.study.study import Cell, Study


def with_cells(made: Study, **changes: Any) -> Study:
    return replace(made, cells=[replace(cell, **changes) for cell in made.cells])


def without(made: Study, metric: str) -> Study:
    """The study as it would be, had the metric not been measured."""

    def kept(mapping: Any) -> dict[str, Any]:
        return {key: value for key, value in mapping.items() if key != metric}

    return replace(
        made,
        cells=[
            replace(cell, quantities=kept(cell.quantities), effects=kept(cell.effects))
            for cell in made.cells
        ],
        overall=[replace(line, effects=kept(line.effects)) for line in made.overall],
        noise={name: kept(metrics) for name, metrics in made.noise.items()},
    )


def with_paybacks(made: Study, **changes: Any) -> Study:
    """The study with its paybacks changed, whatever their currency."""

    def changed(cell: Cell) -> Cell:
        return replace(
            cell,
            paybacks={key: replace(payback, **changes) for key, payback in cell.paybacks.items()},
        )

    return replace(made, cells=[changed(cell) for cell in made.cells])


def flagged(made: Study, doubt: str = "cpu_steal") -> Study:
    """The study, did something stand against all its runs and were they let count."""
    advice = [replace(each, doubts=[doubt]) for each in made.advice]
    overall = [replace(line, doubts=[doubt]) for line in made.overall]
    doubted = replace(made, overall=overall, advice=advice, flagged=made.runs)
    return with_cells(doubted, doubts=[doubt])
