"""Which machine for a model, and at whose price: what each machine says, side by side.

Runs of different machines are never paired. What is put together here are figures that each machine
has by itself, with their own intervals.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable

from greenexp.quantities import COST
from greenexp.study.select import PricedRun
from greenexp.study.study import Advice, Cell, Deployment, Machines, Setting
from greenexp.study.verdicts import AdviceKind


def machines(
    used: Iterable[PricedRun], cells: Iterable[Cell], advice: Iterable[Advice]
) -> list[Machines]:
    """Returns each model of each data set that more than one machine or preset has measured.

    Args:
        used: the runs that the cells are made of.
        cells: each tactic on each model.
        advice: on each model, among others.
    """
    presets = {run.setting: (run.machine, run.setting.hardware) for run in used}
    deployed = {
        (known.setting, known.model): known.tactic
        for known in advice
        if known.kind is AdviceKind.DEPLOY and known.model is not None
    }
    members: dict[tuple[str, str], dict[Setting, list[Cell]]] = defaultdict(dict)
    for cell in cells:
        of_model = members[cell.setting.dataset, cell.model]
        of_model.setdefault(cell.setting, []).append(cell)
    return [
        Machines(dataset, model, sorted(_deployments(of_model, model, deployed), key=_rank))
        for (dataset, model), of_model in members.items()
        if len({presets[setting] for setting in of_model}) > 1
    ]


def _deployments(
    of_model: dict[Setting, list[Cell]],
    model: str,
    deployed: dict[tuple[Setting, str], str | None],
) -> Iterable[Deployment]:
    for setting, cells in of_model.items():
        tactic = deployed.get((setting, model))
        advised = _first(cell for cell in cells if cell.tactic == tactic)
        kept = _first(cell for cell in cells if cell.is_baseline)
        yield Deployment(setting, advised or kept, is_advised=advised is not None)


def _first(cells: Iterable[Cell]) -> Cell | None:
    return next(iter(cells), None)


def _rank(deployment: Deployment) -> tuple[float, str]:
    usd = None if deployment.cell is None else deployment.cell.quantities.get(COST)
    return math.inf if usd is None else usd.value, deployment.setting.name
