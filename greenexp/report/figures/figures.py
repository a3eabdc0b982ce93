"""The figures of a study, as plain values; `pictures` and `interactive` draw them."""

from __future__ import annotations

from greenexp.report.figures.curves import break_even, power
from greenexp.report.figures.forest import forest
from greenexp.report.figures.plot import Figure
from greenexp.report.figures.scatters import accuracy_vs_energy, catalogue, pareto
from greenexp.study.study import Study


def figures(study: Study) -> list[Figure]:
    """Returns the figures that the study has data for, in the order of a report.

    By name: `forest_energy`, `forest_latency`, `forest_cost`, `pareto`, `accuracy_vs_energy`,
    `break_even`, `power`, `catalogue`.
    """
    possible = [
        *(forest(study, quantity) for quantity in study.compared),
        pareto(study),
        accuracy_vs_energy(study),
        break_even(study),
        power(study),
        catalogue(study),
    ]
    return [figure for figure in possible if figure is not None]
