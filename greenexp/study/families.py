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
from greenexp.study.claims import claims, effect
from greenexp.study.estimates import Effect
from greenexp.study.pairs import Group, comparable
from greenexp.study.study import Setting

AA = ""  # stands for the tactic of A/A pairs
Effects = Mapping[str, Mapping[str, Effect]]  # by tactic, then metric
Located = Mapping[tuple[str, str], Location]  # by metric and tactic


@dataclass(frozen=True)
class Family:
    """The figures of one model's tactics, each beside those of its baseline.

    Attributes:
        setting: what else is the same.
        model: label.
        pairs: the figures of runs and of their baselines, by metric and tactic.
    """

    setting: Setting
    model: str
    pairs: Mapping[tuple[str, str], Sequence[tuple[float, float]]]

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
    pairs = {AA: group.aa_pairs()} | {tactic: group.pairs(tactic) for tactic in group.tactics}
    figures = {
        (metric, tactic): [
            (run.figures[metric], base.figures[metric]) for run, base in comparable(both, metric)
        ]
        for metric in metrics
        for tactic, both in pairs.items()
    }
    known = {key: both for key, both in figures.items() if both}
    return Family(group.setting, group.model, known)


def judge(families: Sequence[Family], metrics: Sequence[str]) -> Judgement:
    """Returns what the tests say of families, in the order of the metrics."""
    located = _located(families)
    effects = [_effects(*both, metrics) for both in zip(families, located, strict=True)]
    noise: dict[Setting, Mapping[str, Effect]] = {}
    overall: dict[Setting, Effects] = {}
    for setting in dict.fromkeys(one.setting for one in families):
        of_setting = [n for n, one in enumerate(families) if one.setting == setting]
        of_noise = _noise([located[n] for n in of_setting], metrics)
        noise[setting] = {
            metric: effect(one, one.p_value, 1, None) for metric, one in of_noise.items()
        }
        models = [(families[n].model, effects[n]) for n in of_setting]
        overall[setting] = _overall(models, of_noise, metrics)
    return Judgement(effects, noise, overall)


def _located(families: Sequence[Family]) -> list[dict[tuple[str, str], Location]]:
    """Returns for each family by metric and tactic where the logarithms of its ratios lie."""
    keys = [(number, *key) for number, one in enumerate(families) for key in one.pairs]
    samples = [
        [math.log(value / base) for value, base in both]
        for one in families
        for both in one.pairs.values()
    ]
    found: list[dict[tuple[str, str], Location]] = [{} for _ in families]
    for (number, metric, tactic), one in zip(keys, locations(samples), strict=True):
        found[number][metric, tactic] = one
    return found


def _effects(one: Family, located: Located, metrics: Sequence[str]) -> Effects:
    result: dict[str, dict[str, Effect]] = defaultdict(dict)
    for metric in metrics:
        of_tactics = {tactic: located[metric, tactic] for tactic in one.tactics(metric)}
        for tactic, known in claims(of_tactics, located.get((metric, AA))).items():
            values, bases = zip(*one.pairs[metric, tactic], strict=True)
            result[tactic][metric] = replace(known, cliffs_delta=cliffs_delta(values, bases))
    return dict(result)


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
    found: dict[str, dict[str, Effect]] = defaultdict(dict)
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
        for tactic, one in claims(located, noise.get(metric)).items():
            deltas = [effect.cliffs_delta for _, effect in members[tactic]]
            known = [delta for delta in deltas if delta is not None]
            found[tactic][metric] = replace(one, cliffs_delta=float(np.mean(known)))
    return dict(found)


def _models_logs(members: Iterable[tuple[str, Effect]]) -> list[float]:
    """Returns the mean logarithm of the ratio of each model."""
    models: dict[str, list[float]] = defaultdict(list)
    for model, one in members:
        models[model].append(math.log(one.ratio))
    return [float(np.mean(of_model)) for of_model in models.values()]
