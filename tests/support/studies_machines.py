"""A study in miniature of several machines."""

from __future__ import annotations

from dataclasses import replace

from greenexp.quantities import COST
from greenexp.study.machines import machines
from greenexp.study.study import Cell, Setting, Study
from tests.support.studies import study

CLOUD = {"hardware": "aws_c7i_2xlarge", "machine": "Rented CPU 8488C"}


def moved(cell: Cell, place: Setting, source: str, holds: str, usd: float) -> Cell:
    """Returns a cell as another machine measured it, at its price."""
    quantities = dict(cell.quantities)
    figure = quantities[COST]
    quantities[COST] = replace(figure, value=figure.value * usd, interval=None)
    return replace(
        cell, setting=place, energy_source=source, cost_holds=holds, quantities=quantities
    )


def study_of_machines(models: int = 2, tactics: int = 2) -> Study:
    """Returns a study of two machines; the second is dearer, and its energy is counted."""
    made = study(models, tactics)
    (here,) = made.settings
    there = replace(here, **CLOUD)
    cells = [moved(cell, there, "cpu:counter", "machine", 9.0) for cell in made.cells]
    advice = [*made.advice, *(replace(answer, setting=there) for answer in made.advice)]
    both = [*made.cells, *cells]
    side_by_side = machines([_Ran(here, "f00d"), _Ran(there, "beef")], both, advice)
    return replace(made, cells=both, advice=advice, machines=side_by_side)


class _Ran:
    """What is asked of a run: where it was."""

    def __init__(self, setting: Setting, machine: str) -> None:
        self.setting = setting
        self.machine = machine
