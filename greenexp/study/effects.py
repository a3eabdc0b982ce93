"""From runs to what a `Study` says of them: each tactic on each model, and over models."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from greenexp import quantities as quantity_list
from greenexp.quantities import COST, ENERGY, LATENCY, TOP1
from greenexp.runs.identity import BASELINE
from greenexp.runs.outcomes import ImageOutcomes
from greenexp.settings.report import Report
from greenexp.stats.paired import Location, cliffs_delta, locations
from greenexp.stats.two_levels import Spread
from greenexp.study import accuracy, blocks, economics
from greenexp.study.accuracy import Predictions
from greenexp.study.claims import claims, effect
from greenexp.study.economics import quantity
from greenexp.study.estimates import Effect, Quantity
from greenexp.study.pairs import Group, RunPair, comparable, groups, logs
from greenexp.study.pareto import Objective, front
from greenexp.study.select import PricedRun
from greenexp.study.spending import by_seconds, spent
from greenexp.study.study import Cell, Overall, Setting

AA = ""  # stands for the tactic of A/A pairs
Effects = Mapping[str, Mapping[str, Effect]]  # by tactic, then metric


@dataclass(frozen=True)
class Compared:
    """What the comparison found, see `Study`."""

    cells: Sequence[Cell]
    overall: Sequence[Overall]
    noise: Mapping[str, Mapping[str, Effect]]


def compare(
    used: Sequence[PricedRun],
    predictions: Predictions,
    options: Report,
    quantities: Sequence[quantity_list.Quantity] = quantity_list.QUANTITIES,
) -> Compared:
    """Returns every tactic against the baseline, for each model and over models.

    Args:
        used: runs at their prices.
        predictions: of a run.
        options: requests a month and months of the economics.
        quantities: that the runs have; those compared have effects.
    """
    metrics = [quantity.name for quantity in quantity_list.compared(quantities)]
    found = groups(used)
    located = _locations(found, metrics)
    judged = {run.id: predictions(run.id) for group in found for run in group.first_runs()}
    between = blocks.spreads([group for group in found if group.together], metrics)
    cells: list[Cell] = []
    for number, group in enumerate(found):
        effects = (
            _effects_together(group, between, metrics, options.equal_within)
            if group.together
            else _effects(group, located[number], metrics)
        )
        of_group = [
            replace(
                _cell(group, tactic, options),
                effects=effects.get(tactic, {}),
                accuracy=accuracy.against_baseline(group, tactic, judged),
            )
            for tactic in group.tactics
        ]
        if group.baseline:
            of_group.append(_plain(group, BASELINE, list(group.baseline.values())))
        cells += sorted(of_group, key=_rank)
    cells = _with_front(cells, judged)
    overall: list[Overall] = []
    noise: dict[str, dict[str, Effect]] = {}
    for setting in dict.fromkeys(group.setting for group in found):
        of_setting = [located[n] for n, group in enumerate(found) if group.setting == setting]
        of_noise = _noise(of_setting, metrics)
        noise[setting.name] = {
            metric: effect(one, one.p_value, 1, None) for metric, one in of_noise.items()
        }
        overall += _overall([c for c in cells if c.setting == setting], of_noise, metrics)
    return Compared(cells, overall, noise)


def _locations(
    found: Sequence[Group], metrics: Sequence[str]
) -> list[dict[tuple[str, str], Location]]:
    """Returns for each group by metric and tactic where the logarithms of its ratios lie."""
    keys: list[tuple[int, str, str]] = []
    samples: list[list[float]] = []
    for number, group in enumerate(found):
        pairs = {AA: group.aa_pairs()} | {tactic: group.pairs(tactic) for tactic in group.tactics}
        for metric in metrics:
            for tactic, both in pairs.items():
                sample = logs(both, metric)
                if sample:
                    keys.append((number, metric, tactic))
                    samples.append(sample)
    result: list[dict[tuple[str, str], Location]] = [{} for _ in found]
    for (number, metric, tactic), one in zip(keys, locations(samples), strict=True):
        result[number][metric, tactic] = one
    return result


def _effects(
    group: Group, located: Mapping[tuple[str, str], Location], metrics: Sequence[str]
) -> Effects:
    result: dict[str, dict[str, Effect]] = defaultdict(dict)
    for metric in metrics:
        of_tactics = {t: located[metric, t] for t in group.tactics if (metric, t) in located}
        for tactic, one in claims(of_tactics, located.get((metric, AA))).items():
            delta = _delta(group.pairs(tactic), metric)
            result[tactic][metric] = replace(one, cliffs_delta=delta)
    return result


def _effects_together(
    group: Group,
    between: Mapping[tuple[Setting, str], Spread],
    metrics: Sequence[str],
    margin: float,
) -> Effects:
    result: dict[str, dict[str, Effect]] = defaultdict(dict)
    for metric in metrics:
        each = {t: list(group.contrasts(t, metric).values()) for t in group.tactics}
        known = {tactic: contrasts for tactic, contrasts in each.items() if contrasts}
        if not known:
            continue
        of_metric = blocks.effects(known, between.get((group.setting, metric)), margin)
        for tactic, one in of_metric.items():
            delta = _delta(group.pairs(tactic), metric)
            result[tactic][metric] = replace(one, cliffs_delta=delta)
    return result


def _delta(pairs: Sequence[RunPair], metric: str) -> float:
    both = comparable(pairs, metric)
    return cliffs_delta(
        [run.figures[metric] for run, _ in both], [base.figures[metric] for _, base in both]
    )


def _plain(group: Group, tactic: str, members: Sequence[PricedRun]) -> Cell:
    return plain_cell(group.setting, group.model, tactic, members)


def plain_cell(setting: Setting, model: str, tactic: str, members: Sequence[PricedRun]) -> Cell:
    """Returns a cell with its figures alone."""
    figures: dict[str, Quantity] = {}
    for name in dict.fromkeys(name for run in members for name in run.figures):
        known = quantity([run.figures[name] for run in members if name in run.figures])
        if known is not None:
            figures[name] = known
    sources = sorted({run.energy_source for run in members if run.energy_source})
    holds = {run.prices.holds(run.image) for run in members if run.image is not None}
    return Cell(
        setting=setting,
        model=model,
        tactic=tactic,
        blocks=len(members),
        quantities=figures,
        energy_source="; ".join(sources) or None,
        cost_holds="; ".join(sorted(filter(None, holds))) or None,
        run_ids=[run.id for run in members],
    )


def _cell(group: Group, tactic: str, options: Report) -> Cell:
    own = group.tactics[tactic]
    cell = _plain(group, tactic, [own[block] for block in sorted(own)])
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
        bill=economics.bill(pairs, prices, requests, options.months),
        sensitivities=economics.sensitivities(pairs, prices, requests),
    )


def _rank(cell: Cell) -> tuple[bool, float, str]:
    one = cell.effects.get(ENERGY) or cell.effects.get(LATENCY)
    return not cell.is_baseline, one.ratio if one else math.inf, cell.tactic


def _with_front(cells: Sequence[Cell], judged: Mapping[str, ImageOutcomes | None]) -> list[Cell]:
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
        objectives = [accuracy.relations(members, judged)]
        for name in (ENERGY, COST):
            known = [cell.quantities[name] for cell in members if name in cell.quantities]
            if len(known) == len(members):
                objective = Objective([q.value for q in known], [q.interval for q in known])
                objectives.append((objective.better(), objective.equal()))
        for index, on_front in zip(indices, front(objectives), strict=True):
            result[index] = replace(result[index], on_front=on_front)
    return result


def _noise(
    located: Sequence[Mapping[tuple[str, str], Location]], metrics: Sequence[str]
) -> dict[str, Location]:
    """Returns by metric where the mean A/A logarithms of the models lie."""
    means = {
        metric: [of_group[metric, AA].mean for of_group in located if (metric, AA) in of_group]
        for metric in metrics
    }
    known = {metric: sample for metric, sample in means.items() if sample}
    return dict(zip(known, locations(list(known.values())), strict=True))


def _overall(
    cells: Sequence[Cell], noise: Mapping[str, Location], metrics: Sequence[str]
) -> list[Overall]:
    """Returns each tactic over the models of one setting, best first.

    The model is the unit: its blocks are averaged first, never pooled. Its mean holds its blocks'
    noise already; to resample blocks as well would count it twice (Davison and Hinkley, Bootstrap
    Methods and their Application, 1997, section 3.8).
    """
    by_tactic: dict[str, list[Cell]] = defaultdict(list)
    for cell in cells:
        if cell.effects:
            by_tactic[cell.tactic].append(cell)
    found: dict[str, dict[str, Effect]] = defaultdict(dict)
    for metric in metrics:
        samples = {tactic: _models_logs(members, metric) for tactic, members in by_tactic.items()}
        samples = {tactic: sample for tactic, sample in samples.items() if sample}
        located = dict(zip(samples, locations(list(samples.values())), strict=True))
        for tactic, one in claims(located, noise.get(metric)).items():
            deltas = [cell.effects[metric].cliffs_delta for cell in by_tactic[tactic]
                      if metric in cell.effects]  # fmt: skip
            known = [delta for delta in deltas if delta is not None]
            found[tactic][metric] = replace(one, cliffs_delta=float(np.mean(known)))
    lines = [
        Overall(
            setting=by_tactic[tactic][0].setting,
            tactic=tactic,
            models=len({cell.model for cell in by_tactic[tactic]}),
            effects=effects,
            accuracy=accuracy.over_models(
                [cell.accuracy for cell in by_tactic[tactic] if cell.accuracy is not None]
            ),
        )
        for tactic, effects in found.items()
    ]
    return sorted(lines, key=_overall_rank)


def _models_logs(cells: Sequence[Cell], metric: str) -> list[float]:
    """Returns the mean logarithm of the ratio of each model."""
    models: dict[str, list[float]] = defaultdict(list)
    for cell in cells:
        if metric in cell.effects:
            models[cell.model].append(math.log(cell.effects[metric].ratio))
    return [float(np.mean(of_model)) for of_model in models.values()]


def _overall_rank(line: Overall) -> tuple[float, str]:
    one = line.effects.get(ENERGY) or next(iter(line.effects.values()))
    return one.ratio, line.tactic
