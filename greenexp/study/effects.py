"""From runs to what a `Study` says of them: each tactic on each model, and over models."""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from functools import partial

from greenexp import quantities as quantity_list
from greenexp.quantities import COST, ENERGY, LATENCY, TOP1
from greenexp.runs.identity import BASELINE
from greenexp.runs.outcomes import ImageOutcomes
from greenexp.settings.report import Report
from greenexp.study import accuracy, economics, means
from greenexp.study.accuracy import Changes, Predictions
from greenexp.study.estimates import Accuracy, Effect
from greenexp.study.families import Effects, Family, family, judge
from greenexp.study.pairs import Group, comparable, groups
from greenexp.study.pareto import Objective, front
from greenexp.study.select import PricedRun
from greenexp.study.spending import by_seconds, spent
from greenexp.study.study import Cell, Overall, Setting
from greenexp.study.tasks import begun


@dataclass(frozen=True)
class Comparison:
    """What the comparison found, see `Study`."""

    cells: Sequence[Cell]
    overall: Sequence[Overall]
    noise: Mapping[str, Mapping[str, Effect]]


def compare(
    used: Sequence[PricedRun],
    predictions: Predictions,
    options: Report,
    quantities: Sequence[quantity_list.Quantity] = quantity_list.QUANTITIES,
    pool: Executor | None = None,
    earlier: Sequence[PricedRun] = (),
) -> Comparison:
    """Returns every tactic against the baseline, for each model and over models.

    Args:
        used: runs at their prices.
        predictions: of a run.
        options: requests a month and months of the economics.
        quantities: that the runs have; those compared have effects.
        pool: of processes that the tests run in meanwhile; None: they run here.
        earlier: other runs of the machines; they tell how processes differ, and are not compared.
    """
    metrics = [quantity.name for quantity in quantity_list.compared(quantities)]
    peer_groups = groups(used)
    families = [family(group, metrics) for group in peer_groups]
    others = [family(group, metrics) for group in groups(earlier)]
    effects = begun(pool, partial(judge, families, metrics, options.equal_within, others))
    plain = [_cells(group, options) for group in peer_groups]
    correct = {run.id: predictions(run.id) for group in peer_groups for run in group.first_runs()}
    changes = [_changes(*both, correct) for both in zip(peer_groups, families, strict=True)]
    accuracies = begun(pool, partial(accuracy.judge, changes))
    cells = [
        cell
        for of_group, of_tactics, changed in zip(
            plain, effects().families, accuracies().of_models, strict=True
        )
        for cell in sorted(_with_judgement(of_group, of_tactics, changed), key=_rank)
    ]
    cells = _with_front(cells, correct)
    overall = [
        line
        for setting, of_setting in effects().overall.items()
        if len({cell.model for cell in cells if cell.setting == setting}) > 1
        for line in _overall(cells, setting, of_setting, accuracies().overall)
    ]
    noise = {setting.name: of_setting for setting, of_setting in effects().noise.items()}
    return Comparison(cells, overall, noise)


def _changes(group: Group, family: Family, correct: Mapping[str, ImageOutcomes | None]) -> Changes:
    changes = {tactic: accuracy.counted(group, tactic, correct) for tactic in group.tactics}
    known = {tactic: change for tactic, change in changes.items() if change is not None}
    return Changes(group.setting, known, {tactic for _, tactic in family.pairs})


def _cells(group: Group, options: Report) -> list[Cell]:
    """Returns a group's cells without effects and accuracy, the baseline's last."""
    cells = [_cell(group, tactic, options) for tactic in group.tactics]
    if group.baseline:
        cells.append(_plain(group, BASELINE, [[run] for run in group.baseline.values()]))
    return cells


def _with_judgement(
    cells: Iterable[Cell], effects: Effects, accuracies: Mapping[str, Accuracy]
) -> list[Cell]:
    return [
        replace(cell, effects=effects.get(cell.tactic, {}), accuracy=accuracies.get(cell.tactic))
        for cell in cells
    ]


def _plain(group: Group, tactic: str, blocks: Sequence[Sequence[PricedRun]]) -> Cell:
    return plain_cell(group.setting, group.model, tactic, blocks)


def plain_cell(
    setting: Setting, model: str, tactic: str, blocks: Sequence[Sequence[PricedRun]]
) -> Cell:
    """Returns a cell with its figures alone, of its runs in each block."""
    members = list(itertools.chain(*blocks))
    sources = sorted({run.energy_source for run in members if run.energy_source})
    holds = {run.prices.holds(run.image) for run in members if run.image is not None}
    return Cell(
        setting=setting,
        model=model,
        tactic=tactic,
        blocks=len(blocks),
        quantities=means.quantities(
            [means.averaged([run.figures for run in of_block]) for of_block in blocks]
        ),
        energy_source="; ".join(sources) or None,
        cost_holds="; ".join(sorted(filter(None, holds))) or None,
        run_ids=[run.id for run in members],
        doubts=_doubts(members),
    )


def _doubts(runs: Iterable[PricedRun]) -> list[str]:
    return list(dict.fromkeys(doubt for run in runs for doubt in run.doubts))


def _cell(group: Group, tactic: str, options: Report) -> Cell:
    places = group.tactics[tactic]
    own = [places[place] for place in sorted(places)]
    cell = _plain(group, tactic, own)
    beside = [group.baselines(place) for place in places]
    cell = replace(cell, doubts=_doubts(itertools.chain(*own, *beside)))
    both = group.pairs(tactic)
    pairs = spent(comparable(both, ENERGY)) or [by_seconds(pair) for pair in spent(both)]
    if not pairs:
        return cell
    prices = both[0][0].prices
    requests = options.requests_per_month
    return replace(
        cell,
        paybacks=economics.paybacks(pairs, prices),
        monthly=economics.monthly(pairs, prices, requests),
        occupancy=economics.occupancy(pairs, prices, requests),
        bill=economics.bill(pairs, prices, requests, options.months),
        sensitivities=economics.sensitivities(pairs, prices, requests),
    )


def _rank(cell: Cell) -> tuple[bool, float, str]:
    effect = cell.effects.get(ENERGY) or cell.effects.get(LATENCY)
    return not cell.is_baseline, effect.ratio if effect else math.inf, cell.tactic


def _with_front(cells: Sequence[Cell], correct: Mapping[str, ImageOutcomes | None]) -> list[Cell]:
    """Returns the cells with their place on the front of their setting.

    Joules of different sources, and dollars of different parts, show nothing of each other.
    """
    result = list(cells)
    alike: dict[tuple[Setting, str | None, str | None], list[int]] = defaultdict(list)
    for index, cell in enumerate(cells):
        if {TOP1, ENERGY} <= cell.quantities.keys():
            alike[cell.setting, cell.energy_source, cell.cost_holds].append(index)
    for indices in alike.values():
        members = [cells[index] for index in indices]
        objectives = [accuracy.relations(members, correct)]
        for name in (ENERGY, COST):
            known = [cell.quantities[name] for cell in members if name in cell.quantities]
            if len(known) == len(members):
                objective = Objective([q.value for q in known], [q.interval for q in known])
                objectives.append((objective.better(), objective.equal()))
        for index, on_front in zip(indices, front(objectives), strict=True):
            result[index] = replace(result[index], on_front=on_front)
    return result


def _overall(
    cells: Iterable[Cell],
    setting: Setting,
    effects: Effects,
    accuracies: Mapping[tuple[Setting, str], Accuracy | None],
) -> list[Overall]:
    """Returns each tactic over the models of one setting, best first."""
    members: dict[str, list[Cell]] = defaultdict(list)
    for cell in cells:
        if cell.setting == setting and cell.effects:
            members[cell.tactic].append(cell)
    lines = [
        Overall(
            setting=setting,
            tactic=tactic,
            models=len({cell.model for cell in members[tactic]}),
            effects=of_tactic,
            accuracy=accuracies.get((setting, tactic)),
            doubts=list(dict.fromkeys(doubt for cell in members[tactic] for doubt in cell.doubts)),
        )
        for tactic, of_tactic in effects.items()
    ]
    return sorted(lines, key=_overall_rank)


def _overall_rank(line: Overall) -> tuple[float, str]:
    effect = line.effects.get(ENERGY) or next(iter(line.effects.values()))
    return effect.ratio, line.tactic
