"""The tests of a study: the tactics of one model stand together, and so do those over models.

All of it is numbers in and numbers out, so that another process can do it.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from greenexp.stats.paired import Location, cliffs_delta, locations
from greenexp.stats.two_levels import Spread, spreads
from greenexp.study import blocks
from greenexp.study.blocks import Layout, layout
from greenexp.study.claims import claims, effect
from greenexp.study.estimates import Effect
from greenexp.study.pairs import Contrast, Group, comparable, logs
from greenexp.study.study import Setting

AA = ""  # stands for the tactic of A/A pairs
Effects = Mapping[str, Mapping[str, Effect]]  # by tactic, then metric
Key = tuple[str, str]  # metric and tactic
Located = Mapping[Key, Location]
Between = Mapping[tuple[Setting, str], Mapping[str, Spread]]  # by metric, then model


@dataclass(frozen=True)
class Family:
    """The figures of one model's tactics, each beside those of its baseline.

    Attributes:
        setting: what else is the same.
        model: label.
        pairs: the figures of runs and of their baselines, by metric and tactic.
        logs: the logarithms of their ratios, likewise.
        contrasts: of tactics that were measured together with their baselines, likewise.
        layouts: by metric, of processes that were measured together.
    """

    setting: Setting
    model: str
    pairs: Mapping[Key, Sequence[tuple[float, float]]]
    logs: Mapping[Key, Sequence[float]]
    contrasts: Mapping[Key, Sequence[Contrast]]
    layouts: Mapping[str, Layout]

    def tactics(self, metric: str) -> list[str]:
        """Returns the tactics that have the metric; A/A is none."""
        return [tactic for name, tactic in self.pairs if name == metric and tactic != AA]


@dataclass(frozen=True)
class Judgement:
    """What the tests say.

    Attributes:
        families: the effects of each family, in their order.
        noise: by setting and metric, how two baselines differ.
        overall: by setting, the effects over models.
    """

    families: Sequence[Effects]
    noise: Mapping[Setting, Mapping[str, Effect]]
    overall: Mapping[Setting, Effects]


def family(group: Group, metrics: Iterable[str]) -> Family:
    """Returns the family of a group's tactics."""
    both = {AA: group.aa_pairs()} | {tactic: group.pairs(tactic) for tactic in group.tactics}
    alike = {
        (metric, tactic): comparable(pairs, metric)
        for metric in metrics
        for tactic, pairs in both.items()
    }
    alike = {key: pairs for key, pairs in alike.items() if pairs}
    figures = {
        (metric, tactic): [(run.figures[metric], base.figures[metric]) for run, base in pairs]
        for (metric, tactic), pairs in alike.items()
    }
    tested = [key for key in alike if not group.together or key[1] == AA]
    contrasts = {
        (metric, tactic): list(group.contrasts(tactic, metric).values())
        for metric, tactic in alike
        if group.together and tactic != AA
    }
    return Family(
        setting=group.setting,
        model=group.model,
        pairs=figures,
        logs={key: logs(alike[key], key[0]) for key in tested},
        contrasts=contrasts,
        layouts={metric: layout(group, metric) for metric in metrics} if group.together else {},
    )


def judge(
    families: Sequence[Family],
    metrics: Sequence[str],
    margin: float,
    earlier: Sequence[Family] = (),
) -> Judgement:
    """Returns what the tests say of families, in the order of the metrics.

    Args:
        families: of all models and settings.
        metrics: that are compared.
        margin: fraction within which a tactic may be called equal to the baseline.
        earlier: families that help to tell the spread between processes of their settings.
    """
    located = _located(families)
    between = _spreads([*families, *earlier])
    effects = [
        _effects_together(family, between, metrics, margin)
        if family.contrasts
        else _effects(family, of_family, metrics)
        for family, of_family in zip(families, located, strict=True)
    ]
    noise: dict[Setting, Mapping[str, Effect]] = {}
    overall: dict[Setting, Effects] = {}
    for setting in dict.fromkeys(family.setting for family in families):
        of_setting = [n for n, family in enumerate(families) if family.setting == setting]
        of_noise = _noise([located[n] for n in of_setting], metrics)
        noise[setting] = {
            metric: effect(location, location.p_value, 1, None)
            for metric, location in of_noise.items()
        }
        models = [(families[n].model, effects[n]) for n in of_setting]
        overall[setting] = _overall(models, of_noise, metrics)
    return Judgement(effects, noise, overall)


def _spreads(families: Iterable[Family]) -> Between:
    """Returns the spread between processes by setting, metric and model, where it is known."""
    layouts: dict[tuple[Setting, str], dict[str, list[Layout]]] = defaultdict(
        lambda: defaultdict(list)
    )
    for family in families:
        for metric, of_family in family.layouts.items():
            layouts[family.setting, metric][family.model].append(of_family)
    return {key: spreads(of_models) for key, of_models in layouts.items()}


def _located(families: Sequence[Family]) -> list[dict[Key, Location]]:
    """Returns for each family by metric and tactic where the logarithms of its ratios lie."""
    keys = [(number, *key) for number, family in enumerate(families) for key in family.logs]
    samples = [of_key for family in families for of_key in family.logs.values()]
    located: list[dict[Key, Location]] = [{} for _ in families]
    for (number, metric, tactic), location in zip(keys, locations(samples), strict=True):
        located[number][metric, tactic] = location
    return located


def _effects(family: Family, located: Located, metrics: Sequence[str]) -> Effects:
    result: dict[str, dict[str, Effect]] = defaultdict(dict)
    for metric in metrics:
        of_tactics = {tactic: located[metric, tactic] for tactic in family.tactics(metric)}
        for tactic, known in claims(of_tactics, located.get((metric, AA))).items():
            result[tactic][metric] = replace(known, cliffs_delta=_delta(family, metric, tactic))
    return dict(result)


def _effects_together(
    family: Family,
    between: Between,
    metrics: Sequence[str],
    margin: float,
) -> Effects:
    result: dict[str, dict[str, Effect]] = defaultdict(dict)
    for metric in metrics:
        each = {tactic: family.contrasts.get((metric, tactic)) for tactic in family.tactics(metric)}
        known = {tactic: contrasts for tactic, contrasts in each.items() if contrasts}
        if known:
            of_model = between.get((family.setting, metric), {}).get(family.model)
            of_metric = blocks.effects(known, of_model, margin)
            for tactic, of_tactic in of_metric.items():
                delta = _delta(family, metric, tactic)
                result[tactic][metric] = replace(of_tactic, cliffs_delta=delta)
    return dict(result)


def _delta(family: Family, metric: str, tactic: str) -> float:
    values, bases = zip(*family.pairs[metric, tactic], strict=True)
    return cliffs_delta(values, bases)


def _noise(located: Sequence[Located], metrics: Sequence[str]) -> dict[str, Location]:
    """Returns by metric where the mean A/A logarithms of the models lie."""
    means = {
        metric: [of_family[metric, AA].mean for of_family in located if (metric, AA) in of_family]
        for metric in metrics
    }
    known = {metric: sample for metric, sample in means.items() if sample}
    return dict(zip(known, locations(list(known.values())), strict=True))


def _overall(
    models: Sequence[tuple[str, Effects]], noise: Mapping[str, Location], metrics: Sequence[str]
) -> Effects:
    """Returns the effects of each tactic over the models of one setting.

    The model is the unit: its blocks are averaged first, never pooled. Its mean holds its blocks'
    noise already; to resample blocks as well would count it twice (Davison and Hinkley, Bootstrap
    Methods and their Application, 1997, section 3.8).
    """
    tactics = dict.fromkeys(tactic for _, effects in models for tactic in effects)
    result: dict[str, dict[str, Effect]] = defaultdict(dict)
    for metric in metrics:
        members = {
            tactic: [
                (model, effects[tactic][metric])
                for model, effects in models
                if metric in effects.get(tactic, ())
            ]
            for tactic in tactics
        }
        members = {tactic: known for tactic, known in members.items() if known}
        samples = {tactic: _models_logs(known) for tactic, known in members.items()}
        located = dict(zip(samples, locations(list(samples.values())), strict=True))
        for tactic, claim in claims(located, noise.get(metric)).items():
            deltas = [effect.cliffs_delta for _, effect in members[tactic]]
            known = [delta for delta in deltas if delta is not None]
            result[tactic][metric] = replace(claim, cliffs_delta=float(np.mean(known)))
    return dict(result)


def _models_logs(members: Iterable[tuple[str, Effect]]) -> list[float]:
    """Returns the mean logarithm of the ratio of each model."""
    models: dict[str, list[float]] = defaultdict(list)
    for model, estimate in members:
        models[model].append(math.log(estimate.ratio))
    return [float(np.mean(of_model)) for of_model in models.values()]
